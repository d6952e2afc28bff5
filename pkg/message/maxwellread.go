package message

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A MaxwellReader reads maxwell-json, whether Maxwell or this program has written it.
// It is not for concurrent use.
//
// Maxwell tells no types with its rows. They are taken from its messages of DDL statements,
// where it writes those, and else made out from the values: see guess. Either way they are
// Guessed, so that a table that is there already keeps its own.
type MaxwellReader struct {
	to     Target
	tables map[string]*maxwellTable // by database, a zero byte, and name, as they stand in messages
	last   *maxwellTable            // most messages are of the table of the one before
	defs   map[string]*maxwellTable // as a statement has left them, without a place for rows

	name, text, own, pos, pk []byte // scratch
	shape                    ownShape
}

// An ownShape is what this program tells of a table in each of its messages.
type ownShape struct {
	types, keys []byte
}

// NewMaxwellReader returns a MaxwellReader into to.
func NewMaxwellReader(to Target) *MaxwellReader {
	return &MaxwellReader{to: to, tables: make(map[string]*maxwellTable), defs: make(map[string]*maxwellTable)}
}

// A maxwellMessage is the members of a message that matter, as they stand there.
type maxwellMessage struct {
	db, table, typ []byte // between their quotes
	data, old, def []byte
	keys           []byte // primary_key_columns
	recordKey      []byte
	ts             []byte // seconds
	gtid, position []byte // between their quotes
	offset         []byte // xoffset
	change         Change
	own            bool // change and the reader's shape are from the message
	encrypted      bool
	read           bool // data has been read already
}

// Decode implements Decoder.
func (r *MaxwellReader) Decode(key, value []byte) error {
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	if err := wholeText(value); err != nil {
		return err
	}
	if r.last != nil {
		r.last.mark()
	}
	err := r.message(key, value)
	if err != nil && r.last != nil {
		r.last.back()
	}
	return err
}

func (r *MaxwellReader) message(key, value []byte) error {
	m := maxwellMessage{recordKey: key}
	r.shape = ownShape{}
	s := scanner{text: value}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err == nil {
			err = r.member(&m, &s, name)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return err
	}
	if m.encrypted || len(m.data) > 0 && m.data[0] == '"' {
		return hint.Wrap(errors.New("its data is encrypted"), "have Maxwell write without encrypt")
	}
	if !m.own {
		if err := r.foreignChange(&m); err != nil {
			return err
		}
	}
	if m.read {
		r.last.rows.Tell(m.change)
		return nil
	}
	if len(m.typ) > 0 && len(m.table) == 0 && (isChange(m.typ) || string(m.typ) == "table-truncate") {
		return errors.New("it names no table")
	}
	return r.act(&m, len(value))
}

// act does what a message tells.
func (r *MaxwellReader) act(m *maxwellMessage, size int) error {
	switch string(m.typ) {
	case "insert", "bootstrap-insert", "update", "delete":
		return r.rows(m, size)
	case "table-truncate": // ours: Maxwell passes over it
		db, err := unescape(nil, m.db)
		if err != nil {
			return err
		}
		table, err := unescape(nil, m.table)
		if err != nil {
			return err
		}
		return r.to.Emptied(string(db), string(table), m.change)
	case "table-create", "table-alter":
		return r.define(m)
	case "table-drop":
		return r.forget(m)
	case "bootstrap-start", "bootstrap-complete", "database-create", "database-alter", "database-drop", "heartbeat":
		return nil
	case "":
		return errors.New("it has no type, so it is no maxwell-json")
	}
	return fmt.Errorf("its type %.40q is not known", m.typ)
}

func isChange(typ []byte) bool {
	switch string(typ) {
	case "insert", "bootstrap-insert", "update", "delete":
		return true
	}
	return false
}

// rows reads the row of a message.
func (r *MaxwellReader) rows(m *maxwellMessage, size int) error {
	if !present(m.data) {
		return errors.New("it has no data")
	}
	t, err := r.table(m)
	if err != nil || !t.wanted() || t.skip() {
		return err
	}
	err = r.row(t, m, size)
	if err != nil && !m.own {
		t, err = r.wider(t, m, size, err)
	}
	if err == nil {
		t.rows.Tell(m.change)
	}
	return err
}

