package binlog

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// wireTypes are the codes that a kind of column may have in a table map.
var wireTypes = map[schema.Kind][]byte{
	schema.TinyInt: {typeTiny}, schema.SmallInt: {typeShort}, schema.MediumInt: {typeInt24}, schema.Int: {typeLong}, schema.BigInt: {typeLongLong},
	schema.Float: {typeFloat}, schema.Double: {typeDouble}, schema.Decimal: {typeNewDecimal}, schema.Bit: {typeBit}, schema.Year: {typeYear},
	schema.Date: {typeDate, typeNewDate}, schema.DateTime: {typeDateTime2, typeDateTime}, schema.Timestamp: {typeTimestamp2, typeTimestamp},
	schema.Time: {typeTime2, typeTime},
	schema.Enum: {typeEnum}, schema.Set: {typeSet}, schema.JSON: {typeJSON}, schema.Geometry: {typeGeometry},
	schema.String: bytesTypes, schema.Binary: bytesTypes,
	schema.Vector: append([]byte{typeVector}, bytesTypes...), // MariaDB has it as VARBINARY
}

var bytesTypes = []byte{
	typeString, typeVarString, typeVarchar, typeBlob, typeTinyBlob, typeMediumBlob, typeLongBlob,
	typeBlobCompressed, typeVarcharCompressed,
}

// binaryCollation is the id of what says that bytes are no text.
const binaryCollation = 63

// checkMap compares a table map with the columns as they were listed. It returns
// the column that tells history from what is there now in a system-versioned
// table of MariaDB, -1 if there is none.
func checkMap(columns []schema.Column, m *TableMap, o *Options) (rowEnd int, err error) {
	if o.MariaDB && m.has(typeGeometry) && !m.readCharsets(true) {
		return 0, errMap
	}
	rowEnd, ok := -1, len(columns) == len(m.Columns)
	if o.MariaDB && !ok {
		rowEnd, ok = m.hidden(len(columns))
	}
	if !ok {
		return 0, fmt.Errorf("%d columns, %d were listed", len(m.Columns), len(columns))
	}
	if o.RowEnd != "" {
		rowEnd = slices.IndexFunc(columns, func(c schema.Column) bool { return c.Name == o.RowEnd })
	}
	for i := range columns {
		c, w := &columns[i], &m.Columns[i]
		if w.Name != "" && w.Name != c.Name {
			return 0, fmt.Errorf("column %d is %s, it was listed as %s", i+1, w.Name, c.Name)
		}
		if !slices.Contains(wireTypes[c.Type.Kind], w.Type) || !w.fits(c) {
			return 0, fmt.Errorf("column %s is %s, it was listed as %s", c.Name, w, c.Native)
		}
	}
	return rowEnd, nil
}

// hidden reports whether the columns from n on are those that MariaDB adds for
// itself: the two of a period of a system-versioned table, the second of which
// is returned, and then hashes of unique keys that are too long for an index.
func (m *TableMap) hidden(n int) (rowEnd int, ok bool) {
	if len(m.Columns) < n {
		return -1, false
	}
	rest, rowEnd := m.Columns[n:], -1
	if len(rest) >= 2 && rest[0].Type == typeTimestamp2 && rest[1].Type == typeTimestamp2 {
		if rest[0].Name != "" && (rest[0].Name != "row_start" || rest[1].Name != "row_end") {
			return -1, false
		}
		rest, rowEnd = rest[2:], n+1
	}
	for i := range rest {
		if rest[i].Type != typeLongLong || rest[i].Name != "" && !strings.HasPrefix(rest[i].Name, "DB_ROW_HASH_") {
			return -1, false
		}
	}
	return rowEnd, true
}

// current reports whether the end of a row's period is the end of time: the
// highest second of the server's timestamps and its last microsecond.
func current(end []byte) bool {
	if len(end) != 7 && len(end) != 8 {
		return false
	}
	if len(end) == 8 { // the number of a transaction
		return littleEndian(end) == math.MaxUint64
	}
	return end[0]|0x80 == 0xff && bigEndian(end[1:]) == 0xffffff0f423f
}

// fits reports whether two columns of alike types mean the same by their bytes.
func (col *MapColumn) fits(c *schema.Column) bool {
	t := &c.Type
	switch t.Kind {
	case schema.TinyInt, schema.SmallInt, schema.MediumInt, schema.Int, schema.BigInt:
		return !col.SignKnown || col.Unsigned == t.Unsigned
	case schema.String:
		return col.Charset != binaryCollation || c.Charset == "" || c.Charset == "binary"
	case schema.Binary:
		return col.Charset == 0 || col.Charset == binaryCollation
	}
	return col.fitsMeta(t)
}

// fitsMeta compares what a type has in parentheses, but for lengths.
func (col *MapColumn) fitsMeta(t *schema.Type) bool {
	switch t.Kind {
	case schema.Float:
		return col.Meta == 4
	case schema.Double:
		return col.Meta == 8
	case schema.Decimal:
		return int(col.Meta>>8) == t.Precision && int(col.Meta&0xff) == t.Scale && t.Scale <= t.Precision
	case schema.Bit:
		return int(col.Meta&0xff) == t.Precision
	case schema.DateTime, schema.Timestamp, schema.Time:
		old := col.Type == typeDateTime || col.Type == typeTimestamp || col.Type == typeTime // these do not tell
		return t.Precision <= 6 && (old || int(col.Meta) == t.Precision)
	case schema.Enum:
		return col.Meta == 1 || col.Meta == 2
	case schema.Set:
		return col.Meta >= 1 && col.Meta <= 8
	}
	return true
}

var wireNames = map[byte]string{
	typeTiny: "tinyint", typeShort: "smallint", typeLong: "int", typeFloat: "float", typeDouble: "double", typeTimestamp: "timestamp",
	typeLongLong: "bigint", typeInt24: "mediumint", typeDate: "date", typeTime: "time", typeDateTime: "datetime", typeYear: "year",
	typeNewDate: "date", typeVarchar: "varchar", typeBit: "bit", typeTimestamp2: "timestamp", typeDateTime2: "datetime", typeTime2: "time",
	typeBlobCompressed: "blob compressed", typeVarcharCompressed: "varchar compressed", typeVector: "vector", typeJSON: "json",
	typeNewDecimal: "decimal", typeEnum: "enum", typeSet: "set", typeTinyBlob: "tinyblob", typeMediumBlob: "mediumblob",
	typeLongBlob: "longblob", typeBlob: "blob", typeVarString: "varchar", typeString: "char", typeGeometry: "geometry",
}

// String names the type as far as a table map knows it.
func (col *MapColumn) String() string {
	var b strings.Builder
	if name, ok := wireNames[col.Type]; ok {
		b.WriteString(name)
	} else {
		fmt.Fprintf(&b, "type %d", col.Type)
	}
	switch col.Type {
	case typeNewDecimal:
		fmt.Fprintf(&b, "(%d,%d)", col.Meta>>8, col.Meta&0xff)
	case typeBit:
		fmt.Fprintf(&b, "(%d)", col.Meta&0xff)
	case typeVarchar, typeString, typeVarString, typeVarcharCompressed, typeTimestamp2, typeDateTime2, typeTime2:
		fmt.Fprintf(&b, "(%d)", col.Meta)
	}
	if col.SignKnown && col.Unsigned {
		b.WriteString(" unsigned")
	}
	if col.Charset == binaryCollation {
		b.WriteString(" of bytes")
	}
	return b.String()
}
