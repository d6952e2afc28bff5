package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// A Kind is what a MySQL or MariaDB column holds, as far as decoding it goes.
type Kind uint8

// The kinds of column. Integers differ in width because the binary protocol and
// the binlog send them at their width.
const (
	TinyInt Kind = iota + 1
	SmallInt
	MediumInt
	Int
	BigInt
	Float
	Double
	Decimal
	Bit
	Year
	Date
	DateTime
	Timestamp
	Time
	String // text of any charset, and types that travel as text
	Binary
	Enum
	Set
	JSON
	Geometry
	Vector
)

// A Type is a column's type with what decoding needs of its declaration.
type Type struct {
	Kind     Kind
	Unsigned bool
	// Precision is DECIMAL's digits, BIT's width, and the fractional digits of
	// DATETIME, TIMESTAMP and TIME.
	Precision int
	Scale     int      // DECIMAL's fractional digits
	Labels    []string // of ENUM and SET, in order
}

var kinds = map[string]Kind{
	"tinyint": TinyInt, "smallint": SmallInt, "mediumint": MediumInt, "int": Int, "integer": Int, "bigint": BigInt,
	"float": Float, "double": Double, "decimal": Decimal, "bit": Bit,
	"year": Year, "date": Date, "datetime": DateTime, "timestamp": Timestamp, "time": Time,
	"char": String, "varchar": String, "tinytext": String, "text": String, "mediumtext": String, "longtext": String,
	"uuid": String, "inet4": String, "inet6": String, "xmltype": String,
	"binary": Binary, "varbinary": Binary, "tinyblob": Binary, "blob": Binary, "mediumblob": Binary, "longblob": Binary,
	"enum": Enum, "set": Set, "json": JSON, "vector": Vector,
	"geometry": Geometry, "point": Geometry, "linestring": Geometry, "polygon": Geometry, "multipoint": Geometry,
	"multilinestring": Geometry, "multipolygon": Geometry, "geometrycollection": Geometry, "geomcollection": Geometry,
}

// ParseMySQL reads a type as information_schema.columns.column_type prints it.
func ParseMySQL(native string) (Type, error) {
	name, args, attrs := splitType(native)
	k, ok := kinds[name]
	if !ok {
		return Type{}, fmt.Errorf("type %q is not known", native)
	}
	t := Type{Kind: k, Unsigned: strings.Contains(attrs, "unsigned")}
	var nums [2]int
	if k == Enum || k == Set {
		t.Labels = parseLabels(args)
		return t, nil
	}
	for i, a := range strings.SplitN(args, ",", 2) {
		nums[i], _ = strconv.Atoi(strings.TrimSpace(a)) // "" and what is no number mean "not given"
	}
	switch k {
	case Decimal:
		t.Precision, t.Scale = nums[0], nums[1]
		if t.Precision == 0 {
			t.Precision = 10
		}
	case Bit:
		t.Precision = max(nums[0], 1)
	case DateTime, Timestamp, Time, Vector:
		t.Precision = nums[0]
	}
	return t, nil
}

// splitType cuts "decimal(10,2) unsigned /* note */" into its name, what is in
// the parentheses, and the rest. Labels may hold parentheses, so the last one
// that closes counts.
func splitType(native string) (name, args, attrs string) {
	s := strings.TrimSpace(native)
	end := strings.IndexAny(s, "( ")
	if end < 0 {
		return strings.ToLower(s), "", ""
	}
	name, rest := strings.ToLower(s[:end]), s[end:]
	if rest[0] == '(' {
		if end = strings.LastIndexByte(rest, ')'); end > 0 {
			args, rest = rest[1:end], rest[end+1:]
		}
	}
	return name, args, strings.ToLower(rest)
}

// unescape undoes what the servers do to a label that they print.
var unescape = strings.NewReplacer(`''`, `'`, `\\`, `\`, `\n`, "\n", `\r`, "\r", `\0`, "\x00")

// parseLabels reads 'a','it”s' as SHOW and information_schema quote it: a quote
// within a label is doubled, a backslash stands before n, r, 0 and itself.
func parseLabels(s string) []string {
	var out []string
	for len(s) > 0 && s[0] == '\'' {
		i := 1
		for ; i < len(s); i++ {
			if s[i] == '\\' || s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'' {
				i++ // both of a pair belong to the label
			} else if s[i] == '\'' {
				break
			}
		}
		out = append(out, unescape.Replace(s[1:min(i, len(s))]))
		s = strings.TrimPrefix(s[min(i+1, len(s)):], ",")
	}
	return out
}

// MaxDecimal is the most digits that Arrow's decimal128 and Iceberg hold.
const MaxDecimal = 38

// Arrow returns the type that the column has everywhere behind the reader.
// docs/types.md is this function as a table.
func (t Type) Arrow() arrow.DataType {
	switch t.Kind {
	case TinyInt, SmallInt, MediumInt, Year:
		return arrow.PrimitiveTypes.Int32
	case Int:
		if t.Unsigned {
			return arrow.PrimitiveTypes.Int64
		}
		return arrow.PrimitiveTypes.Int32
	case BigInt:
		if t.Unsigned {
			return &arrow.Decimal128Type{Precision: 20}
		}
		return arrow.PrimitiveTypes.Int64
	case Float:
		return arrow.PrimitiveTypes.Float32
	case Double:
		return arrow.PrimitiveTypes.Float64
	case Decimal:
		if t.Precision > MaxDecimal {
			return arrow.BinaryTypes.String
		}
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	case Bit:
		switch t.Precision {
		case 1:
			return arrow.FixedWidthTypes.Boolean
		case 64:
			return &arrow.Decimal128Type{Precision: 20}
		}
		return arrow.PrimitiveTypes.Int64
	case Date:
		return arrow.FixedWidthTypes.Date32
	case DateTime:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case Time: // signed and beyond a day, which no time-of-day type holds
		return arrow.PrimitiveTypes.Int64
	case Binary, Geometry:
		return arrow.BinaryTypes.Binary
	case Vector:
		return arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32)
	default:
		return arrow.BinaryTypes.String
	}
}

// HasZero reports whether values of the type may be dates that no calendar
// holds, such as 0000-00-00, and so may have no image at the destination.
func (t Type) HasZero() bool {
	return t.Kind == Date || t.Kind == DateTime || t.Kind == Timestamp
}
