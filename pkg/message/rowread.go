package message

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An objectTable is a table whose rows come as JSON objects.
type objectTable struct {
	columns []objectColumn
	byName  map[string]int // of tables with many columns
	key     []int
	rows    *Rows  // nil: they are not wanted
	filled  []bool // scratch: columns of the row at hand

	before mark // where the message at hand began
}

type objectColumn struct {
	schema.Column
	name   []byte // as it stands in messages
	native []byte // as it stands in messages
	key    bool   // it is a part of the key
	told   bool   // a statement has told its type
	open   bool   // its type lacks what a value must tell; until then the shape is without it

	text     readFunc // reads a string, without its escapes
	bare     readFunc // reads what else there is but null; nil: text does, but no objects and arrays
	raw      bool     // bare reads strings as well, with quotes and escapes
	jsonNull bool     // a null behind a space is a value of JSON
	null     func()
}

// index readies the table for its columns.
func (t *objectTable) index() {
	t.filled = make([]bool, len(t.columns))
	t.byName = nil
	if len(t.columns) > 16 {
		t.byName = make(map[string]int, len(t.columns))
		for i, c := range t.columns {
			t.byName[string(c.name)] = i
		}
	}
}

// wanted reports whether there is a place for the table's rows.
func (t *objectTable) wanted() bool { return t.rows != nil }

// skip reports whether the message at hand is left out.
func (t *objectTable) skip() bool { return t.rows.Skip != nil && t.rows.Skip() }

// over reports whether the place of the table's rows is another by now.
func (t *objectTable) over() bool { return t.rows != nil && t.rows.Into.Over }

// mark notes where a message begins.
func (t *objectTable) mark() {
	if t.rows != nil {
		t.before = t.rows.Into.mark()
	}
}

// back drops what has come of the message.
func (t *objectTable) back() {
	if t.rows != nil {
		t.rows.Into.back(t.before)
	}
}

// column finds a column by its name, which is most likely that at guess; -1 if there is
// none.
func (t *objectTable) column(name []byte, guess int) int {
	if guess < len(t.columns) && bytes.Equal(t.columns[guess].name, name) {
		return guess
	}
	if t.byName != nil {
		if k, ok := t.byName[string(name)]; ok {
			return k
		}
		return -1
	}
	for i := range t.columns {
		if bytes.Equal(t.columns[i].name, name) {
			return i
		}
	}
	return -1
}

// bind asks for the place of the table's rows. Access returns how a column is read as which
// its shape has it.
func (t *objectTable) bind(to Target, db, name []byte, access func(c *objectColumn, as schema.Column, col batch.Column) bool) error {
	d, err := unescape(nil, db)
	if err != nil {
		return err
	}
	n, err := unescape(nil, name)
	if err != nil {
		return err
	}
	var columns []schema.Column
	place := make([]int, len(t.columns)) // in the shape, which lacks those that are open
	for i, c := range t.columns {
		if place[i] = -1; !c.open {
			place[i] = len(columns)
			columns = append(columns, c.Column)
		}
	}
	var key []int
	for _, k := range t.key {
		if place[k] < 0 {
			return fmt.Errorf("column %s of the key: nothing tells its type", t.columns[k].Name)
		}
		key = append(key, place[k])
	}
	if t.rows, err = to.Rows(schema.New(string(d), string(n), columns, key)); err != nil || t.rows == nil {
		return err
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.open {
			c.null = func() {}
			continue
		}
		as, col := t.rows.typed(place[i])
		if !access(c, as, col) {
			return fmt.Errorf("column %s: %s cannot be read as %s", c.Name, c.Native, as.Arrow)
		}
		c.null = col.Null
	}
	return nil
}

// update appends the row of before an update, if the update has changed the key or all of
// them are wanted: what it did not change is that of the row that comes.
func (t *objectTable) update(old *scanner, fresh scanner, scratch *[]byte) error {
	at := *old
	if _, err := old.skip(); err != nil {
		return err
	}
	moved := t.rows.Old()
	for i := 0; i < len(t.key) && !moved; i++ {
		name := t.columns[t.key[i]].name
		was, err := member(at, name)
		if err != nil {
			return err
		}
		if was == nil {
			continue
		}
		is, err := member(fresh, name)
		if err != nil {
			return err
		}
		moved = !bytes.Equal(was, is) // some tell of columns that have not changed as well
	}
	if !moved {
		return nil
	}
	if err := t.row(&at, &fresh, scratch); err != nil {
		return err
	}
	t.rows.End(batch.Before, 0)
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
func (t *objectTable) row(s, rest *scanner, scratch *[]byte) error {
	clear(t.filled)
	if err := t.fill(s, rest == nil, scratch); err != nil {
		return err
	}
	if rest != nil {
		if err := t.fill(rest, false, scratch); err != nil {
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
func (t *objectTable) fill(s *scanner, whole bool, scratch *[]byte) error {
	more, err := s.open('{', '}')
	for i := 0; err == nil && more; i++ {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		k := t.column(name, i)
		switch {
		case k < 0 || t.filled[k]:
			var v []byte
			if v, err = s.skip(); err == nil && k < 0 && whole && string(v) != "null" {
				err = errors.New("nothing tells its type")
			}
		default:
			t.filled[k] = true
			err = t.columns[k].value(s, scratch)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		more, err = s.more('}')
	}
	return err
}

// An openError is a value of a column whose type was open.
type openError struct {
	column *objectColumn
	value  []byte
}

func (e *openError) Error() string {
	return "the type of column " + e.column.Name + " is not known yet"
}

// value appends one value.
func (c *objectColumn) value(s *scanner, scratch *[]byte) error {
	if s.peek() == '"' && !c.raw {
		text, escaped, err := s.str()
		if err == nil && escaped {
			*scratch, err = unescape((*scratch)[:0], text)
			text = *scratch
		}
		switch {
		case err != nil:
			return err
		case c.open:
			return &openError{column: c, value: bytes.Clone(text)}
		}
		return c.text(text)
	}
	text, err := s.skip()
	if err != nil {
		return err
	}
	switch {
	case string(text) == "null" && !(c.jsonNull && s.text[s.at-len("null")-1] == ' '):
		if c.key {
			return errors.New("it is null, and a part of the key")
		}
		c.null()
		return nil
	case c.open:
		return &openError{column: c, value: bytes.Clone(text)}
	case c.bare != nil:
		return c.bare(text)
	case text[0] == '{', text[0] == '[':
		return literal.Bad(text, "value of a column")
	}
	return c.text(text)
}
