package message

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// canalShapes is how many shapes of a table are kept: some are told of by turns, as of
// deletes that have the key alone.
const canalShapes = 8

// A canalTable is one table as messages have described it.
type canalTable struct {
	db, name []byte // as they stand in messages
	types    []byte // mysqlType, or sqlType where there is none
	keys     []byte // pkNames
	foreign  bool   // another program describes it
	sent     *[]uint64
	objectTable
}

func (t *canalTable) is(m *canalMessage) bool {
	return bytes.Equal(t.name, m.table) && bytes.Equal(t.db, m.db) && bytes.Equal(t.keys, m.keys) && t.has(m.shape())
}

// has reports whether the table's types are these. TiCDC tells of columns in another order
// with each message.
func (t *canalTable) has(types []byte) bool {
	if bytes.Equal(t.types, types) {
		return true
	}
	if len(t.types) != len(types) {
		return false
	}
	s := scanner{text: types}
	n := 0
	more, err := s.open('{', '}')
	for err == nil && more {
		var name, native []byte
		if name, err = s.key(); err != nil {
			break
		}
		if native, err = s.text0(); err != nil {
			break
		}
		if k := t.column(name, n); k < 0 || !bytes.Equal(t.columns[k].native, native) {
			return false
		}
		n++
		more, err = s.more('}')
	}
	return err == nil && n == len(t.columns)
}

// table returns the table of a message, whose shape may be another than it was.
func (r *CanalReader) table(m *canalMessage) (*canalTable, error) {
	if r.last != nil && r.last.is(m) && !r.last.over() {
		return r.last, nil
	}
	r.name = append(append(append(r.name[:0], m.db...), 0), m.table...)
	shapes := r.tables[string(r.name)]
	at := slices.IndexFunc(shapes, func(t *canalTable) bool { return t.is(m) })
	if at < 0 || shapes[at].over() {
		r.last = nil // its rows may be taken on now, and nothing has come of this message
		t, err := describe(m)
		if err != nil {
			return nil, err
		}
		t.sent = new([]uint64)
		if len(shapes) > 0 {
			t.sent = shapes[0].sent
		}
		if at >= 0 { // what values have told of it stands
			t.columns = shapes[at].columns
		}
		if err := t.peek(m.data); err != nil {
			return nil, err
		}
		if err := r.bind(t); err != nil {
			return nil, err
		}
		switch {
		case at >= 0:
			shapes[at] = t
		case len(shapes) < canalShapes:
			shapes = append(shapes, t)
		default:
			shapes = append(shapes[1:len(shapes):len(shapes)], t)
		}
		r.tables[string(r.name)] = shapes
		at = slices.Index(shapes, t)
	}
	r.last = shapes[at]
	r.last.mark()
	return r.last, nil
}

// describe makes a table of what a message says of it.
func describe(m *canalMessage) (*canalTable, error) {
	if len(m.table) == 0 {
		return nil, errors.New("it names no table")
	}
	t := &canalTable{db: bytes.Clone(m.db), name: bytes.Clone(m.table), types: bytes.Clone(m.shape()), keys: bytes.Clone(m.keys), foreign: m.own == nil}
	var err error
	if t.columns, err = canalColumns(m); err != nil {
		return nil, err
	}
	t.index()
	if err := t.readKeys(); err != nil {
		return nil, fmt.Errorf("read pkNames: %w", err)
	}
	for _, k := range t.key {
		t.columns[k].Nullable, t.columns[k].key = false, true
	}
	return t, nil
}

// canalColumns reads the columns of a message, in the order of sqlType if that has all of
// them: TiCDC has mysqlType in none.
func canalColumns(m *canalMessage) ([]objectColumn, error) {
	if !present(m.types) && !present(m.sqlTypes) {
		return nil, errors.New("it tells no types: it has neither mysqlType nor sqlType")
	}
	columns, err := typesOf(m.shape())
	if err != nil {
		return nil, err
	}
	for i := range columns {
		c := &columns[i]
		native := c.Native
		if !present(m.types) {
			code, err := literal.ParseInt(c.native)
			known := err == nil
			if known {
				native, known = sqlNative(code)
			}
			if !known {
				return nil, fmt.Errorf("read sqlType: column %s has the type %.20s, which is not known", c.Name, c.native)
			}
		}
		if c.Column, c.open, err = foreignColumn(c.Name, native); err != nil {
			return nil, fmt.Errorf("read mysqlType: %w", err)
		}
		c.Guessed = c.Guessed || !present(m.types)
	}
	if !present(m.types) || !present(m.sqlTypes) {
		return columns, nil
	}
	order, err := typesOf(m.sqlTypes)
	if err != nil || len(order) != len(columns) {
		return columns, err
	}
	for i, o := range order {
		at := slices.IndexFunc(columns[i:], func(c objectColumn) bool { return bytes.Equal(c.name, o.name) })
		if at < 0 {
			break
		}
		c := columns[i+at]
		copy(columns[i+1:], columns[i:i+at])
		columns[i] = c
	}
	return columns, nil
}

