package message

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A CanalReader reads canal-json, whether Canal, TiCDC or this program has written it.
// It is not for concurrent use.
type CanalReader struct {
	to     Target
	tables map[string]*canalTable
	last   *canalTable // most messages are of the table of the one before
	name   []byte      // scratch
	text   []byte      // scratch: of a string with escapes
	gtid   []byte      // scratch

	sqlTypes []byte // of the last message
}

// NewCanalReader returns a CanalReader into to.
func NewCanalReader(to Target) *CanalReader {
	return &CanalReader{to: to, tables: make(map[string]*canalTable)}
}

// A canalTable is one table as its last message has described it.
type canalTable struct {
	db, name []byte // as they stand in messages
	types    []byte // mysqlType
	keys     []byte // pkNames
	columns  []canalColumn
	key      []int
	rows     *Rows  // nil: they are not wanted
	filled   []bool // scratch: columns of the row at hand

	before mark // where the message at hand began
}

type canalColumn struct {
	name []byte // as it stands in messages
	read readFunc
	null func()
}

// A canalMessage is the members of a message that matter, as they stand there.
type canalMessage struct {
	db, table, typ         []byte // between their quotes
	types, keys, data, old []byte
	tidb, own              []byte
	es                     []byte // milliseconds
	ddl                    bool
	read                   bool // data has been read already
}

// Decode implements Decoder.
func (r *CanalReader) Decode(_, value []byte) error {
	if len(value) == 0 {
		return nil
	}
	if r.last.wanted() {
		r.last.before = r.last.rows.Into.mark()
	}
	err := r.message(value)
	if t := r.last; err != nil && t.wanted() {
		t.rows.Into.back(t.before)
	}
	return err
}

// wanted reports whether there is a place for the table's rows.
func (t *canalTable) wanted() bool { return t != nil && t.rows != nil }

func (r *CanalReader) message(value []byte) error {
	m, err := r.split(value)
	if err != nil {
		return err
	}
	if bytes.Contains(m.tidb, []byte(`"onlyHandleKey":true`)) || bytes.Contains(m.tidb, []byte(`"claimCheckLocation"`)) {
		return errors.New("it holds a part of its row only, as it was too large (large-message-handle-option)")
	}
	c, err := r.change(&m)
	if err != nil {
		return err
	}
	switch typ := string(m.typ); {
	case m.read:
		r.last.rows.Tell(c)
		return nil
	case typ == "TRUNCATE":
		return r.emptied(&m, c)
	case m.ddl, typ == "TIDB_WATERMARK":
		return nil // the next row brings the shape that it has led to
	case typ == "":
		return errors.New("it has no type, so it is no canal-json")
	case !isRow(m.typ):
		return fmt.Errorf("its type %.40q is not known", m.typ)
	}
	t, err := r.table(&m)
	if err != nil || t.rows == nil || t.skip() {
		return err
	}
	s := scanner{text: m.data}
	if err := r.changes(t, &m, &s, len(value)); err != nil {
		return err
	}
	t.rows.Tell(c)
	return nil
}

// skip reports whether the message at hand is left out.
func (t *canalTable) skip() bool { return t.rows.Skip != nil && t.rows.Skip() }

func (r *CanalReader) emptied(m *canalMessage, c Change) error {
	db, err := unescape(nil, m.db)
	if err != nil {
		return err
	}
	table, err := unescape(nil, m.table)
	if err != nil {
		return err
	}
	return r.to.Emptied(string(db), string(table), c)
}

// change reads what a message tells of its change.
func (r *CanalReader) change(m *canalMessage) (c Change, err error) {
	if m.own != nil {
		return ownChange(m.own, &r.gtid)
	}
	if len(m.es) > 0 {
		if c.Micros, err = parseInt(m.es); err != nil {
			return c, fmt.Errorf("read es: %w", err)
		}
		c.Micros *= 1000
	}
	return c, nil
}

func isRow(typ []byte) bool {
	switch string(typ) {
	case "INSERT", "UPDATE", "DELETE":
		return true
	}
	return false
}

