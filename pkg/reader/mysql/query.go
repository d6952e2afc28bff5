package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A wireColumn is what a column definition packet says that matters here.
type wireColumn struct {
	typ      byte
	unsigned bool
	length   uint32 // of BIT: its width
}

// A statement is a prepared SELECT whose rows are being read. The binary
// protocol is used throughout: it costs the server a quarter to a half less on
// typed columns and the same on strings, and FLOAT arrives with its exact bits.
type statement struct {
	c       *conn
	id      uint32
	columns []wireColumn
	done    bool // the last row or an error has been seen
}

// execute prepares and runs a SELECT without parameters. Rows follow by next.
func (c *conn) execute(q string) (*statement, error) {
	s := &statement{c: c}
	if err := s.prepare(q); err != nil {
		return nil, err
	}
	// COM_STMT_EXECUTE: statement, no cursor, one iteration.
	body := make([]byte, headerLen+10)
	body[headerLen] = mysql.COM_STMT_EXECUTE
	binary.LittleEndian.PutUint32(body[headerLen+1:], s.id)
	body[headerLen+6] = 1
	if err := s.command(body); err != nil {
		return nil, err
	}
	p, err := s.packet()
	if err != nil {
		return nil, err
	}
	n, end := lenenc(p, 0)
	if end < 0 || n == 0 {
		return nil, errors.New("the server answered a SELECT without columns")
	}
	if s.columns, err = s.readColumns(n); err != nil {
		return nil, err
	}
	c.bulk.setBulk(true)
	return s, nil
}

// prepare sends COM_STMT_PREPARE and reads its answer.
func (s *statement) prepare(q string) error {
	body := make([]byte, headerLen+1+len(q))
	body[headerLen] = mysql.COM_STMT_PREPARE
	copy(body[headerLen+1:], q)
	if err := s.command(body); err != nil {
		return err
	}
	p, err := s.packet()
	if err != nil {
		return err
	}
	if len(p) < 9 || p[0] != mysql.OK_HEADER {
		return errors.New("bad answer to a prepare")
	}
	s.id = binary.LittleEndian.Uint32(p[1:])
	for _, n := range []int{int(binary.LittleEndian.Uint16(p[7:])), int(binary.LittleEndian.Uint16(p[5:]))} {
		if _, err := s.readColumns(n); err != nil {
			return err
		}
	}
	return nil
}

func (s *statement) command(body []byte) error {
	s.c.ResetSequence()
	s.c.packets.begin()
	return s.c.WritePacket(body)
}

// packet returns the next packet, or the error that it holds.
func (s *statement) packet() ([]byte, error) {
	p, err := s.c.packets.next()
	if err != nil {
		return nil, err
	}
	if len(p) == 0 {
		return nil, errors.New("empty packet")
	}
	if p[0] == mysql.ERR_HEADER {
		s.done = true
		return nil, asError(p)
	}
	return p, nil
}

// readColumns reads n column definitions (Protocol::ColumnDefinition41) and the
// EOF behind them.
func (s *statement) readColumns(n int) ([]wireColumn, error) {
	if n == 0 {
		return nil, nil
	}
	cols := make([]wireColumn, n)
	for i := range cols {
		p, err := s.packet()
		if err != nil {
			return nil, err
		}
		at := 0
		for range 6 { // catalog, schema, table, original table, name, original name
			if _, at = lenencBytes(p, at); at < 0 {
				return nil, errors.New("bad column definition")
			}
		}
		// A length byte (MariaDB may put more before it), charset (2), length (4), type, flags (2), decimals.
		if len(p) < at+13 {
			return nil, errors.New("bad column definition")
		}
		fixed := p[len(p)-13:]
		flags := binary.LittleEndian.Uint16(fixed[8:])
		cols[i] = wireColumn{typ: fixed[7], unsigned: flags&mysql.UNSIGNED_FLAG != 0, length: binary.LittleEndian.Uint32(fixed[3:])}
	}
	p, err := s.packet()
	if err == nil && !isEOF(p) {
		err = errors.New("no end behind the column definitions")
	}
	return cols, err
}

