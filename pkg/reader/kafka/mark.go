package kafka

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// A mark is what a position has at its end, as JSON, that of a table whose rows were read from a
// stock: they may show changes that come behind the position.
type mark struct {
	ID    string         `json:"id"` // of one reading: whoever follows the table learns of it by that
	Stock batch.Position `json:"stock"`
	// Until is the time of changes from which on the rows show none, in microseconds since 1970.
	Until int64 `json:"until"`
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
	text, err := json.Marshal(mark{rand.Text(), stock, time.Now().Add(markTime).UnixMicro()})
	if err != nil {
		return pos // texts and numbers always marshal
	}
	return withMark(pos, string(text))
}

// unmarked drops a mark once the share has come past it in all partitions.
func (s *share) unmarked(pos batch.Position) batch.Position {
	offsets, text := cutMark(pos)
	if text == "" {
		return pos
	}
	var m mark
	_, at, err := parsePosition(pos)
	if err != nil || json.Unmarshal([]byte(text), &m) != nil || len(at) != len(s.parts) || s.passed.Load() <= m.Until {
		return pos
	}
	return batch.Position(offsets)
}

// marked reads the mark of a position that a table holds: which changes its rows show, and until
// when there may be such.
func (f *Feed) marked(pos batch.Position) (covers func(gtid []byte) bool, until int64, err error) {
	_, text := cutMark(pos)
	if text == "" {
		return nil, 0, nil
	}
	var m mark
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, 0, fmt.Errorf("position %q: %w", pos, err)
	}
	if f.opts.Covers != nil {
		if covers, err = f.opts.Covers(m.Stock); err != nil {
			return nil, 0, err
		}
	}
	return covers, m.Until, nil
}
