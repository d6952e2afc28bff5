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

// ParseList reads domain-server-number, separated by commas.
func ParseList(text string) (List, error) {
	l := List{}
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
		// A list may name several servers of a domain; the last one counts.
		if old, ok := l[uint32(domain)]; !ok || old.Seq < seq {
			l[uint32(domain)] = Mark{uint32(server), seq}
		}
	}
	return l, nil
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