// row appends the change of a message.
func (r *MaxwellReader) row(t *maxwellTable, m *maxwellMessage, size int) error {
	data := scanner{text: m.data}
	if m.typ[0] == 'u' && present(m.old) {
		old := scanner{text: m.old}
		if err := t.update(&old, data, &r.text); err != nil {
			return fmt.Errorf("read old: %w", err)
		}
	}
	return r.data(t, m.typ, &data, size)
}

// data appends the row of an object.
func (r *MaxwellReader) data(t *maxwellTable, typ []byte, s *scanner, size int) error {
	if err := t.row(s, nil, &r.text); err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	op := batch.Insert
	switch typ[0] {
	case 'u':
		op = batch.After
	case 'd':
		op = batch.Delete
	}
	t.rows.End(op, size)
	return nil
}

// member takes one member.
func (r *MaxwellReader) member(m *maxwellMessage, s *scanner, name []byte) (err error) {
	switch string(name) {
	case "database":
		m.db, err = s.text0()
	case "table":
		m.table, err = s.text0()
	case "type":
		m.typ, err = s.text0()
	case "ts":
		m.ts, err = s.skip()
	case "xoffset":
		m.offset, err = s.skip()
	case "gtid":
		m.gtid, err = s.text0()
	case "position":
		m.position, err = s.text0()
	case "primary_key_columns":
		m.keys, err = s.skip()
	case "_tablehaul":
		err = r.ownMembers(m, s)
	case "encrypted":
		m.encrypted = true
		_, err = s.skip()
	case "def":
		m.def, err = s.skip()
	case "old":
		m.old, err = s.skip()
	case "data":
		at := s.at
		if t := r.last; r.fits(t, m) {
			if err = r.data(t, m.typ, s, len(s.text)); err == nil {
				m.read = true
				return nil
			}
			t.back() // it may have a shape of its own
			s.at = at
		}
		m.data, err = s.skip()
	default:
		_, err = s.skip()
	}
	return err
}

// ownMembers takes what this program tells of the change and of the table.
func (r *MaxwellReader) ownMembers(m *maxwellMessage, s *scanner) error {
	var last ownShape
	if r.last != nil {
		last = r.last.own
	}
	m.own, m.change, r.own = true, Change{Once: true}, r.own[:0]
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		switch string(name) {
		case "types":
			r.shape.types, err = s.again(last.types)
		case "keys":
			r.shape.keys, err = s.again(last.keys)
		default:
			err = m.change.member(s, name, &r.own)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return fmt.Errorf("read _tablehaul: %w", err)
	}
	return nil
}

// foreignChange reads what Maxwell tells of a change.
func (r *MaxwellReader) foreignChange(m *maxwellMessage) (err error) {
	c := &m.change
	c.Stock = string(m.typ) == "bootstrap-insert"
	if present(m.ts) {
		if c.Micros, err = literal.ParseInt(m.ts); err != nil {
			return fmt.Errorf("read ts: %w", err)
		}
		c.Micros *= literal.SecondMicros
	}
	if present(m.gtid) {
		if r.own, err = unescape(r.own[:0], m.gtid); err != nil {
			return fmt.Errorf("read gtid: %w", err)
		}
		c.GTID = r.own
	}
	c.Pos = r.position(m)
	return nil
}

// position returns where in the log a change was, as a changelog has it; nil if that is
// not told. Maxwell tells of the file and the offset, and counts the rows of a transaction.
func (r *MaxwellReader) position(m *maxwellMessage) []byte {
	at := bytes.LastIndexByte(m.position, ':')
	if at < 0 || bytes.IndexByte(m.position, '\\') >= 0 {
		return nil
	}
	offset, row := m.position[at+1:], m.offset
	if literal.Digits(offset) < 0 || literal.Digits(row) < 0 {
		return nil
	}
	r.pos = append(append(r.pos[:0], m.position[:at]...), ':')
	r.pos = append(padded(r.pos, offset, 20), ':')
	r.pos = padded(r.pos, row, 8)
	return r.pos
}
