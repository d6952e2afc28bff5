package kafka

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// A mark is what a position has at its end, as JSON, that of a table whose rows were read from a
// stock: they may show changes that come behind the position.
type mark struct {
	ID    string         `json:"id"`              // of one reading: whoever follows the table learns of it by that
	Stock batch.Position `json:"stock,omitempty"` // "" if not all rows were
	// Until is the time of changes from which on the rows show none, in microseconds since 1970.
	Until int64 `json:"until"`
	// Fresh are the partitions of which nobody has committed to the table since who reads them for
	// all tables: that they have been read up to the position it does not say.
	Fresh []string `json:"fresh,omitempty"`
	// Read is how far these have been read for all tables, as the table's position before said.
	Read map[string]int64 `json:"read,omitempty"`
}

// read returns how far a partition has been read for all tables, as a position with the mark says that
// has the table at an offset there.
func (m *mark) read(p part, at int64) (read int64, ok bool) {
	if !slices.Contains(m.Fresh, p.String()) {
		return at, true
	}
	read, ok = m.Read[p.String()]
	return read, ok
}

// markSign is what a mark begins with.
const markSign = ";!"

// markTime is added to this machine's time, once stock was read: the source's clock, by which
// changes tell their time, may be wrong by a time zone.
const markTime = 25 * time.Hour

// cutMark cuts a position's mark off.
func cutMark(pos batch.Position) (offsets, mark string) {
	offsets, mark, _ = strings.Cut(string(pos), markSign)
	return offsets, mark
}

func withMark(pos batch.Position, mark string) batch.Position {
	if mark == "" {
		return pos
	}
	return pos + markSign + batch.Position(mark)
}

// Showing implements reader.Share.
func (s *share) Showing(pos, stock batch.Position) batch.Position {
	return s.mark(pos, stock, nil)
}

// Redone implements reader.Share.
func (s *share) Redone(pos, was batch.Position) batch.Position {
	m, err := parseMark(was)
	_, at, err2 := parsePosition(was)
	if err != nil || err2 != nil {
		return s.mark(pos, "", nil)
	}
	reads := map[string]int64{}
	for p, offset := range at {
		if read, ok := m.read(p, offset); ok {
			reads[p.String()] = read
		}
	}
	return s.mark(pos, m.Stock, reads)
}

// Passed implements reader.Share.
func (s *share) Passed(held, from batch.Position) (bool, error) {
	_, is, err := parsePosition(held)
	if err != nil {
		return false, err
	}
	_, was, err := parsePosition(from)
	if err != nil {
		return false, err
	}
	for p, at := range was {
		if is[p] < at {
			return false, nil
		}
	}
	m, err := parseMark(held)
	if err != nil {
		return false, err
	}
	n, err := parseMark(from)
	return m.ID == n.ID || m.ID == "", err // it is dropped once it is of no use any more
}

// mark gives a position a mark of its own, in the place of any that it has.
func (s *share) mark(pos, stock batch.Position, reads map[string]int64) batch.Position {
	m := mark{ID: rand.Text(), Stock: stock, Read: reads, Until: time.Now().Add(markTime).UnixMicro()}
	for _, p := range s.parts {
		m.Fresh = append(m.Fresh, p.String())
	}
	text, err := json.Marshal(m)
	if err != nil {
		return pos // texts and numbers always marshal
	}
	offsets, _ := cutMark(pos)
	return withMark(batch.Position(offsets), string(text))
}

// parseMark reads the mark of a position; its ID is "" if there is none.
func parseMark(pos batch.Position) (m mark, err error) {
	_, text := cutMark(pos)
	if text == "" {
		return m, nil
	}
	if err = json.Unmarshal([]byte(text), &m); err != nil {
		err = fmt.Errorf("position %q: %w", pos.Excerpt(), err)
	}
	return m, err
}

// remark notes in a position's mark that one who reads all tables commits, and drops the mark once
// the share has come past it in all partitions.
func (s *share) remark(pos batch.Position) (batch.Position, error) {
	m, err := parseMark(pos)
	if err != nil || m.ID == "" {
		return pos, err
	}
	offsets, _ := cutMark(pos)
	_, at, err := parsePosition(pos)
	if err != nil || len(at) == len(s.parts) && s.passed.Load() > m.Until {
		return batch.Position(offsets), err
	}
	m.Fresh = slices.DeleteFunc(m.Fresh, func(name string) bool {
		return slices.ContainsFunc(s.parts, func(p part) bool { return p.String() == name })
	})
	for _, p := range s.parts {
		delete(m.Read, p.String())
	}
	text, err := json.Marshal(m)
	return withMark(batch.Position(offsets), string(text)), err
}

// marked reads the mark of a position that a table holds: which changes its rows show, and until
// when there may be such.
func (f *Feed) marked(name string, pos batch.Position) (covers func(gtid []byte) bool, until int64, err error) {
	m, err := parseMark(pos)
	if err != nil || m.ID == "" {
		return nil, 0, err
	}
	if f.opts.Covers == nil || m.Stock == "" {
		return nil, m.Until, nil
	}
	told, err := f.opts.Covers(m.Stock)
	if err != nil {
		return nil, 0, err
	}
	if told == nil {
		f.again(name, "the source had no GTIDs")
		return nil, m.Until, nil
	}
	return func(gtid []byte) bool {
		if len(gtid) == 0 {
			f.again(name, "the messages tell no GTIDs")
			return false
		}
		return told(gtid)
	}, m.Until, nil
}

// again says, of the first such table, that changes which its rows show cannot be told from others.
func (f *Feed) again(name, why string) {
	f.saidAgain.Do(func() {
		f.opts.Warn(fmt.Sprintf("%s was redone while it was written to, and %s: changes from before that it shows already are applied again, by key", name, why))
	})
}
