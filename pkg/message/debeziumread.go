package message

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A DebeziumReader reads debezium-json, whether a connector of Debezium or this program
// has written it, with the schemas of Kafka Connect's JsonConverter or without. It is not
// for concurrent use.
//
// What a column holds is told by _tablehaul, or by the schema, or, without either, by the
// values: integers are BIGINT, other numbers DOUBLE, objects and arrays JSON, and what has
// never held anything is no column yet.
type DebeziumReader struct {
	to      Target
	tables  map[string]*debeziumTable
	last    *debeziumTable // most messages are of the table of the one before
	schemas schemaCache
	keys    keyReader
	name    []byte // scratch
	text    []byte // scratch: of a string with escapes
	own     []byte // scratch: of _tablehaul
	pos     []byte // scratch
}

// NewDebeziumReader returns a DebeziumReader into to.
func NewDebeziumReader(to Target) *DebeziumReader {
	return &DebeziumReader{to: to, tables: make(map[string]*debeziumTable)}
}

// A debeziumMessage is the members of a message that matter, as they stand there.
type debeziumMessage struct {
	schema        *connectSchema // nil: it has none
	op            []byte
	before, after []byte
	types, keys   []byte // of _tablehaul
	own           bool
	change        Change
	src           debeziumSource
	other         bool // it is of no row: a heartbeat, a transaction, a change of a schema
	strange       bool // it has a member that none of these has
	flat          bool // it is a row without an envelope
	empty         bool // it has a schema and nothing else
	read          bool // its row has been read already
	size          int
}

// A debeziumSource is the members of a message's source that matter.
type debeziumSource struct {
	connector, db, schema, table []byte
	snapshot, gtid, file         []byte
	pos, row, millis, micros     []byte
}

// Decode implements Decoder.
func (r *DebeziumReader) Decode(key, value []byte) error {
	if len(value) == 0 {
		return nil // a tombstone, behind the delete that says all
	}
	for _, text := range [][]byte{value, key} {
		if err := wholeText(text); err != nil {
			return err
		}
	}
	if r.last.wanted() {
		r.last.before = r.last.rows.Into.mark()
	}
	err := r.message(key, value)
	if t := r.last; err != nil && t.wanted() {
		t.rows.Into.back(t.before)
	}
	return err
}

func (r *DebeziumReader) message(key, value []byte) error {
	if string(value) == "null" { // a tombstone too, as a converter may write it
		return nil
	}
	m := debeziumMessage{size: len(value)}
	s := scanner{text: value}
	if err := r.members(&m, &s, true); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if !m.own {
		if err := r.foreign(&m); err != nil {
			return err
		}
	}
	switch op := string(m.op); {
	case m.read:
		r.last.rows.Tell(m.change)
		return nil
	case m.empty:
		return nil
	case op == "":
		if m.other && !m.strange {
			return nil
		}
		if m.flat {
			return errFlat
		}
		return errors.New("it has no op, so it is no debezium-json")
	case op == "m": // of PostgreSQL, for who listens
		return nil
	case op == "t":
		return r.emptied(&m)
	case len(op) != 1 || !isRowOp(op[0]):
		return fmt.Errorf("its op %.40q is not known", m.op)
	}
	return r.row(&m, key)
}

func isRowOp(op byte) bool { return op == 'c' || op == 'r' || op == 'u' || op == 'd' }

