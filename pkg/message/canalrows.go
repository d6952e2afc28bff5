package message

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// string takes a string and undoes its escapes. The text is good until the next call.
func (r *CanalReader) string(s *scanner) ([]byte, error) {
	raw, escaped, err := s.str()
	if err != nil || !escaped {
		return raw, err
	}
	r.text, err = unescape(r.text[:0], raw)
	return r.text, err
}

// changes reads the rows of a message.
func (r *CanalReader) changes(t *canalTable, m *canalMessage, data *scanner, size int) error {
	old := scanner{text: m.old}
	more, err := data.open('[', ']')
	if err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	if !more {
		return errors.New("it has no rows")
	}
	hasOld := false
	if string(m.typ) == "UPDATE" && len(m.old) > 0 && string(m.old) != "null" {
		if hasOld, err = old.open('[', ']'); err != nil {
			return fmt.Errorf("read old: %w", err)
		}
	}
	for more {
		if hasOld {
			if err := r.moved(t, &old, *data); err != nil {
				return fmt.Errorf("read old: %w", err)
			}
			if hasOld, err = old.more(']'); err != nil {
				return fmt.Errorf("read old: %w", err)
			}
		}
		if err := r.row(t, data, nil); err != nil {
			return fmt.Errorf("read data: %w", err)
		}
		op := batch.Insert
		switch m.typ[0] {
		case 'U':
			op = batch.After
		case 'D':
			op = batch.Delete
		}
		t.rows.End(op, size)
		size = 0
		if more, err = data.more(']'); err != nil {
			return fmt.Errorf("read data: %w", err)
		}
	}
	return nil
}

// moved appends the row of before an update, if the update has changed the key or all of
// them are wanted: what it did not change is that of the row that comes.
func (r *CanalReader) moved(t *canalTable, old *scanner, fresh scanner) error {
	at := *old
	if _, err := old.skip(); err != nil {
		return err
	}
	if t.rows.Old() {
		if err := r.row(t, &at, &fresh); err != nil {
			return err
		}
		t.rows.End(batch.Before, 0)
		return nil
	}
	for _, k := range t.key {
		was, err := member(at, t.columns[k].name)
		if err != nil {
			return err
		}
		if was == nil {
			continue
		}
		is, err := member(fresh, t.columns[k].name)
		if err != nil {
			return err
		}
		if bytes.Equal(was, is) { // some tell of columns that have not changed as well
			continue
		}
		if err := r.row(t, &at, &fresh); err != nil {
			return err
		}
		t.rows.End(batch.Before, 0)
		return nil
	}
	return nil
}

// member returns the text of a member of the object that comes next, nil if it has none.
func member(s scanner, name []byte) ([]byte, error) {
	more, err := s.open('{', '}')
	for err == nil && more {
		var key, v []byte
		if key, err = s.key(); err != nil {
			break
		}
		if v, err = s.skip(); err != nil || bytes.Equal(key, name) {
			return v, err
		}
		more, err = s.more('}')
	}
	return nil, err
}

// row appends an object's values. What it lacks is taken from the object at rest, if
// there is one, else it is NULL.
func (r *CanalReader) row(t *canalTable, s, rest *scanner) error {
	clear(t.filled)
	if err := r.fill(t, s, rest == nil); err != nil {
		return err
	}
	if rest != nil {
		if err := r.fill(t, rest, false); err != nil {
			return err
		}
	}
	for i, ok := range t.filled {
		if ok {
			continue
		}
		if c := &t.columns[i]; c.key {
			return fmt.Errorf("column %s of the key is missing", c.name)
		}
		t.columns[i].null()
	}
	return nil
}

// fill appends those of an object's values whose columns have none yet. If it is whole, each
// of them has a type.
func (r *CanalReader) fill(t *canalTable, s *scanner, whole bool) error {
	more, err := s.open('{', '}')
	for i := 0; err == nil && more; i++ {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		k := t.column(name, i)
		switch {
		case k < 0 && whole:
			err = errors.New("nothing tells its type")
		case k < 0 || t.filled[k]:
			_, err = s.skip()
		default:
			t.filled[k] = true
			err = r.value(&t.columns[k], s)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		more, err = s.more('}')
	}
	return err
}

// value appends one value: a string, null, or, as some write it, a bare number.
func (r *CanalReader) value(c *canalColumn, s *scanner) error {
	if s.peek() == '"' {
		text, err := r.string(s)
		if err != nil {
			return err
		}
		if c.open {
			return &openError{column: c, value: bytes.Clone(text)}
		}
		return c.read(text)
	}
	text, err := s.skip()
	if err != nil {
		return err
	}
	switch {
	case string(text) == "null" && c.key:
		return errors.New("it is null, and a part of the key")
	case string(text) == "null":
		c.null()
		return nil
	case strings.IndexByte("{[", text[0]) >= 0:
		return badValue(text, "value of a column")
	case c.open:
		return &openError{column: c, value: bytes.Clone(text)}
	}
	return c.read(text)
}

// binaryRead reads letters that stand for bytes; of a geometry they begin with an SRID.
func binaryRead(c schema.Column, b *batch.Bytes) readFunc {
	skip := 0
	if c.Type.Kind == schema.Geometry {
		skip = 4
	}
	var stored []byte
	return func(text []byte) (err error) {
		if stored, err = latin1(stored[:0], text); err != nil {
			return err
		}
		if len(stored) < skip {
			return badValue(text, "geometry")
		}
		b.Append(stored[skip:])
		return nil
	}
}
