package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A maxwellTable is one table as messages have described it.
type maxwellTable struct {
	db, name []byte // as they stand in messages
	own      ownShape
	keys     []byte // primary_key_columns, or the names that record keys have, each behind a zero byte
	objectTable
}

// is reports whether a message is of the table, as it is described here.
func (t *maxwellTable) is(m *maxwellMessage, own *ownShape) bool {
	return bytes.Equal(t.name, m.table) && bytes.Equal(t.db, m.db) && bytes.Equal(t.own.types, own.types) && bytes.Equal(t.own.keys, own.keys)
}

// fits reports whether the message is of the table, and all has come that says what its
// data means.
func (r *MaxwellReader) fits(t *maxwellTable, m *maxwellMessage) bool {
	return t != nil && t.wanted() && isChange(m.typ) && m.typ[0] != 'u' && t.is(m, &r.shape) && (m.own || r.sameKey(t, m)) && !t.over() && !t.skip()
}

// table returns the table of a message, whose shape may be another than it was.
func (r *MaxwellReader) table(m *maxwellMessage) (*maxwellTable, error) {
	if r.last != nil && r.last.is(m, &r.shape) && !r.last.over() && (m.own || r.sameKey(r.last, m)) {
		return r.last, nil
	}
	r.name = append(append(append(r.name[:0], m.db...), 0), m.table...)
	t := r.tables[string(r.name)]
	if t == nil || !t.is(m, &r.shape) || t.over() || !m.own && !r.sameKey(t, m) {
		r.last = nil // its rows may be taken on now, and nothing has come of this message
		next, err := r.describe(m, t)
		if err != nil {
			return nil, err
		}
		if err := r.bind(next); err != nil {
			return nil, err
		}
		t = next
		r.tables[string(r.name)] = t
	}
	r.last = t
	t.mark()
	return t, nil
}

// describe makes a table of what a message says of it, and of what was known before.
func (r *MaxwellReader) describe(m *maxwellMessage, was *maxwellTable) (*maxwellTable, error) {
	t := &maxwellTable{db: bytes.Clone(m.db), name: bytes.Clone(m.table)}
	t.own = ownShape{bytes.Clone(r.shape.types), bytes.Clone(r.shape.keys)}
	if m.own {
		return t, t.describeOwn()
	}
	t.keys = bytes.Clone(r.keyOf(m))
	def := r.defs[string(r.name)]
	switch {
	case was != nil && was.own.types == nil:
		t.columns = slices.Clone(was.columns)
	case def != nil:
		t.columns = slices.Clone(def.columns)
	}
	if _, _, err := t.learn(m.data); err != nil {
		return nil, err
	}
	t.index()
	if def != nil && len(def.keys) > 0 {
		return t, t.setKey(def.keys)
	}
	return t, t.setKey(t.keys)
}

// describeOwn takes the columns from what this program has written.
func (t *maxwellTable) describeOwn() (err error) {
	if t.columns, err = typesOf(t.own.types); err != nil {
		return err
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.Column, _, err = foreignColumn(c.Name, c.Native); err != nil {
			return fmt.Errorf("read types: %w", err)
		}
	}
	t.index()
	return t.setKey(t.own.keys)
}

// setKey finds the columns of the key: of a list, or of names that each begin with a zero
// byte. Record keys have them in lower case.
func (t *maxwellTable) setKey(names []byte) error {
	t.key = nil
	for i := range t.columns {
		if c := &t.columns[i]; c.key {
			c.key, c.Nullable = false, true
		}
	}
	add := func(name []byte) error {
		k := t.column(name, 0)
		for i := 0; k < 0 && i < len(t.columns); i++ {
			if strings.EqualFold(string(t.columns[i].name), string(name)) {
				k = i
			}
		}
		if k < 0 {
			return fmt.Errorf("column %s of the key is missing", name)
		}
		t.key = append(t.key, k)
		t.columns[k].key, t.columns[k].Nullable = true, false
		return nil
	}
	if len(names) > 0 && names[0] == 0 {
		for name := range bytes.SplitSeq(names[1:], []byte{0}) {
			if err := add(name); err != nil {
				return err
			}
		}
		return nil
	}
	if !present(names) {
		return nil
	}
	s := scanner{text: names}
	more, err := s.open('[', ']')
	for err == nil && more {
		var name []byte
		if name, _, err = s.str(); err != nil {
			break
		}
		if err = add(name); err == nil {
			more, err = s.more(']')
		}
	}
	if err != nil {
		return fmt.Errorf("read the names of the key: %w", err)
	}
	return nil
}

// sameKey reports whether a message tells of the key that the table has.
func (r *MaxwellReader) sameKey(t *maxwellTable, m *maxwellMessage) bool {
	return bytes.Equal(t.keys, r.keyOf(m))
}