// split finds the members of a message. Rows that come behind all that is to be known of
// them are read on the way.
func (r *CanalReader) split(value []byte) (m canalMessage, err error) {
	s := scanner{text: value}
	more, err := s.open('{', '}')
	for err == nil && more {
		var key []byte
		if key, err = s.key(); err == nil {
			err = r.member(&m, &s, key)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err == nil {
		err = s.end()
	}
	return m, err
}

// member takes one member.
func (r *CanalReader) member(m *canalMessage, s *scanner, key []byte) (err error) {
	switch string(key) {
	case "database":
		m.db, err = s.text0()
	case "table":
		m.table, err = s.text0()
	case "type":
		m.typ, err = s.text0()
	case "mysqlType":
		m.types, err = s.again(r.lastTypes())
	case "sqlType":
		var v []byte
		if v, err = s.again(r.sqlTypes); !bytes.Equal(v, r.sqlTypes) {
			r.sqlTypes = bytes.Clone(v)
		}
	case "pkNames":
		m.keys, err = s.skip()
	case "old":
		m.old, err = s.skip()
	case "_tidb":
		m.tidb, err = s.skip()
	case "_tablehaul":
		m.own, err = s.skip()
	case "es":
		m.es, err = s.skip()
	case "isDdl":
		var v []byte
		v, err = s.skip()
		m.ddl = string(v) == "true"
	case "data":
		if t := r.last; t.wanted() && t.fits(m) && !t.rows.Into.Over && !t.skip() {
			m.read = true
			return r.changes(t, m, s, len(s.text))
		}
		m.data, err = s.skip()
	default:
		_, err = s.skip()
	}
	return err
}

func (r *CanalReader) lastTypes() []byte {
	if r.last == nil {
		return nil
	}
	return r.last.types
}

// fits reports whether the message is of the table, and all has come that says what its
// data means.
func (t *canalTable) fits(m *canalMessage) bool {
	return !m.ddl && isRow(m.typ) && (m.typ[0] != 'U' || m.old != nil) && t.is(m)
}

func (t *canalTable) is(m *canalMessage) bool {
	return bytes.Equal(t.name, m.table) && bytes.Equal(t.db, m.db) && bytes.Equal(t.types, m.types) && bytes.Equal(t.keys, m.keys)
}

// table returns the table of a message, whose shape may be another than it was.
func (r *CanalReader) table(m *canalMessage) (*canalTable, error) {
	if r.last != nil && r.last.is(m) && !r.last.over() {
		return r.last, nil
	}
	r.name = append(append(append(r.name[:0], m.db...), 0), m.table...)
	t := r.tables[string(r.name)]
	if t == nil || !t.is(m) || t.over() {
		r.last = nil // its rows may be taken on now, and nothing has come of this message
		var err error
		if t, err = r.describe(m); err != nil {
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

// over reports whether the place of the table's rows is another by now.
func (t *canalTable) over() bool { return t.rows != nil && t.rows.Into.Over }

// describe makes a table of what a message says of it.
func (r *CanalReader) describe(m *canalMessage) (*canalTable, error) {
	t := &canalTable{db: bytes.Clone(m.db), name: bytes.Clone(m.table), types: bytes.Clone(m.types), keys: bytes.Clone(m.keys)}
	var columns []schema.Column
	s := scanner{text: m.types}
	more, err := s.open('{', '}')
	for err == nil && more {
		var raw, native []byte
		if raw, err = s.key(); err != nil {
			break
		}
		if native, err = r.string(&s); err != nil {
			break
		}
		c := schema.Column{Native: string(native), Nullable: true}
		if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
			break
		}
		c.Arrow = c.Type.Arrow()
		var name []byte
		if name, err = unescape(nil, raw); err != nil {
			break
		}
		c.Name = string(name)
		columns = append(columns, c)
		t.columns = append(t.columns, canalColumn{name: bytes.Clone(raw)})
		more, err = s.more('}')
	}
	if err != nil {
		return nil, fmt.Errorf("read mysqlType: %w", err)
	}
	if err := t.readKeys(); err != nil {
		return nil, fmt.Errorf("read pkNames: %w", err)
	}
	for _, k := range t.key {
		columns[k].Nullable = false
	}
	db, err := unescape(nil, t.db)
	if err != nil {
		return nil, err
	}
	name, err := unescape(nil, t.name)
	if err != nil {
		return nil, err
	}
	shape := schema.New(string(db), string(name), columns, t.key)
	if t.rows, err = r.to.Rows(shape); err != nil || t.rows == nil {
		return t, err
	}
	for i := range columns {
		c, col := t.rows.Column(i)
		read := canalRead(c, col)
		if read == nil {
			return nil, fmt.Errorf("column %s: canal-json has no %s", c.Name, c.Native)
		}
		t.columns[i].read, t.columns[i].null = read, col.Null
	}
	t.filled = make([]bool, len(columns))
	return t, nil
}

func (t *canalTable) readKeys() error {
	if len(t.keys) == 0 || string(t.keys) == "null" {
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

// column finds a column by its name, which is most likely that at guess.
func (t *canalTable) column(name []byte, guess int) int {
	if guess < len(t.columns) && bytes.Equal(t.columns[guess].name, name) {
		return guess
	}
	for i := range t.columns {
		if bytes.Equal(t.columns[i].name, name) {
			return i
		}
	}
	return -1
}

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
	if err := r.fill(t, s); err != nil {
		return err
	}
	if rest != nil {
		if err := r.fill(t, rest); err != nil {
			return err
		}
	}
	for i, ok := range t.filled {
		if !ok {
			t.columns[i].null()
		}
	}
	return nil
}

// fill appends those of an object's values whose columns have none yet.
func (r *CanalReader) fill(t *canalTable, s *scanner) error {
	more, err := s.open('{', '}')
	for i := 0; err == nil && more; i++ {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		k := t.column(name, i)
		if k < 0 || t.filled[k] {
			_, err = s.skip() // a column that mysqlType does not tell of
		} else {
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
		return c.read(text)
	}
	text, err := s.skip()
	if err != nil {
		return err
	}
	if string(text) == "null" {
		c.null()
		return nil
	}
	if strings.IndexByte("{[", text[0]) >= 0 {
		return badValue(text, "value of a column")
	}
	return c.read(text)
}

// canalRead returns how a column is read, nil if it cannot be.
func canalRead(c schema.Column, col batch.Column) readFunc {
	switch c.Type.Kind {
	case schema.Enum, schema.Set:
		return ordinalRead(c, col.(*batch.Bytes))
	case schema.String, schema.JSON:
		b := col.(*batch.Bytes)
		return func(text []byte) error { b.Append(text); return nil }
	case schema.Binary, schema.Geometry:
		return binaryRead(c, col.(*batch.Bytes))
	case schema.Vector:
		return vectorRead(col.(*batch.FloatList))
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
			return badValue(text, "geometry")
		}
		b.Append(stored[skip:])
		return nil
	}
}
