package message

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A debeziumTable is one table as its last message has described it.
type debeziumTable struct {
	db, name []byte // as they stand in messages
	// What describes the columns: types and keys of _tablehaul, as they stand there, or the
	// schema and the names of the record's key. Without a schema these alone: the columns
	// are inferred from their values.
	types, keys []byte
	schema      *connectSchema
	keyNames    [][]byte
	own         bool
	inferred    bool

	shape   []schema.Column
	wires   []wire
	columns []debeziumColumn
	key     []int
	rows    *Rows  // nil: they are not wanted
	filled  []bool // scratch: columns of the row at hand

	before mark // where the message at hand began
}

type debeziumColumn struct {
	name    []byte
	odd     bool // messages have escapes in the name
	foreign bool
	read    tokenFunc
	null    func() error
}

// wanted reports whether there is a place for the table's rows.
func (t *debeziumTable) wanted() bool { return t != nil && t.rows != nil }

// skip reports whether the message at hand is left out.
func (t *debeziumTable) skip() bool { return t.rows.Skip != nil && t.rows.Skip() }

// over reports whether the place of the table's rows is another by now.
func (t *debeziumTable) over() bool { return t.rows != nil && t.rows.Into.Over }

// fits reports whether all has come that says what the row that comes next means, and
// that it is of this table.
func (t *debeziumTable) fits(m *debeziumMessage) bool {
	return t.wanted() && m.own && !m.read && len(m.op) == 1 && t.is(m, nil) && !t.over() && !t.skip()
}

func (t *debeziumTable) is(m *debeziumMessage, keys [][]byte) bool {
	db, table := m.src.place()
	if !bytes.Equal(t.name, table) || !bytes.Equal(t.db, db) || t.own != m.own {
		return false
	}
	if m.own {
		return (t.schema != nil) == (m.schema != nil) && bytes.Equal(t.types, m.types) && bytes.Equal(t.keys, m.keys)
	}
	return t.schema == m.schema && slices.EqualFunc(t.keyNames, keys, bytes.Equal)
}

// table returns the table of a message, whose shape may be another than it was. If wider,
// its values do not fit into the one that is known.
func (r *DebeziumReader) table(m *debeziumMessage, key []byte, wider bool) (*debeziumTable, error) {
	r.keys.row, r.keys.names = nil, r.keys.names[:0]
	if !m.own {
		if err := r.keys.read(key); err != nil {
			return nil, fmt.Errorf("read its key: %w", err)
		}
	}
	if r.last != nil && r.last.is(m, r.keys.names) && !r.last.over() && !wider {
		return r.last, nil
	}
	db, name := m.src.place()
	if name == nil {
		return nil, errNoTable
	}
	r.name = append(append(append(r.name[:0], db...), 0), name...)
	t := r.tables[string(r.name)]
	if t == nil || !t.is(m, r.keys.names) || t.over() || wider {
		r.last = nil // its rows may be taken on now, and nothing has come of this message
		var err error
		if t, err = r.describe(m, t); err != nil {
			return nil, err
		}
		r.tables[string(r.name)] = t
	}
	r.last = t
	if t.wanted() {
		t.before = t.rows.Into.mark()
	}
	return t, nil
}

// describe makes a table of what a message says of it, and of what it was.
func (r *DebeziumReader) describe(m *debeziumMessage, was *debeziumTable) (*debeziumTable, error) {
	db, name := m.src.place()
	t := &debeziumTable{db: bytes.Clone(db), name: bytes.Clone(name), own: m.own, schema: m.schema}
	var err error
	switch {
	case m.own:
		t.types, t.keys = bytes.Clone(m.types), bytes.Clone(m.keys)
		err = t.readOwn()
	case m.schema != nil:
		err = t.readSchema(string(m.src.connector))
	default:
		t.inferred = true
		err = t.infer(m, was)
	}
	if err != nil {
		return nil, err
	}
	if !m.own {
		for _, k := range r.keys.names {
			t.keyNames = append(t.keyNames, bytes.Clone(k))
		}
		if err := t.findKey(); err != nil {
			return nil, err
		}
	}
	for _, k := range t.key {
		t.shape[k].Nullable = false
	}
	return t, t.bind(r.to)
}

// bind has the table's rows go into what the Target has for them.
func (t *debeziumTable) bind(to Target) error {
	db, err := unescape(nil, t.db)
	if err != nil {
		return err
	}
	name, err := unescape(nil, t.name)
	if err != nil {
		return err
	}
	if t.rows, err = to.Rows(schema.New(string(db), string(name), t.shape, t.key)); err != nil || t.rows == nil {
		return err
	}
	t.columns = make([]debeziumColumn, len(t.shape))
	for i, shape := range t.shape {
		c, col := t.rows.Column(i)
		d := &t.columns[i]
		d.foreign = !t.own
		d.name, d.odd = []byte(c.Name), string(literal.AppendJSON(nil, c.Name)) != `"`+c.Name+`"`
		if t.inferred {
			d.read = inferredRead(c, col)
		} else {
			d.read = debeziumRead(t.wires[i], c, col)
		}
		if d.read == nil {
			return fmt.Errorf("column %s: there is no way from %s as it is in messages into %s", c.Name, shape.Native, c.Arrow)
		}
		d.null = func() error { col.Null(); return nil }
		if slices.Contains(t.key, i) {
			d.null = func() error { return errNullKey }
		}
	}
	t.filled = make([]bool, len(t.shape))
	return nil
}