// keyOf returns what a message of Maxwell's tells of the key, in the form that setKey takes.
func (r *MaxwellReader) keyOf(m *maxwellMessage) []byte {
	if m.keys != nil {
		return m.keys
	}
	r.pk = recordNames(r.pk[:0], m.recordKey)
	return r.pk
}

// recordNames appends the names of the key's columns that a record's key tells, each behind
// a zero byte: {"database":"d","table":"t","pk.id":1} or ["d","t",[{"id":1}]].
func recordNames(dst, key []byte) []byte {
	s := scanner{text: key}
	start := len(dst)
	var err error
	if s.peek() == '[' {
		dst, err = arrayNames(dst, &s)
	} else {
		dst, err = objectNames(dst, &s, "pk.")
	}
	if err != nil { // no key of Maxwell's
		return dst[:start]
	}
	return dst
}

// objectNames appends the names of an object's members that begin so, without that.
func objectNames(dst []byte, s *scanner, begin string) ([]byte, error) {
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		if _, err = s.skip(); err != nil {
			break
		}
		if rest, ok := bytes.CutPrefix(name, []byte(begin)); ok {
			dst = append(append(dst, 0), rest...)
		}
		more, err = s.more('}')
	}
	return dst, err
}

// arrayNames appends those of a key that is an array.
func arrayNames(dst []byte, s *scanner) ([]byte, error) {
	more, err := s.open('[', ']')
	for range 2 { // the names of database and table
		if err == nil && more {
			if _, err = s.skip(); err == nil {
				more, err = s.more(']')
			}
		}
	}
	if err != nil || !more {
		return dst, err
	}
	more, err = s.open('[', ']')
	for err == nil && more {
		if dst, err = objectNames(dst, s, ""); err == nil {
			more, err = s.more(']')
		}
	}
	return dst, err
}

// bind asks for the place of the table's rows.
func (r *MaxwellReader) bind(t *maxwellTable) error {
	return t.bind(r.to, t.db, t.name, func(c *objectColumn, as schema.Column, col batch.Column) bool {
		return maxwellRead(c, as, col, t.own.types != nil)
	})
}

// maxwellRead has a column be read, if it can be.
func maxwellRead(c *objectColumn, as schema.Column, col batch.Column, own bool) bool {
	c.text, c.bare, c.raw, c.jsonNull = nil, nil, false, false
	refuse := func(text []byte) error { return literal.Bad(text, strings.ToLower(as.Native)) }
	switch as.Type.Kind {
	case schema.JSON:
		c.raw, c.jsonNull = true, own
		b := col.(*batch.Bytes)
		c.bare = func(text []byte) error { b.Append(text); return nil }
		c.text = c.bare
		return true
	case schema.String, schema.Enum, schema.Set:
		b := col.(*batch.Bytes)
		c.text = func(text []byte) error { b.Append(text); return nil }
		var joined, scratch []byte
		c.bare = func(text []byte) error {
			var ok bool
			if joined, scratch, ok = joinLabels(joined[:0], scratch, text); ok {
				text = joined
			}
			b.Append(text)
			return nil
		}
		return true
	case schema.Binary, schema.Geometry:
		b := col.(*batch.Bytes)
		var stored []byte
		c.text = func(text []byte) (err error) {
			if stored, err = base64.StdEncoding.AppendDecode(stored[:0], text); err != nil {
				return literal.Bad(text, "base64")
			}
			b.Append(stored)
			return nil
		}
		c.bare = refuse
		return true
	case schema.Vector:
		b := col.(*batch.FloatList)
		c.text = refuse
		c.bare = func(text []byte) error {
			if text[0] != '[' {
				return refuse(text)
			}
			return vectorText(b, text)
		}
		return true
	}
	if read := timeRead(as, col); read != nil {
		c.text, c.bare = read, refuse
		return true
	}
	read := number(as, col)
	if read == nil {
		return false
	}
	c.text = read
	if as.Type.Kind == schema.Double && c.Guessed { // it may be a decimal
		c.text = func(text []byte) error {
			if !isDouble(text) {
				return literal.Bad(text, "number that a double holds exactly")
			}
			return read(text)
		}
	}
	c.bare = c.text
	return true
}

// joinLabels appends the labels of a SET, which are an array of texts, as MySQL writes
// them. Another value is not ok.
func joinLabels(dst, scratch, text []byte) (joined, newScratch []byte, ok bool) {
	if text[0] != '[' {
		return dst, scratch, false
	}
	s := scanner{text: text}
	more, err := s.open('[', ']')
	for n := 0; err == nil && more; n++ {
		if s.peek() != '"' {
			return dst, scratch, false
		}
		var label []byte
		var escaped bool
		if label, escaped, err = s.str(); err == nil && escaped {
			scratch, err = unescape(scratch[:0], label)
			label = scratch
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, label...)
		if err == nil {
			more, err = s.more(']')
		}
	}
	return dst, scratch, err == nil
}
