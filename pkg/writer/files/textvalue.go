package files

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A valueFunc appends the value of a row, which is not null.
type valueFunc func(dst []byte, row int) []byte

// textValue returns how the values of a type are written. What is a string in all formats
// is written by appendText; numbers stand as they are.
func textValue(f Format, t arrow.DataType) (func(arrow.Array) valueFunc, error) {
	bare := f != JSONL // what JSON has in quotes, though nothing in it needs any
	switch t := t.(type) {
	case *arrow.BooleanType:
		return bindBool, nil
	case *arrow.Int32Type:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int32).Int32Values()
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(v[i]), 10) }
		}, nil
	case *arrow.Int64Type:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int64).Int64Values()
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, v[i], 10) }
		}, nil
	case *arrow.Float32Type:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Float32).Float32Values()
			return func(dst []byte, i int) []byte { return appendFloat(dst, float64(v[i]), 32) }
		}, nil
	case *arrow.Float64Type:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Float64).Float64Values()
			return func(dst []byte, i int) []byte { return appendFloat(dst, v[i], 64) }
		}, nil
	case *arrow.Decimal128Type:
		scale := int(t.Scale)
		return quoted(bare, func(a arrow.Array) valueFunc {
			v := a.(*array.Decimal128)
			return func(dst []byte, i int) []byte { return literal.AppendDecimal(dst, v.Value(i), scale) }
		}), nil
	case *arrow.Date32Type:
		return quoted(bare, func(a arrow.Array) valueFunc {
			v := a.(*array.Date32)
			return func(dst []byte, i int) []byte { return literal.AppendDate(dst, int64(v.Value(i))) }
		}), nil
	case *arrow.TimestampType:
		// Those in UTC have no Z, of which Hive makes a NULL.
		return quoted(bare, func(a arrow.Array) valueFunc {
			v := a.(*array.Timestamp)
			return func(dst []byte, i int) []byte { return literal.AppendDateTime(dst, int64(v.Value(i)), ' ', 6) }
		}), nil
	case *arrow.StringType:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return appendText(dst, f, v.Value(i)) }
		}, nil
	case *arrow.BinaryType:
		return quoted(f == TSV, func(a arrow.Array) valueFunc {
			v := a.(*array.Binary)
			return func(dst []byte, i int) []byte { return base64.StdEncoding.AppendEncode(dst, v.Value(i)) }
		}), nil
	case *arrow.ListType:
		return quoted(f != CSV, bindList), nil // it has commas in it
	}
	return nil, fmt.Errorf("type %s cannot be written as text", t)
}

func quoted(bare bool, bind func(arrow.Array) valueFunc) func(arrow.Array) valueFunc {
	if bare {
		return bind
	}
	return func(a arrow.Array) valueFunc {
		value := bind(a)
		return func(dst []byte, i int) []byte { return append(value(append(dst, '"'), i), '"') }
	}
}

func bindBool(a arrow.Array) valueFunc {
	v := a.(*array.Boolean)
	return func(dst []byte, i int) []byte {
		if v.Value(i) {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
}

// bindList writes a VECTOR as JSON has it.
func bindList(a arrow.Array) valueFunc {
	v := a.(*array.List)
	items := v.ListValues().(*array.Float32)
	return func(dst []byte, row int) []byte {
		from, to := v.ValueOffsets(row)
		dst = append(dst, '[')
		for i := from; i < to; i++ {
			if i > from {
				dst = append(dst, ',')
			}
			dst = appendFloat(dst, float64(items.Value(int(i))), 32)
		}
		return append(dst, ']')
	}
}

// appendFloat is literal.AppendFloat for what no server holds but Arrow does, too, in the
// words that Java and so Hive and Spark have for it.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case v == 0 && math.Signbit(v):
		return append(dst, "-0.0"...) // −0 is a whole number for some, and has no sign then
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 0):
		return append(dst, sign(v)+"Infinity"...)
	}
	return literal.AppendFloat(dst, v, bits)
}

func sign(v float64) string {
	if math.Signbit(v) {
		return "-"
	}
	return ""
}

// appendText appends a string as the format has it.
func appendText(dst []byte, f Format, s string) []byte {
	switch f {
	case JSONL:
		return literal.AppendJSON(dst, s)
	case TSV:
		return appendEscaped(dst, s)
	}
	// In quotes always: so nothing and the empty string differ, and only what is escaped
	// has to be looked for: by the machine's own search at first, which most texts pass.
	dst = append(dst, '"')
	if strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\\') < 0 {
		return append(append(dst, s...), '"')
	}
	for i, from := 0, 0; ; i++ {
		i = literal.Special(s, i)
		if i == len(s) {
			return append(append(dst, s[from:]...), '"')
		}
		if s[i] == '"' || s[i] == '\\' {
			dst = append(append(dst, s[from:i]...), '\\', s[i])
			from = i + 1
		}
	}
}

// appendEscaped appends a string with backslashes before what would end the value, the
// line or the escape. A tab stays one, for Hive takes \t for a t; \n and \r it knows, and
// needs, as it looks for ends of lines first.
func appendEscaped(dst []byte, s string) []byte {
	for i, from := 0, 0; ; i++ {
		i = literal.Special(s, i)
		if i == len(s) {
			return append(dst, s[from:]...)
		}
		c := s[i]
		switch c {
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		case '\t', '\\':
		default:
			continue
		}
		dst = append(append(dst, s[from:i]...), '\\', c)
		from = i + 1
	}
}
