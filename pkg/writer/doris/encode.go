package doris

import (
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/writer/textvalue"
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

// An encoder writes rows of one table. Those who use it at a time have one each.
type encoder struct {
	columns []encoded
}

// An encoded column is one of them, in the order of the load.
type encoded struct {
	name  string
	from  int  // the batch's column; −1: there is none, and all is null
	shape bool // geometries
	bind  textvalue.Bind
	value textvalue.Func // of the batch at hand
	nulls arrow.Array    // that has to be asked; nil if there are none
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

// keyText appends the values of the first n columns of a row, as values does. None of them is null.
func (e *encoder) keyText(dst []byte, row, n int) []byte {
	for _, c := range e.columns[:n] {
		dst = append(c.value(dst, row), separator)
	}
	return dst
}

// bindOf returns how values of an Arrow type become those of a column.
func bindOf(t arrow.DataType, to string) (textvalue.Bind, error) {
	switch t.(type) {
	case *arrow.BooleanType:
		return bindBool, nil
	case *arrow.Int64Type:
		if digits, ok := timeDigits(to); ok {
			return func(a arrow.Array) textvalue.Func {
				v := a.(*array.Int64).Int64Values()
				return func(dst []byte, i int) []byte { return literal.AppendTime(dst, v[i], digits) }
			}, nil
		}
	case *arrow.StringType:
		return bindString, nil
	case *arrow.BinaryType:
		if strings.HasPrefix(to, asWKT) {
			return bindString, nil
		}
	}
	if bind := textvalue.Of(t, appendFloat); bind != nil {
		return bind, nil
	}
	return nil, fmt.Errorf("type %s has no place in Doris", t)
}

func bindString(a arrow.Array) textvalue.Func {
	v := a.(*array.String)
	return func(dst []byte, i int) []byte { return appendText(dst, v.Value(i)) }
}

func bindBool(a arrow.Array) textvalue.Func {
	v := a.(*array.Boolean)
	return func(dst []byte, i int) []byte {
		if v.Value(i) {
			return append(dst, '1')
		}
		return append(dst, '0')
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
