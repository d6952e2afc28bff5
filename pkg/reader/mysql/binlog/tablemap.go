package binlog

import (
	"encoding/binary"
	"errors"
)

// The protocol's codes of column types as they stand in table maps.
const (
	typeTiny              = 1
	typeShort             = 2
	typeLong              = 3
	typeFloat             = 4
	typeDouble            = 5
	typeTimestamp         = 7
	typeLongLong          = 8
	typeInt24             = 9
	typeDate              = 10
	typeTime              = 11
	typeDateTime          = 12
	typeYear              = 13
	typeNewDate           = 14
	typeVarchar           = 15
	typeBit               = 16
	typeTimestamp2        = 17
	typeDateTime2         = 18
	typeTime2             = 19
	typeBlobCompressed    = 140 // MariaDB
	typeVarcharCompressed = 141 // MariaDB
	typeVector            = 242
	typeJSON              = 245
	typeNewDecimal        = 246
	typeEnum              = 247
	typeSet               = 248
	typeTinyBlob          = 249
	typeMediumBlob        = 250
	typeLongBlob          = 251
	typeBlob              = 252
	typeVarString         = 253
	typeString            = 254
	typeGeometry          = 255
)

var errMap = errors.New("bad table map event")

// A MapColumn is a column as a table map describes it.
type MapColumn struct {
	Type byte // the real one: ENUM and SET, not the STRING that hides them
	// Meta is the length of strings in bytes, the bytes of a length before a
	// BLOB and its like, the bytes of an ENUM or SET, precision<<8 | scale of
	// DECIMAL, bytes<<8 | bits of BIT, and the fractional digits of times.
	Meta      uint16
	Nullable  bool
	Unsigned  bool
	SignKnown bool     // Unsigned was told
	Charset   uint64   // id of the collation; 0 if not told or not text
	Name      string   // "" if not told
	Labels    [][]byte // of ENUM and SET, in the column's charset; nil if not told
}

// A TableMap says which table the row events of an id are of, and how its
// columns lie in them.
type TableMap struct {
	ID         uint64
	DB, Name   string
	Columns    []MapColumn
	PrimaryKey []int // indexes into Columns; nil if not told (binlog_row_metadata is not FULL) or none

	charsets    []byte // of text columns, as they came
	charsetKind byte   // optDefaultCharset, optColumnCharset, or 0 if not told
}

// TableID returns the table's id from the body of a table map or rows event.
func TableID(body []byte) uint64 {
	if len(body) < 6 {
		return 0
	}
	return uint64(binary.LittleEndian.Uint32(body)) | uint64(binary.LittleEndian.Uint16(body[4:]))<<32
}

// A cursor reads fields off a body. Once it has run out, all it reads is zero.
type cursor struct {
	p   []byte
	bad bool
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.p)) {
		c.p, c.bad = nil, true
		return nil
	}
	v := c.p[:n:n]
	c.p = c.p[n:]
	return v
}

// bytes returns the next n bytes; no length may be negative.
func (c *cursor) bytes(n int) []byte {
	return c.take(uint64(n)) // a negative one is more than there is
}

// uint reads a number of n bytes.
func (c *cursor) uint(n int) uint64 { return littleEndian(c.bytes(n)) }

func (c *cursor) uint8() uint8   { return uint8(c.uint(1)) }
func (c *cursor) uint16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) uint32() uint32 { return uint32(c.uint(4)) }
func (c *cursor) uint64() uint64 { return c.uint(8) }

// lenenc reads a length-encoded integer.
func (c *cursor) lenenc() uint64 {
	b := c.uint8()
	if b < 0xfb {
		return uint64(b)
	}
	var n uint64
	switch b {
	case 0xfc:
		n = 2
	case 0xfd:
		n = 3
	case 0xfe:
		n = 8
	default:
		c.p, c.bad = nil, true
		return 0
	}
	var v uint64
	for i, x := range c.take(n) {
		v |= uint64(x) << (8 * i)
	}
	return v
}

// ParseTableMap reads the body of a TABLE_MAP_EVENT, which is what lies between
// its header of 19 bytes and its checksum. The source of the format is the
// comment of Table_map_event in MySQL's rows_event.h.
func ParseTableMap(body []byte) (*TableMap, error) {
	c := cursor{p: body}
	m := &TableMap{ID: TableID(body)}
	c.take(8) // id and flags
	m.DB = string(c.take(c.lenenc()))
	c.take(1)
	m.Name = string(c.take(c.lenenc()))
	c.take(1)
	types := c.take(c.lenenc())
	meta := cursor{p: c.take(c.lenenc())}
	nulls := c.take(uint64(len(types)+7) / 8)
	if c.bad {
		return nil, errMap
	}
	m.Columns = make([]MapColumn, len(types))
	for i := range m.Columns {
		col := &m.Columns[i]
		col.Type, col.Nullable = types[i], nulls[i>>3]&(1<<(i&7)) != 0
		col.readMeta(&meta)
	}
	var seen [256]bool
	for len(c.p) > 0 && !c.bad {
		kind := c.uint8()
		if seen[kind] {
			return nil, errMap
		}
		seen[kind] = true
		field := cursor{p: c.take(c.lenenc())}
		m.option(kind, &field)
		c.bad = c.bad || field.bad
	}
	if c.bad || meta.bad || !m.readCharsets(false) {
		return nil, errMap
	}
	return m, nil
}

func (col *MapColumn) readMeta(c *cursor) {
	switch col.Type {
	case typeFloat, typeDouble, typeTinyBlob, typeBlob, typeMediumBlob, typeLongBlob, typeBlobCompressed,
		typeJSON, typeGeometry, typeVector, typeTimestamp2, typeDateTime2, typeTime2:
		col.Meta = uint16(c.uint8())
	case typeVarchar, typeVarcharCompressed:
		col.Meta = c.uint16()
	case typeBit: // bits beyond whole bytes, whole bytes
		bits, whole := c.uint8(), c.uint8()
		n := min(uint16(whole)*8+uint16(bits), 255)
		col.Meta = (n+7)/8<<8 | n
	case typeNewDecimal:
		precision, scale := c.uint8(), c.uint8()
		col.Meta = uint16(precision)<<8 | uint16(scale)
	case typeString, typeVarString, typeEnum, typeSet:
		real, length := c.uint8(), uint16(c.uint8())
		// Two bits of a length above 255 hide, inverted, in the type's byte.
		if real&0x30 != 0x30 {
			length |= uint16(real&0x30^0x30) << 4
			real |= 0x30
		}
		col.Type, col.Meta = real, length
	}
}
