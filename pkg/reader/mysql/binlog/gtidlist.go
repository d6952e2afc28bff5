package binlog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Mark is the last transaction of a MariaDB replication domain: the server it
// came from and its number, which grows within the domain.
type Mark struct {
	Server uint32
	Seq    uint64
}

// A List is a place in a MariaDB log: the last transaction of every domain.
type List map[uint32]Mark

// Marks are the last transactions that a server has in its log of each server
// and domain.
type Marks []struct {
	Domain uint32
	Mark
}

// ParseMarks reads domain-server-number, separated by commas.
func ParseMarks(text string) (m Marks, err error) {
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		f := strings.Split(part, "-")
		if len(f) != 3 {
			return nil, fmt.Errorf("bad GTID list %q: want domain-server-number", text)
		}
		domain, err1 := strconv.ParseUint(f[0], 10, 32)
		server, err2 := strconv.ParseUint(f[1], 10, 32)
		seq, err3 := strconv.ParseUint(f[2], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("bad GTID list %q: want domain-server-number", text)
		}
		m = append(m, struct {
			Domain uint32
			Mark
		}{uint32(domain), Mark{uint32(server), seq}})
	}
	return m, nil
}

// Cover reports whether a log that has come to m has been where l is.
func (m Marks) Cover(l List) bool {
	for domain, want := range l {
		found := false
		for _, have := range m {
			found = found || have.Domain == domain && have.Server == want.Server && have.Seq >= want.Seq
		}
		if !found {
			return false
		}
	}
	return true
}

// ParseList reads domain-server-number, separated by commas.
func ParseList(text string) (List, error) {
	marks, err := ParseMarks(text)
	l := List{}
	for _, m := range marks {
		// A list may name several servers of a domain; the last one counts.
		if old, ok := l[m.Domain]; !ok || old.Seq < m.Seq {
			l[m.Domain] = m.Mark
		}
	}
	return l, err
}

// Contains reports whether the place lies behind a transaction.
func (l List) Contains(domain uint32, seq uint64) bool {
	m, ok := l[domain]
	return ok && seq <= m.Seq
}

// Covers reports whether the place lies at o or behind it, in every domain.
func (l List) Covers(o List) bool {
	for domain, m := range o {
		if !l.Contains(domain, m.Seq) {
			return false
		}
	}
	return true
}

// Earlier returns the place that lies before both.
func (l List) Earlier(o List) List {
	out := List{}
	for domain, m := range l {
		if om, ok := o[domain]; ok {
			if om.Seq < m.Seq {
				m = om
			}
			out[domain] = m
		}
	}
	return out
}

// Clone returns a copy.
func (l List) Clone() List { return maps.Clone(l) }

// String prints the list in the order of domains.
func (l List) String() string {
	parts := make([]string, 0, len(l))
	for _, d := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, fmt.Sprintf("%d-%d-%d", d, l[d].Server, l[d].Seq))
	}
	return strings.Join(parts, ",")
}

// Later returns the place that lies behind both.
func (l List) Later(o List) List {
	out := l.Clone()
	if out == nil {
		out = List{}
	}
	for domain, m := range o {
		if !out.Contains(domain, m.Seq) {
			out[domain] = m
		}
	}
	return out
}
