package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// wider returns column a with a type that takes the values of b as well. Types whose
// values mean the same have one where their Arrow types are equal, or get from one to the
// other by a step that Iceberg has: int to long, float to double, a decimal of more digits
// before the point.
func wider(a, b Column) (Column, bool) {
	if a.Native == b.Native && arrow.TypeEqual(a.Arrow, b.Arrow) {
		return a, true
	}
	if a.meaning() != b.meaning() {
		return a, false
	}
	typ, ok := widerArrow(a.Arrow, b.Arrow)
	if !ok {
		return a, false
	}
	native := widerNative(a, b, typ)
	a.Arrow = typ
	switch native {
	case a.Native:
	case b.Native:
		a.Native, a.Type = b.Native, b.Type
	default:
		t, err := ParseMySQL(native)
		if err != nil {
			return a, false
		}
		a.Native, a.Type = native, t
	}
	a.Guessed = a.Guessed && b.Guessed
	return a, true
}

// Takes reports whether a column takes all values of another one as they are.
func Takes(to, from Column) bool {
	if from.Charset == to.Charset && longer(from.Native, to.Native) {
		return true
	}
	wide, ok := wider(to, from)
	return ok && wide.Native == to.Native
}

// lengths are types of text and bytes by how much they hold: what is none of them is shorter
// than the second.
var lengths = map[string][]string{
	"char": {"tinytext", "text", "mediumtext", "longtext"}, "binary": {"tinyblob", "blob", "mediumblob", "longblob"},
}

// longer reports whether a text, or bytes, of one type stay what they are in another.
func longer(from, to string) bool {
	for short, list := range lengths {
		j := slices.Index(list, to)
		if j < 0 {
			continue
		}
		i := slices.Index(list, from)
		if i < 0 && strings.HasPrefix(from, "var"+short+"(") {
			return j >= 1
		}
		return i >= 0 && i <= j
	}
	return false
}

// widerArrow returns the type that values of both have.
func widerArrow(a, b arrow.DataType) (arrow.DataType, bool) {
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	for range 2 {
		switch a.ID() {
		case arrow.INT32:
			if b.ID() == arrow.INT64 {
				return b, true
			}
		case arrow.FLOAT32:
			if b.ID() == arrow.FLOAT64 {
				return b, true
			}
		case arrow.DECIMAL128:
			x := a.(*arrow.Decimal128Type)
			if y, ok := b.(*arrow.Decimal128Type); ok && x.Scale == y.Scale && x.Precision <= y.Precision {
				return b, true
			}
		}
		a, b = b, a
	}
	return nil, false
}

// meaning is a kind that stands for all whose values mean the same where their Arrow
// types are one: a TIME is no number, and neither a BLOB a geometry.
func (c Column) meaning() Kind {
	switch c.Type.Kind {
	case TinyInt, SmallInt, MediumInt, Int, BigInt, Year, Bit:
		return BigInt
	case Float, Double:
		return Double
	case Decimal:
		if c.Arrow.ID() == arrow.STRING {
			return String
		}
		return BigInt
	case String, Enum, Set, JSON:
		return String
	}
	return c.Type.Kind
}

// widerNative returns the source's type for values of both columns, whose Arrow type is
// typ. It is one of theirs where that holds the other's.
func widerNative(a, b Column, typ arrow.DataType) string {
	switch {
	case a.Native == b.Native || Widened(b.Native, a.Native):
		return a.Native
	case Widened(a.Native, b.Native):
		return b.Native
	}
	x, y := a.Type, b.Type
	switch typ := typ.(type) {
	case *arrow.Int32Type, *arrow.Int64Type:
		if x.Kind != Time {
			return widerInteger(a, b, typ)
		}
	case *arrow.Float32Type, *arrow.Float64Type:
		if x.Kind == Float && y.Kind == Float { // of which one is unsigned, or has digits
			return "float"
		}
		return "double"
	case *arrow.Decimal128Type:
		if arrow.TypeEqual(a.Arrow, b.Arrow) && x.Kind == y.Kind && (!x.Unsigned || y.Unsigned) {
			return a.Native
		}
		return fmt.Sprintf("decimal(%d,%d)", typ.Precision, typ.Scale)
	case *arrow.StringType:
		if x.Kind == Decimal && y.Kind == Decimal {
			scale := max(x.Scale, y.Scale)
			return fmt.Sprintf("decimal(%d,%d)", min(65, max(x.Precision-x.Scale, y.Precision-y.Scale)+scale), scale)
		}
		return "longtext"
	case *arrow.BinaryType:
		if x.Kind == Geometry {
			return "geometry"
		}
		return "longblob"
	}
	if x.Precision < y.Precision { // of a fraction, or of a vector
		return b.Native
	}
	return a.Native
}

func widerInteger(a, b Column, typ arrow.DataType) string {
	low, high := a.Type.Bounds()
	low2, high2 := b.Type.Bounds()
	switch {
	case low <= low2 && high >= high2 && a.Arrow.ID() == typ.ID():
		return a.Native
	case low2 <= low && high2 >= high && b.Arrow.ID() == typ.ID():
		return b.Native
	case typ.ID() == arrow.INT32:
		return "int"
	}
	return "bigint"
}

// Bounds are those of the values of a type that is an integer in 64 bits.
func (t Type) Bounds() (low, high int64) {
	bits := 64
	switch t.Kind {
	case Year:
		return 0, 2155
	case Bit:
		return 0, 1<<t.Precision - 1
	case TinyInt:
		bits = 8
	case SmallInt:
		bits = 16
	case MediumInt:
		bits = 24
	case Int:
		bits = 32
	}
	if t.Unsigned {
		return 0, 1<<bits - 1
	}
	return -1 << (bits - 1), 1<<(bits-1) - 1
}
