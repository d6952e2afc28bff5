package doris

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
)

// Rows are loaded as CSV: of all that Doris takes, what every version does, and what costs it
// least. Values stand as they are, but for texts with bytes in them that mean something: these
// are in quotes, and a backslash is before quotes and backslashes.
const (
	separator = '\x01'
	null      = `\N`
)

// csvHeaders say so to Doris.
func csvHeaders(columns string) map[string]string {
	return map[string]string{
		"format": "csv", "column_separator": `\x01`, "line_delimiter": `\n`, "enclose": `"`, "escape": `\`, "columns": columns,
		"strict_mode": "true", "max_filter_ratio": "0", "timezone": "+00:00",
	}
}

// A valueFunc appends the value of a row, which is not null.
type valueFunc func(dst []byte, row int) []byte

// An encoder writes rows of one table. Those who use it at a time have one each.
type encoder struct {
	columns []encoded
}

// An encoded column is one of them, in the order of the load.
type encoded struct {
	name  string
	from  int  // the batch's column; −1: there is none, and all is null
	shape bool // geometries
	bind  func(arrow.Array) valueFunc
	value valueFunc   // of the batch at hand
	nulls arrow.Array // that has to be asked; nil if there are none
}

// bound readies the encoder for the rows of a batch, each of which is an insert if there are no
// ops.
func (e *encoder) bound(columns []arrow.Array, ops []batch.Op) (err error) {
	for i := range e.columns {
		c := &e.columns[i]
		c.value, c.nulls = nil, nil
		if c.from < 0 {
			continue
		}
		a := columns[c.from]
		if c.shape {
			if a, err = wkt(a.(*array.Binary), ops); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		c.value = c.bind(a)
		if a.NullN() > 0 {
			c.nulls = a
		}
	}
	return nil
}

// wkt are geometries in words, as Doris's functions take them (ST_GeometryFromText). Of a row
// that is taken out the key alone is there.
func wkt(a *array.Binary, ops []batch.Op) (arrow.Array, error) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	var text []byte
	for i := range a.Len() {
		if a.IsNull(i) || ops != nil && takesOut(ops[i]) {
			b.AppendNull()
			continue
		}
		var err error
		if text, err = literal.AppendWKB(text[:0], a.Value(i)); err != nil {
			return nil, err
		}
		b.BinaryBuilder.Append(text)
	}
	return b.NewArray(), nil
}

// row appends a row, and its end.
func (e *encoder) row(dst []byte, row int) []byte {
	dst = e.values(dst, row, len(e.columns))
	dst[len(dst)-1] = '\n'
	return dst
}

// values appends the values of a row, with a separator behind each; of the columns from n on
// nothing, for a row of which the first ones alone count.
func (e *encoder) values(dst []byte, row, n int) []byte {
	for i := range e.columns {
		c := &e.columns[i]
		if i >= n || c.value == nil || c.nulls != nil && c.nulls.IsNull(row) {
			dst = append(dst, null...)
		} else {
			dst = c.value(dst, row)
		}
		dst = append(dst, separator)
	}
	return dst
}

// bindOf returns how values of an Arrow type become those of a column.
func bindOf(t arrow.DataType, to string) (func(arrow.Array) valueFunc, error) {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return bindBool, nil
	case *arrow.Int32Type:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int32).Int32Values()
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(v[i]), 10) }
		}, nil
	case *arrow.Int64Type:
		if digits, ok := timeDigits(to); ok {
			return func(a arrow.Array) valueFunc {
				v := a.(*array.Int64).Int64Values()
				return func(dst []byte, i int) []byte { return literal.AppendTime(dst, v[i], digits) }
			}, nil
		}
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
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Decimal128)
			return func(dst []byte, i int) []byte { return literal.AppendDecimal(dst, v.Value(i), scale) }
		}, nil
	case *arrow.Date32Type:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Date32).Date32Values()
			return func(dst []byte, i int) []byte { return literal.AppendDate(dst, int64(v[i])) }
		}, nil
	case *arrow.TimestampType:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Timestamp).TimestampValues()
			return func(dst []byte, i int) []byte { return literal.AppendDateTime(dst, int64(v[i]), ' ', 6) }
		}, nil
	case *arrow.StringType:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return appendText(dst, v.Value(i)) }
		}, nil
	case *arrow.BinaryType:
		if strings.HasPrefix(to, asWKT) {
			return bindOf(arrow.BinaryTypes.String, "")
		}
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Binary)
			return func(dst []byte, i int) []byte { return base64.StdEncoding.AppendEncode(dst, v.Value(i)) }
		}, nil
	case *arrow.ListType:
		return bindList, nil
	}
	return nil, fmt.Errorf("type %s has no place in Doris", t)
}

func bindBool(a arrow.Array) valueFunc {
	v := a.(*array.Boolean)
	return func(dst []byte, i int) []byte {
		if v.Value(i) {
			return append(dst, '1')
		}
		return append(dst, '0')
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
			dst = literal.AppendFloat(dst, float64(items.Value(int(i))), 32)
		}
		return append(dst, ']')
	}
}

func appendFloat(dst []byte, v float64, bits int) []byte {
	if v == 0 && math.Signbit(v) {
		return append(dst, "-0"...)
	}
	return literal.AppendFloat(dst, v, bits)
}

// byteOrderMark is what Doris drops where a load begins with it.
const byteOrderMark = "\xef\xbb\xbf"

// appendText appends a string, in quotes if it needs any: an empty one as well, for a line of
// nothing is left out by Doris.
func appendText(dst []byte, s string) []byte {
	i := literal.Special(s, 0)
	if i == len(s) && s != "" && !strings.HasPrefix(s, byteOrderMark) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for from := 0; ; i++ {
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