// next returns the payload of the next row, or nil after the last one.
func (s *statement) next() ([]byte, error) {
	p, err := s.c.packets.next()
	if err != nil {
		return nil, err
	}
	if len(p) > 0 && p[0] == mysql.OK_HEADER {
		return p, nil
	}
	s.done = true
	s.c.bulk.setBulk(false)
	if isEOF(p) {
		return nil, nil
	}
	if err := asError(p); err != nil {
		return nil, err
	}
	return nil, errors.New("a packet that is neither row nor end")
}

// close frees the statement at the server. It must not be called in the middle
// of the rows.
func (s *statement) close() error {
	s.c.packets.trim()
	body := make([]byte, headerLen+5)
	body[headerLen] = mysql.COM_STMT_CLOSE
	binary.LittleEndian.PutUint32(body[headerLen+1:], s.id)
	s.c.ResetSequence()
	return s.c.WritePacket(body) // the server does not answer
}

// wireTypes are the protocol's types that a kind may arrive as.
var wireTypes = map[schema.Kind][]byte{
	schema.TinyInt: {mysql.MYSQL_TYPE_TINY}, schema.SmallInt: {mysql.MYSQL_TYPE_SHORT},
	schema.MediumInt: {mysql.MYSQL_TYPE_INT24}, schema.Int: {mysql.MYSQL_TYPE_LONG}, schema.BigInt: {mysql.MYSQL_TYPE_LONGLONG},
	schema.Float: {mysql.MYSQL_TYPE_FLOAT}, schema.Double: {mysql.MYSQL_TYPE_DOUBLE},
	schema.Decimal: {mysql.MYSQL_TYPE_NEWDECIMAL}, schema.Bit: {mysql.MYSQL_TYPE_BIT}, schema.Year: {mysql.MYSQL_TYPE_YEAR},
	schema.Date:      {mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE},
	schema.DateTime:  {mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_DATETIME2},
	schema.Timestamp: {mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_TIMESTAMP2},
	schema.Time:      {mysql.MYSQL_TYPE_TIME, mysql.MYSQL_TYPE_TIME2},
}

// fixedWidth are the protocol's types that are not sent as length-encoded bytes.
var fixedWidth = []byte{
	mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_LONGLONG,
	mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_DOUBLE, mysql.MYSQL_TYPE_YEAR, mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE,
	mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_TIMESTAMP2,
	mysql.MYSQL_TYPE_TIME, mysql.MYSQL_TYPE_TIME2,
}

// signed are the kinds whose bytes mean another number where the sign is mistaken.
var signed = map[schema.Kind]bool{schema.TinyInt: true, schema.SmallInt: true, schema.MediumInt: true, schema.Int: true, schema.BigInt: true}

// checkColumns compares what the server sends with what the table was listed
// as: an ALTER between the two would else shift or misread values.
func checkColumns(t *schema.Table, cols []wireColumn) error {
	if len(cols) != len(t.Columns) {
		return fmt.Errorf("the server sends %d columns, %d were listed", len(cols), len(t.Columns))
	}
	for i, c := range t.Columns {
		want, listed := wireTypes[c.Type.Kind]
		w := cols[i]
		if listed != slices.Contains(want, w.typ) || !listed && slices.Contains(fixedWidth, w.typ) {
			return fmt.Errorf("column %s was listed as %s, the server sends type %d", c.Name, c.Native, w.typ)
		}
		if signed[c.Type.Kind] && w.unsigned != c.Type.Unsigned || c.Type.Kind == schema.Bit && int(w.length) != c.Type.Precision {
			return fmt.Errorf("column %s was listed as %s, which is not what the server sends", c.Name, c.Native)
		}
	}
	return nil
}
