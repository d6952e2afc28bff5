package binlog

import (
	"fmt"
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

// checkMap compares a table map with the columns as they were listed.
func checkMap(columns []schema.Column, m *TableMap) error {
	if len(columns) != len(m.Columns) {
		return fmt.Errorf("%d columns, %d were listed", len(m.Columns), len(columns))
	}
	for i := range columns {
		c, w := &columns[i], &m.Columns[i]
		if w.Name != "" && w.Name != c.Name {
			return fmt.Errorf("column %d is %s, it was listed as %s", i+1, w.Name, c.Name)
		}
		if !slices.Contains(wireTypes[c.Type.Kind], w.Type) || !w.fits(c) {
			return fmt.Errorf("column %s is %s, it was listed as %s", c.Name, w, c.Native)
		}
	}
	return nil
}

// fits reports whether two columns of alike types mean the same by their bytes.
func (col *MapColumn) fits(c *schema.Column) bool {
	t := &c.Type
	switch t.Kind {
	case schema.TinyInt, schema.SmallInt, schema.MediumInt, schema.Int, schema.BigInt:
		return !col.SignKnown || col.Unsigned == t.Unsigned
	case schema.Float:
		return col.Meta == 4
	case schema.Double:
		return col.Meta == 8
	case schema.Decimal:
		return int(col.Meta>>8) == t.Precision && int(col.Meta&0xff) == t.Scale
	case schema.Bit:
		return int(col.Meta&0xff) == t.Precision
	case schema.DateTime, schema.Timestamp, schema.Time:
		old := col.Type == typeDateTime || col.Type == typeTimestamp || col.Type == typeTime // these do not tell
		return t.Precision <= 6 && (old || int(col.Meta) == t.Precision)
	case schema.String:
		return col.Charset != binaryCollation || c.Charset == "" || c.Charset == "binary"
	case schema.Binary:
		return col.Charset == 0 || col.Charset == binaryCollation
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