// typesOf reads an object of columns and their types. Native is the type's text.
func typesOf(text []byte) (columns []objectColumn, err error) {
	s := scanner{text: text}
	more, err := s.open('{', '}')
	for err == nil && more {
		var c objectColumn
		var raw, name, native []byte
		if raw, err = s.key(); err != nil {
			break
		}
		c.name = bytes.Clone(raw)
		if name, err = unescape(nil, raw); err != nil {
			break
		}
		if raw, err = s.text0(); err != nil {
			break
		}
		c.native = bytes.Clone(raw)
		if native, err = unescape(nil, raw); err != nil {
			break
		}
		c.Name, c.Native = string(name), string(native)
		columns = append(columns, c)
		more, err = s.more('}')
	}
	if err != nil {
		return nil, fmt.Errorf("read types: %w", err)
	}
	return columns, nil
}

func (t *canalTable) readKeys() error {
	if !present(t.keys) {
		return nil
	}
	s := scanner{text: t.keys}
	more, err := s.open('[', ']')
	for err == nil && more {
		var name []byte
		if name, _, err = s.str(); err != nil {
			break
		}
		k := t.column(name, 0)
		if k < 0 {
			return fmt.Errorf("there is no column %s", name)
		}
		t.key = append(t.key, k)
		more, err = s.more(']')
	}
	return err
}

// peek has the values of a message's first row tell what is open of the columns.
func (t *canalTable) peek(data []byte) error {
	for i := range t.columns {
		c := &t.columns[i]
		if !c.open {
			continue
		}
		s := scanner{text: data}
		if !s.next('[') {
			return s.fail("[")
		}
		v, err := member(s, c.name)
		if err == nil && present(v) {
			s := scanner{text: v}
			if v, err = s.text0(); err == nil {
				err = c.learn(v)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// learn has a value tell the type of its column.
func (c *objectColumn) learn(value []byte) error {
	native, err := decimalOf(value)
	if err != nil {
		return fmt.Errorf("column %s: %w", c.Name, err)
	}
	nullable := c.Nullable
	if c.Column, _, err = foreignColumn(c.Name, native); err != nil {
		return err
	}
	c.Nullable, c.Guessed, c.open = nullable, true, false
	return nil
}

// bind asks for the place of the table's rows.
func (r *CanalReader) bind(t *canalTable) error {
	return t.bind(r.to, t.db, t.name, func(c *objectColumn, as schema.Column, col batch.Column) bool {
		c.text = canalRead(as, col, t.foreign)
		return c.text != nil
	})
}

// learn has a value tell the type of a column, with which the table has another shape.
func (r *CanalReader) learn(t *canalTable, e *openError) error {
	r.last = nil
	err := e.column.learn(e.value)
	if err == nil {
		err = r.bind(t)
	}
	if err != nil { // it is described anew by its next message
		key := string(t.db) + "\x00" + string(t.name)
		r.tables[key] = slices.DeleteFunc(r.tables[key], func(o *canalTable) bool { return o == t })
		return err
	}
	r.last = t
	return nil
}

// canalRead returns how a column is read, nil if it cannot be.
func canalRead(c schema.Column, col batch.Column, foreign bool) readFunc {
	switch c.Type.Kind {
	case schema.Enum, schema.Set:
		return ordinalRead(c, col.(*batch.Bytes))
	case schema.String, schema.JSON:
		b := col.(*batch.Bytes)
		return func(text []byte) error { b.Append(text); return nil }
	case schema.Binary, schema.Geometry:
		return binaryRead(c, col.(*batch.Bytes))
	case schema.Vector:
		read := vectorRead(col.(*batch.FloatList))
		if !foreign {
			return read
		}
		return func(text []byte) error { // TiDB writes it as text
			if len(text) > 0 && text[0] == '[' {
				return vectorText(col.(*batch.FloatList), text)
			}
			return read(text)
		}
	}
	if read := timeRead(c, col); read != nil {
		return read
	}
	return number(c, col)
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
			return literal.Bad(text, "geometry")
		}
		b.Append(stored[skip:])
		return nil
	}
}