// members takes the members of a message, or of its payload.
func (r *DebeziumReader) members(m *debeziumMessage, s *scanner, top bool) error {
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		switch string(name) {
		case "schema":
			if top {
				m.schema, err = r.schemas.take(s)
			} else {
				_, err = s.skip()
			}
		case "payload":
			switch {
			case !top:
				_, err = s.skip()
			case s.peek() == '{':
				err = r.members(m, s, false)
			default:
				m.empty = true
				_, err = s.skip()
			}
		default:
			err = r.member(m, s, name)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	return err
}

// member takes one member of an envelope. A row that comes behind all that is to be known
// of it is read on the way.
func (r *DebeziumReader) member(m *debeziumMessage, s *scanner, name []byte) (err error) {
	switch string(name) {
	case "before":
		if r.last.fits(m) && m.op[0] == 'd' {
			return r.last.oneRow(r, m, s, batch.Delete)
		}
		m.before, err = s.skip()
	case "after":
		if r.last.fits(m) {
			switch {
			case m.op[0] == 'c' || m.op[0] == 'r':
				return r.last.oneRow(r, m, s, batch.Insert)
			case m.op[0] == 'u' && !r.last.rows.Old(): // none of this program's changes a key
				return r.last.oneRow(r, m, s, batch.After)
			}
		}
		m.after, err = s.skip()
	case "op":
		m.op, err = s.text0()
	case "source":
		err = m.src.read(s)
	case "_tablehaul":
		m.own = true
		err = r.ownMembers(m, s)
	case "ddl", "tableChanges", "status", "event_count", "ts_ms":
		m.other = true
		_, err = s.skip()
	case "__op", "__deleted", "__table":
		m.flat = true
		_, err = s.skip()
	case "transaction", "ts_us", "ts_ns", "id", "data_collections", "databaseName", "schemaName":
		_, err = s.skip()
	default:
		m.strange = true
		_, err = s.skip()
	}
	return err
}

// Of a row that has lost its envelope nobody can tell when it was deleted: that is a
// message without a value, which may stand behind a delete as well.
var errFlat = hint.Wrap(errors.New("it is a row without its envelope"), "take the transformation ExtractNewRecordState out of the connector: what it leaves out is needed")

// ownMembers takes _tablehaul.
func (r *DebeziumReader) ownMembers(m *debeziumMessage, s *scanner) error {
	m.change = Change{Once: true}
	r.own = r.own[:0]
	var types, keys []byte
	if r.last != nil {
		types, keys = r.last.types, r.last.keys
	}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		switch string(name) {
		case "types":
			m.types, err = s.again(types)
		case "keys":
			m.keys, err = s.again(keys)
		default:
			err = m.change.member(s, name, &r.own)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err == nil && m.types == nil {
		err = errors.New("it has no types")
	}
	if err != nil {
		return fmt.Errorf("read _tablehaul: %w", err)
	}
	return nil
}

// read takes the source of a message.
func (o *debeziumSource) read(s *scanner) error {
	more, err := s.open('{', '}')
	for err == nil && more {
		var name, v []byte
		if name, err = s.key(); err != nil {
			break
		}
		if v, err = s.text0(); err != nil {
			break
		}
		if string(v) == "null" {
			v = nil
		}
		switch string(name) {
		case "connector":
			o.connector = v
		case "db":
			o.db = v
		case "schema":
			o.schema = v
		case "table", "collection":
			o.table = v
		case "snapshot":
			o.snapshot = v
		case "gtid":
			o.gtid = v
		case "file":
			o.file = v
		case "pos":
			o.pos = v
		case "row":
			o.row = v
		case "ts_ms":
			o.millis = v
		case "ts_us":
			o.micros = v
		}
		more, err = s.more('}')
	}
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	return nil
}

// place is the database and the table of a message. A connector whose databases have
// schemas, as PostgreSQL's, tells of them as well: they stand for the database.
func (o *debeziumSource) place() (db, table []byte) {
	if len(o.schema) > 0 {
		return o.schema, o.table
	}
	return o.db, o.table
}

// foreign makes the change of a message that this program has not written.
func (r *DebeziumReader) foreign(m *debeziumMessage) (err error) {
	o, c := &m.src, &m.change
	c.Stock = string(m.op) == "r"
	switch {
	case c.Stock:
		return nil
	case o.micros != nil:
		c.Micros, err = literal.ParseInt(o.micros)
	case o.millis != nil:
		c.Micros, err = literal.ParseInt(o.millis)
		c.Micros *= 1000
	}
	if err != nil {
		return fmt.Errorf("read the time of its source: %w", err)
	}
	c.GTID = o.gtid
	if len(o.file) == 0 || bytes.IndexByte(o.file, '\\') >= 0 {
		return nil
	}
	b := append(append(r.pos[:0], o.file...), ':')
	b = append(padded(b, o.pos, 20), ':')
	r.pos = padded(b, o.row, 8)
	c.Pos = r.pos
	return nil
}

// padded appends digits with zeros before them.
func padded(b, digits []byte, width int) []byte {
	for n := len(digits); n < width; n++ {
		b = append(b, '0')
	}
	return append(b, digits...)
}

func (r *DebeziumReader) emptied(m *debeziumMessage) error {
	db, table := m.src.place()
	if table == nil {
		return errNoTable
	}
	name := func(raw []byte) string {
		text, err := unescape(nil, raw)
		if err != nil {
			return string(raw)
		}
		return string(text)
	}
	return r.to.Emptied(name(db), name(table), m.change)
}

var errNoTable = errors.New("it does not tell its table: its source has none")

// row reads what a message says of a row.
func (r *DebeziumReader) row(m *debeziumMessage, key []byte) error {
	for again := false; ; again = true {
		t, err := r.table(m, key, again)
		if err != nil || t.rows == nil || t.skip() {
			return err
		}
		err = t.change(r, m)
		if !errors.Is(err, errWider) || again {
			if err == nil {
				t.rows.Tell(m.change)
			}
			return err
		}
		t.rows.Into.back(t.before)
	}
}

// change appends the rows of a message.
func (t *debeziumTable) change(r *DebeziumReader, m *debeziumMessage) error {
	before, after := scanner{text: m.before}, scanner{text: m.after}
	switch m.op[0] {
	case 'd':
		s, rest := &before, (*scanner)(nil)
		if r.keys.row != nil { // some tell of the key alone, or there only
			rest = &scanner{text: r.keys.row}
		}
		if before.isNull() {
			if s, rest = rest, nil; s == nil {
				return errors.New("it tells nothing of the row that was deleted")
			}
		}
		if err := t.append(r, s, rest); err != nil {
			return fmt.Errorf("read before: %w", err)
		}
		t.rows.End(batch.Delete, m.size)
		return nil
	case 'u':
		moved := false
		if !before.isNull() {
			var err error
			if moved = t.rows.Old(); !moved {
				if moved, err = t.moved(before, after); err != nil {
					return err
				}
			}
		}
		if moved {
			if err := t.append(r, &before, nil); err != nil {
				return fmt.Errorf("read before: %w", err)
			}
			t.rows.End(batch.Before, 0)
		}
		return t.oneRow(r, m, &after, batch.After)
	}
	return t.oneRow(r, m, &after, batch.Insert)
}

// oneRow appends the row that comes next.
func (t *debeziumTable) oneRow(r *DebeziumReader, m *debeziumMessage, s *scanner, op batch.Op) error {
	if s.isNull() {
		return errors.New("it has no row")
	}
	if err := t.append(r, s, nil); err != nil {
		return fmt.Errorf("read the row: %w", err)
	}
	t.rows.End(op, m.size)
	m.read = true
	return nil
}

// moved reports whether an update has changed the key.
func (t *debeziumTable) moved(before, after scanner) (bool, error) {
	for _, k := range t.key {
		was, err := member(before, t.columns[k].name)
		if err != nil {
			return false, err
		}
		if was == nil || string(was) == "null" {
			continue
		}
		is, err := member(after, t.columns[k].name)
		if err != nil || !bytes.Equal(was, is) {
			return true, err
		}
	}
	return false, nil
}

// isNull reports whether nothing, or null, comes next.
func (s *scanner) isNull() bool {
	c := s.peek()
	return c == 0 || c == 'n'
}

// append appends an object's values. What it lacks is taken from the object at rest, if
// there is one, else it is NULL.
func (t *debeziumTable) append(r *DebeziumReader, s, rest *scanner) error {
	clear(t.filled)
	if err := t.fill(r, s, rest != nil); err != nil {
		return err
	}
	if rest != nil {
		if err := t.fill(r, rest, false); err != nil {
			return err
		}
	}
	for i, ok := range t.filled {
		if !ok {
			if err := t.columns[i].null(); err != nil {
				return fmt.Errorf("column %s: %w", t.columns[i].name, err)
			}
		}
	}
	return nil
}

// fill appends those of an object's values whose columns have none yet; nulls are left for
// what comes behind, if leave.
func (t *debeziumTable) fill(r *DebeziumReader, s *scanner, leave bool) error {
	more, err := s.open('{', '}')
	for i := 0; err == nil && more; i++ {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		k := t.column(name, i)
		switch c := s.peek(); {
		case k < 0:
			var v []byte
			if v, err = s.skip(); err == nil && t.inferred && string(v) != "null" {
				err = errWider // a column that is new
			}
		case t.filled[k], leave && c == 'n':
			_, err = s.skip()
		default:
			t.filled[k] = true
			err = t.columns[k].value(r, s)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		more, err = s.more('}')
	}
	return err
}

// What PostgreSQL's connector puts in the place of a large value that an update has not
// changed, and that in base64.
const (
	unavailable      = "__debezium_unavailable_value"
	unavailableBytes = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
)

var errUnavailable = hint.Wrap(errors.New("its value is not told, as it has not changed"), "at the source: ALTER TABLE … REPLICA IDENTITY FULL")

// value appends one value.
func (c *debeziumColumn) value(r *DebeziumReader, s *scanner) error {
	if s.peek() == '"' {
		raw, escaped, err := s.str()
		if err != nil {
			return err
		}
		if escaped {
			if r.text, err = unescape(r.text[:0], raw); err != nil {
				return err
			}
			raw = r.text
		}
		if c.foreign && (string(raw) == unavailable || string(raw) == unavailableBytes) {
			return errUnavailable
		}
		return c.read(raw, true)
	}
	text, err := s.skip()
	if err != nil {
		return err
	}
	if string(text) == "null" {
		return c.null()
	}
	return c.read(text, false)
}
