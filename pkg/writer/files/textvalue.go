package files

import (
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/writer/textvalue"
)

// textValue returns how the values of a type are written. What is a string in all formats
// is written by appendText; numbers stand as they are.
func textValue(f Format, t arrow.DataType) (textvalue.Bind, error) {
	bare := f != JSONL // what JSON has in quotes, though nothing in it needs any
	bind := textvalue.Of(t, appendFloat)
	switch t.(type) {
	case *arrow.BooleanType:
		return bindBool, nil
	case *arrow.Decimal128Type, *arrow.Date32Type, *arrow.TimestampType: // those in UTC have no Z, of which Hive makes a NULL
		return quoted(bare, bind), nil
	case *arrow.StringType:
		return func(a arrow.Array) textvalue.Func {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return appendText(dst, f, v.Value(i)) }
		}, nil
	case *arrow.BinaryType:
		return quoted(f == TSV, bind), nil
	case *arrow.ListType:
		return quoted(f != CSV, bind), nil // it has commas in it
	}
	if bind != nil {
		return bind, nil
	}
	return nil, fmt.Errorf("type %s cannot be written as text", t)
}

func quoted(bare bool, bind textvalue.Bind) textvalue.Bind {
	if bare {
		return bind
	}
	return func(a arrow.Array) textvalue.Func {
		value := bind(a)
		return func(dst []byte, i int) []byte { return append(value(append(dst, '"'), i), '"') }
	}
}

func bindBool(a arrow.Array) textvalue.Func {
	v := a.(*array.Boolean)
	return func(dst []byte, i int) []byte {
		if v.Value(i) {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
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
