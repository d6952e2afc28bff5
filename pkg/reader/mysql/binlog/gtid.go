package binlog

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Source is who numbers transactions on MySQL: a server, and a tag where one
// was given.
type Source struct {
	UUID [16]byte
	Tag  string
}

// An Interval is the numbers from First to Last.
type Interval struct{ First, Last uint64 }

// A Set is the GTIDs of MySQL transactions. Intervals of a source are sorted and
// do not touch.
type Set map[Source][]Interval

// maxTag is how long a tag may be.
const maxTag = 32

// ParseSet reads a set as the server prints it:
// uuid:1-5:7:tag:1-3,uuid:9. An empty text is an empty set.
func ParseSet(text string) (Set, error) {
	s := Set{}
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := s.parsePart(part); err != nil {
			return nil, fmt.Errorf("bad GTID set %q: %w", text, err)
		}
	}
	return s, nil
}

func (s Set) parsePart(part string) error {
	fields := strings.Split(part, ":")
	uuid, err := ParseUUID(strings.TrimSpace(fields[0]))
	if err != nil {
		return err
	}
	src, numbers := Source{UUID: uuid}, 0
	for _, f := range fields[1:] {
		f = strings.ToLower(strings.TrimSpace(f))
		if f != "" && (f[0] == '_' || f[0] >= 'a' && f[0] <= 'z') {
			if len(f) > maxTag {
				return fmt.Errorf("tag %q is too long", f)
			}
			src.Tag = f
			continue
		}
		first, last, ok := strings.Cut(f, "-")
		if !ok {
			last = first
		}
		a, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 63)
		b, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 63)
		if err1 != nil || err2 != nil || a == 0 || b < a {
			return fmt.Errorf("bad interval %q", f)
		}
		s.AddInterval(src, Interval{a, b})
		numbers++
	}
	if numbers == 0 {
		return errors.New("no numbers behind the server")
	}
	return nil
}

// ParseUUID reads 8-4-4-4-12 hexadecimal digits.
func ParseUUID(text string) (u [16]byte, err error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return u, fmt.Errorf("bad UUID %q", text)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		return u, fmt.Errorf("bad UUID %q", text)
	}
	copy(u[:], b)
	return u, nil
}

func uuidString(u [16]byte) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Add adds one GTID.
func (s Set) Add(src Source, n uint64) {
	have := s[src]
	// Nearly every time it is the next number of the last interval.
	if k := len(have) - 1; k >= 0 && have[k].Last+1 == n {
		have[k].Last = n
		return
	}
	s.AddInterval(src, Interval{n, n})
}

// AddInterval adds many GTIDs of one source.
func (s Set) AddInterval(src Source, iv Interval) {
	have := s[src]
	// The first interval that iv touches or comes before, and the first behind it.
	i, _ := slices.BinarySearchFunc(have, iv, func(h, iv Interval) int {
		if h.Last+1 < iv.First {
			return -1
		}
		return 1
	})
	j := i
	for j < len(have) && have[j].First <= iv.Last+1 {
		iv.First, iv.Last = min(iv.First, have[j].First), max(iv.Last, have[j].Last)
		j++
	}
	s[src] = slices.Replace(have, i, j, iv)
}

// Contains reports whether a GTID is in the set.
func (s Set) Contains(src Source, n uint64) bool {
	have := s[src]
	i, _ := slices.BinarySearchFunc(have, n, func(h Interval, n uint64) int {
		if h.Last < n {
			return -1
		}
		return 1
	})
	return i < len(have) && have[i].First <= n
}

// Remove takes one GTID out.
func (s Set) Remove(src Source, n uint64) {
	s.subtract(src, []Interval{{n, n}})
}

func (s Set) subtract(src Source, other []Interval) {
	var left []Interval
	for _, h := range s[src] {
		for _, o := range other {
			if o.Last < h.First {
				continue
			}
			if o.First > h.Last {
				break
			}
			if o.First > h.First {
				left = append(left, Interval{h.First, o.First - 1})
			}
			h.First = o.Last + 1
		}
		if h.First <= h.Last {
			left = append(left, h)
		}
	}
	if left == nil {
		delete(s, src)
		return
	}
	s[src] = left
}

// Clone returns a copy that shares nothing.
func (s Set) Clone() Set {
	c := make(Set, len(s))
	for src, ivs := range s {
		c[src] = slices.Clone(ivs)
	}
	return c
}