var errNullKey = errors.New("it is of the key and has no value")

// readOwn reads what _tablehaul tells of the columns and of the key.
func (t *debeziumTable) readOwn() error {
	s := scanner{text: t.types}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name, native []byte
		if name, err = s.key(); err == nil {
			native, _, err = s.str()
		}
		if err == nil {
			err = t.ownColumn(name, native)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return fmt.Errorf("read types: %w", err)
	}
	if len(t.keys) == 0 {
		return nil
	}
	s = scanner{text: t.keys}
	more, err = s.open('[', ']')
	for err == nil && more {
		var raw, name []byte
		if raw, _, err = s.str(); err != nil {
			break
		}
		if name, err = unescape(nil, raw); err != nil {
			break
		}
		k := slices.IndexFunc(t.shape, func(c schema.Column) bool { return c.Name == string(name) })
		if k < 0 {
			return fmt.Errorf("read keys: there is no column %s", name)
		}
		t.key = append(t.key, k)
		more, err = s.more(']')
	}
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	return nil
}

func (t *debeziumTable) ownColumn(rawName, rawNative []byte) error {
	name, err := unescape(nil, rawName)
	if err != nil {
		return err
	}
	native, err := unescape(nil, rawNative)
	if err != nil {
		return err
	}
	c, err := columnOf(string(name), string(native))
	if err != nil {
		return err
	}
	t.shape, t.wires = append(t.shape, c), append(t.wires, ownWire(c, t.schema != nil))
	return nil
}

// columnOf makes a column of a MySQL type.
func columnOf(name, native string) (schema.Column, error) {
	c := schema.Column{Name: name, Native: native, Nullable: true}
	var err error
	if c.Type, err = schema.ParseMySQL(native); err != nil {
		return c, err
	}
	c.Arrow = c.Type.Arrow()
	return c, nil
}

// findKey finds the columns that the record's key names.
func (t *debeziumTable) findKey() error {
	for _, raw := range t.keyNames {
		name, err := unescape(nil, raw)
		if err != nil {
			return fmt.Errorf("read its key: %w", err)
		}
		k := slices.IndexFunc(t.shape, func(c schema.Column) bool { return c.Name == string(name) })
		if k < 0 {
			return fmt.Errorf("its key names a column %s that its row has not", name)
		}
		t.key = append(t.key, k)
	}
	return nil
}

// column finds a column by its name as it stands in a message, which is most likely that
// at guess.
func (t *debeziumTable) column(name []byte, guess int) int {
	if guess < len(t.columns) && bytes.Equal(t.columns[guess].name, name) && !t.columns[guess].odd {
		return guess
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		text, err := unescape(nil, name)
		if err != nil {
			return -1
		}
		name = text
	}
	for i := range t.columns {
		if bytes.Equal(t.columns[i].name, name) {
			return i
		}
	}
	return -1
}

// A keyReader finds what a record's key holds.
type keyReader struct {
	row    []byte   // the object that holds the key's columns; nil: there is none
	names  [][]byte // of these, as they stand there
	schema []byte   // of the last key that had one
}

// read takes a key, which may be one with a schema.
func (k *keyReader) read(key []byte) error {
	if len(key) == 0 || string(key) == "null" {
		return nil
	}
	k.row = key
	payload, err := k.members()
	if err == nil && payload != nil {
		k.row = payload
		_, err = k.members()
	}
	return err
}

// members finds the names of the members of row. It returns the payload, if row is one
// with a schema.
func (k *keyReader) members() (payload []byte, err error) {
	k.names = k.names[:0]
	if string(k.row) == "null" {
		k.row = nil
		return nil, nil
	}
	s := scanner{text: k.row}
	more, err := s.open('{', '}')
	hasSchema := false
	for err == nil && more {
		var name, v []byte
		if name, err = s.key(); err != nil {
			break
		}
		if v, err = s.again(k.schema); err != nil {
			break
		}
		switch {
		case string(name) == "schema" && len(k.names) == 0 && (v[0] == '{' || v[0] == 'n'):
			hasSchema = true
			if !bytes.Equal(k.schema, v) {
				k.schema = bytes.Clone(v)
			}
			k.names = append(k.names, name)
		case string(name) == "payload" && len(k.names) == 1 && hasSchema:
			payload = v
		case bytes.HasPrefix(name, []byte("__dbz__")): // which of the tables that share a topic it is
		default:
			payload = nil
			k.names = append(k.names, name)
		}
		more, err = s.more('}')
	}
	if err == nil {
		err = s.end()
	}
	return payload, err
}
