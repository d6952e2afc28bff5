package message

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A CanalReader reads canal-json, whether Canal, TiCDC or this program has written it.
// It is not for concurrent use.
type CanalReader struct {
	resends
	to     Target
	tables map[string][]*canalTable // by database, a zero byte, and name, as they stand in messages
	last   *canalTable              // most messages are of the table of the one before
	name   []byte                   // scratch
	text   []byte                   // scratch: of a string with escapes
	gtid   []byte                   // scratch

	sqlTypes []byte // of the last message
}

// NewCanalReader returns a CanalReader into to.
func NewCanalReader(to Target) *CanalReader {
	return &CanalReader{to: to, tables: make(map[string][]*canalTable)}
}

// A canalMessage is the members of a message that matter, as they stand there.
type canalMessage struct {
	db, table, typ                   []byte // between their quotes
	types, sqlTypes, keys, data, old []byte
	tidb, own                        []byte
	gtid, sql                        []byte // between their quotes
	es                               []byte // milliseconds
	ddl                              bool
	read                             bool // data has been read already
}

// present reports whether a member is there, and is not null or empty.
func present(text []byte) bool {
	switch string(text) {
	case "", "null", "{}", "[]":
		return false
	}
	return true
}

// shape returns what tells the columns' types.
func (m *canalMessage) shape() []byte {
	if present(m.types) {
		return m.types
	}
	return m.sqlTypes
}

// Decode implements Decoder.
func (r *CanalReader) Decode(_, value []byte) error {
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	if err := wholeText(value); err != nil {
		return err
	}
	for {
		if r.last != nil {
			r.last.mark()
		}
		err := r.message(value)
		if err == nil {
			return nil
		}
		t := r.last
		if t != nil {
			t.back()
		}
		var open *openError
		if !errors.As(err, &open) {
			return err
		}
		if err := r.learn(t, open); err != nil {
			return err
		}
	}
}

func (r *CanalReader) message(value []byte) error {
	m, err := r.split(value)
	if err != nil {
		return err
	}
	var tidb tidbChange
	if present(m.tidb) {
		if tidb, err = tidbOf(m.tidb); err != nil {
			return err
		}
		if tidb.partial {
			return errors.New("it holds a part of its row only, as it was too large (large-message-handle-option)")
		}
		r.watermark(tidb.watermark)
	}
	c, err := r.change(&m)
	if err != nil {
		return err
	}
	switch {
	case m.read:
		return r.finish(r.last, c, tidb)
	case string(m.typ) == "TRUNCATE":
		return r.emptied(&m, c)
	case m.ddl, isOther(m.typ):
		return nil // the next row brings the shape that it has led to
	case len(m.typ) == 0:
		return errors.New("it has no type, so it is no canal-json")
	case !isRow(m.typ):
		return fmt.Errorf("its type %.40q is not known", m.typ)
	case !present(m.data) && len(m.sql) > 0:
		return errors.New("it has a statement and no rows: the server's binlog_format is to be ROW")
	case !present(m.data):
		return errors.New("it has no rows")
	}
	t, err := r.table(&m)
	if err != nil || t.rows == nil || t.skip() {
		return err
	}
	s := scanner{text: m.data}
	if err := r.changes(t, &m, &s, len(value)); err != nil {
		return err
	}
	return r.finish(t, c, tidb)
}

// finish says what a message tells of the rows that were read of it, or drops those that
// have been sent before.
func (r *CanalReader) finish(t *canalTable, c Change, tidb tidbChange) error {
	if r.again(t.sent, tidb.commit) {
		t.back()
		return nil
	}
	t.rows.Tell(c)
	return nil
}

func (r *CanalReader) emptied(m *canalMessage, c Change) error {
	if len(m.table) == 0 {
		return errors.New("it names no table")
	}
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
	if present(m.es) {
		if c.Micros, err = literal.ParseInt(m.es); err != nil {
			return c, fmt.Errorf("read es: %w", err)
		}
		c.Micros *= 1000
	}
	if present(m.gtid) {
		r.gtid, err = unescape(r.gtid[:0], m.gtid)
		c.GTID = r.gtid
	}
	return c, err
}

func isRow(typ []byte) bool {
	switch string(typ) {
	case "INSERT", "UPDATE", "DELETE":
		return true
	}
	return false
}

// isOther reports whether a message is of what is neither row nor TRUNCATE: those are
// Canal's event types, and TiCDC's watermark.
func isOther(typ []byte) bool {
	switch string(typ) {
	case "CREATE", "ALTER", "ERASE", "QUERY", "RENAME", "CINDEX", "DINDEX", "GTID", "XACOMMIT", "XAROLLBACK", "MHEARTBEAT", "TIDB_WATERMARK":
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
		m.typ = upper(m.typ)
	case "mysqlType":
		m.types, err = s.again(r.lastTypes())
	case "sqlType":
		m.sqlTypes, err = r.againSQL(s)
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
	case "gtid":
		m.gtid, err = s.text0()
	case "sql":
		m.sql, err = s.text0()
	case "isDdl":
		var v []byte
		v, err = s.skip()
		m.ddl = string(v) == "true"
	case "data":
		if t := r.last; t != nil && t.wanted() && t.fits(m) {
			m.read = true
			return r.changes(t, m, s, len(s.text))
		}
		m.data, err = s.skip()
	default:
		_, err = s.skip()
	}
	return err
}

// againSQL takes sqlType, which is most likely that of the message before.
func (r *CanalReader) againSQL(s *scanner) ([]byte, error) {
	v, err := s.again(r.sqlTypes)
	if !bytes.Equal(v, r.sqlTypes) {
		r.sqlTypes = bytes.Clone(v)
	}
	return v, err
}

// upper returns a message's type as Canal writes it: some have it in lower case.
func upper(typ []byte) []byte {
	if len(typ) > 0 && typ[0] >= 'a' {
		return bytes.ToUpper(typ)
	}
	return typ
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
	return !m.ddl && isRow(m.typ) && (m.typ[0] != 'U' || m.old != nil) && t.is(m) && !t.over() && !t.skip()
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
			if err := t.update(&old, *data, &r.text); err != nil {
				return fmt.Errorf("read old: %w", err)
			}
			if hasOld, err = old.more(']'); err != nil {
				return fmt.Errorf("read old: %w", err)
			}
		}
		if err := t.row(data, nil, &r.text); err != nil {
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