// Minus returns what is in s and not in o.
func (s Set) Minus(o Set) Set {
	c := s.Clone()
	for src, ivs := range o {
		if _, ok := c[src]; ok {
			c.subtract(src, ivs)
		}
	}
	return c
}

// Union returns what is in either.
func (s Set) Union(o Set) Set {
	c := s.Clone()
	for src, ivs := range o {
		for _, iv := range ivs {
			c.AddInterval(src, iv)
		}
	}
	return c
}

// Intersect returns what is in both.
func (s Set) Intersect(o Set) Set { return s.Minus(s.Minus(o)) }

// Covers reports whether all of o is in s.
func (s Set) Covers(o Set) bool {
	for src, ivs := range o {
		have := s[src]
		for _, iv := range ivs {
			i := slices.IndexFunc(have, func(h Interval) bool { return h.Last >= iv.First })
			if i < 0 || have[i].First > iv.First || have[i].Last < iv.Last {
				return false
			}
		}
	}
	return true
}

// sources returns the sources in the order in which the server prints them.
func (s Set) sources() []Source {
	return slices.SortedFunc(maps.Keys(s), func(a, b Source) int {
		return cmp.Or(slices.Compare(a.UUID[:], b.UUID[:]), strings.Compare(a.Tag, b.Tag))
	})
}

// String prints the set as the server does, without line breaks.
func (s Set) String() string {
	var b strings.Builder
	var last [16]byte
	for i, src := range s.sources() {
		if i == 0 || src.UUID != last {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(uuidString(src.UUID))
			last = src.UUID
		}
		if src.Tag != "" {
			b.WriteByte(':')
			b.WriteString(src.Tag)
		}
		for _, iv := range s[src] {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(iv.First, 10))
			if iv.Last > iv.First {
				b.WriteByte('-')
				b.WriteString(strconv.FormatUint(iv.Last, 10))
			}
		}
	}
	return b.String()
}

// tagged marks an encoded set whose sources have a tag each, in the first and
// the last byte of the count. Servers before 8.3 know only the other form.
const tagged = 1

// Encode returns the set as COM_BINLOG_DUMP_GTID sends it: the number of
// sources, and of each its UUID, its tag (if any source has one), and the number
// of intervals and their bounds, the upper one exclusive; numbers are of eight
// bytes, little-endian.
func (s Set) Encode() []byte {
	sources := s.sources()
	tags := slices.ContainsFunc(sources, func(src Source) bool { return src.Tag != "" })
	count := uint64(len(sources))
	if tags {
		count = tagged<<56 | count<<8 | tagged
	}
	out := binary.LittleEndian.AppendUint64(nil, count)
	for _, src := range sources {
		out = append(out, src.UUID[:]...)
		if tags {
			// A number of variable length, which below 128 is one byte.
			out = append(out, byte(len(src.Tag)<<1))
			out = append(out, src.Tag...)
		}
		out = binary.LittleEndian.AppendUint64(out, uint64(len(s[src])))
		for _, iv := range s[src] {
			out = binary.LittleEndian.AppendUint64(out, iv.First)
			out = binary.LittleEndian.AppendUint64(out, iv.Last+1)
		}
	}
	return out
}

// DecodeSet reads what Encode writes, which is also the body of a
// PREVIOUS_GTIDS event.
func DecodeSet(p []byte) (Set, error) {
	r := cursor{p: p}
	count := r.uint64()
	tags := count>>56 == tagged
	if tags {
		count = count >> 8 & (1<<48 - 1)
	} else if count>>56 != 0 {
		return nil, errors.New("GTID set in an unknown format")
	}
	s := Set{}
	for ; count > 0 && !r.bad; count-- {
		var src Source
		copy(src.UUID[:], r.bytes(16))
		if tags {
			src.Tag = string(r.bytes(int(r.uint8() >> 1)))
		}
		for n := r.uint64(); n > 0 && !r.bad; n-- {
			iv := Interval{First: r.uint64(), Last: r.uint64() - 1}
			if r.bad || iv.First == 0 || iv.Last < iv.First || iv.Last > 1<<63 {
				return nil, errors.New("GTID set with a bad interval")
			}
			s.AddInterval(src, iv)
		}
	}
	if r.bad {
		return nil, errors.New("GTID set is cut short")
	}
	return s, nil
}
