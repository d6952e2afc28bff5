// Package verify compares tables at a sink with those of their source.
package verify

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// The canonical encoding of a row is that of its values, one behind the other, in the order of the
// table's columns; docs/verify.md publishes it. A value is the byte 0 for NULL, or the byte 1 and
//
//	booleans               one byte, 0 or 1
//	whole numbers, dates,
//	times, timestamps      8 bytes, little endian: the number; days, or microseconds, since 1970; microseconds
//	floats                 8 bytes, little endian: the IEEE 754 double; a float is made one
//	decimals               16 bytes, little endian, two's complement: the number times ten to the power of the scale
//	texts, bytes           4 bytes, little endian: the length; the bytes. JSON without blanks between its parts
//	lists of floats        4 bytes, little endian: how many; each as a float
//
// so that two rows are equal if their encodings are, and only then.

// An appender appends the encoding of a column's value.
type appender func(to []byte, row int) []byte

// appenderOf returns that of one column of a batch, which may hold JSON: sinks that know it have blanks
// of their own.
func appenderOf(a arrow.Array, json bool) (appender, error) {
	var value appender
	switch c := a.(type) {
	case *array.Boolean:
		value = func(to []byte, i int) []byte {
			if c.Value(i) {
				return append(to, 1)
			}
			return append(to, 0)
		}
	case *array.Int32:
		value = whole(c.Int32Values())
	case *array.Int64:
		value = whole(c.Int64Values())
	case *array.Date32:
		value = whole(c.Date32Values())
	case *array.Timestamp:
		value = whole(c.TimestampValues())
	case *array.Float32:
		values := c.Float32Values()
		value = func(to []byte, i int) []byte { return float(to, float64(values[i])) }
	case *array.Float64:
		values := c.Float64Values()
		value = func(to []byte, i int) []byte { return float(to, values[i]) }
	case *array.Decimal128:
		values := c.Values()
		value = func(to []byte, i int) []byte {
			to = binary.LittleEndian.AppendUint64(to, values[i].LowBits())
			return binary.LittleEndian.AppendUint64(to, uint64(values[i].HighBits()))
		}
	case *array.String:
		if json {
			value = func(to []byte, i int) []byte { return compactJSON(to, c.Value(i)) }
			break
		}
		value = func(to []byte, i int) []byte {
			v := c.Value(i)
			return append(binary.LittleEndian.AppendUint32(to, uint32(len(v))), v...)
		}
	case *array.Binary:
		value = func(to []byte, i int) []byte {
			v := c.Value(i)
			return append(binary.LittleEndian.AppendUint32(to, uint32(len(v))), v...)
		}
	case *array.List:
		items, ok := c.ListValues().(*array.Float32)
		if !ok {
			return nil, fmt.Errorf("a list of %s has no canonical encoding", c.ListValues().DataType())
		}
		values := items.Float32Values()
		value = func(to []byte, i int) []byte {
			from, end := c.ValueOffsets(i)
			to = binary.LittleEndian.AppendUint32(to, uint32(end-from))
			for _, v := range values[from:end] {
				to = float(to, float64(v))
			}
			return to
		}
	default:
		return nil, fmt.Errorf("a %s has no canonical encoding", a.DataType())
	}
	if a.NullN() == 0 {
		return func(to []byte, i int) []byte { return value(append(to, 1), i) }, nil
	}
	return func(to []byte, i int) []byte {
		if a.IsNull(i) {
			return append(to, 0)
		}
		return value(append(to, 1), i)
	}, nil
}

// compactJSON appends a text without the blanks that are in none of its strings.
func compactJSON(to []byte, text string) []byte {
	at := len(to)
	to = append(to, 0, 0, 0, 0)
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\' && i+1 < len(text):
			to = append(to, c)
			i++
		case c == '"':
			inside = !inside
		case !inside && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			continue
		}
		to = append(to, text[i])
	}
	binary.LittleEndian.PutUint32(to[at:], uint32(len(to)-at-4))
	return to
}

func whole[T ~int32 | ~int64](values []T) appender {
	return func(to []byte, i int) []byte { return binary.LittleEndian.AppendUint64(to, uint64(int64(values[i]))) }
}

func float(to []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(to, floatBits(v))
}

func floatBits(v float64) uint64 {
	if v != v {
		return math.Float64bits(math.NaN()) // of which there are many
	}
	return math.Float64bits(v)
}

func isJSON(c schema.Column) bool { return strings.EqualFold(c.Native, "json") }

// An encoder encodes rows of a table.
type encoder struct {
	columns []int  // that are compared
	key     []int  // those of them that tell rows apart: indexes into columns; all of them where there is no key
	ofKey   []bool // of each of columns
	of      []appender
	row     []byte
	ends    []int // of values in row
	id      []byte
	hasher  hasher
	wide    bool            // keys are told apart by their hashes alone
	only    map[string]bool // if set, the keys whose rows are encoded
	sample  *sampler        // may be nil: all rows
	sampled int64           // rows that it has picked
	deleted int             // the column that marks the sink's rows as deleted; -1 if there is none
	marked  int64           // rows that are
}

// newEncoder returns one of the columns that the source has: what is told of changes differs between
// stock and log.
func newEncoder(t *schema.Table) *encoder { return newEncoderOf(t, func(int) bool { return true }) }

// newEncoderOf is newEncoder for some of the columns.
func newEncoderOf(t *schema.Table, compared func(column int) bool) *encoder {
	e := &encoder{deleted: -1}
	place := map[int]int{}
	for i, c := range t.Columns {
		if c.Meta == schema.NotMeta && compared(i) {
			place[i] = len(e.columns)
			e.columns = append(e.columns, i)
		}
	}
	for _, k := range t.Key {
		if at, ok := place[k]; ok {
			e.key = append(e.key, at)
		}
	}
	if len(e.key) < len(t.Key) || len(t.Key) == 0 {
		e.key = nil
	}
	e.ofKey = make([]bool, len(e.columns))
	for _, k := range e.key {
		e.ofKey[k] = true
	}
	e.of, e.ends = make([]appender, len(e.columns)), make([]int, len(e.columns)+1)
	return e
}

// bind takes the rows of a batch.
func (e *encoder) bind(t *schema.Table, b arrow.RecordBatch) error {
	for i, c := range e.columns {
		var err error
		if e.of[i], err = appenderOf(b.Column(c), isJSON(t.Columns[c])); err != nil {
			return &schema.TableError{Table: t.String(), Err: fmt.Errorf("column %s: %w", t.Columns[c].Name, err)}
		}
	}
	return nil
}

// encode encodes a row, and what tells it apart from others, until it is called again.
func (e *encoder) encode(i int) (row, id []byte) {
	e.row = e.row[:0]
	for n, of := range e.of {
		e.row = of(e.row, i)
		e.ends[n+1] = len(e.row)
	}
	if e.key == nil {
		return e.row, e.row
	}
	e.id = e.id[:0]
	for _, k := range e.key {
		e.id = append(e.id, e.row[e.ends[k]:e.ends[k+1]]...)
	}
	return e.row, e.id
}

// A value is one of a row, as reports have it.
type value struct {
	column schema.Column
	text   string // "" for NULL
	null   bool
}

// decode is the inverse of the encoding, for those columns.
func decode(columns []schema.Column, row []byte) ([]value, error) {
	out := make([]value, len(columns))
	for n, c := range columns {
		if len(row) == 0 {
			return nil, fmt.Errorf("column %s: the row is cut short", c.Name)
		}
		null := row[0] == 0
		row = row[1:]
		if out[n] = (value{column: c, null: null}); null {
			continue
		}
		size := encodedSize(c.Arrow, row)
		out[n].text = textOf(c, row[:size])
		row = row[size:]
	}
	return out, nil
}

// encodedSize is how many bytes the value takes that an encoding begins with behind its first byte.
func encodedSize(t arrow.DataType, v []byte) int {
	switch t.ID() {
	case arrow.BOOL:
		return 1
	case arrow.DECIMAL128:
		return 16
	case arrow.STRING, arrow.BINARY, arrow.LIST:
		each := 1
		if t.ID() == arrow.LIST {
			each = 8
		}
		if len(v) < 4 {
			return 4
		}
		return 4 + each*int(binary.LittleEndian.Uint32(v))
	}
	return 8
}

func textOf(c schema.Column, v []byte) string {
	number := func() int64 { return int64(binary.LittleEndian.Uint64(v)) }
	switch t := c.Arrow.(type) {
	case *arrow.BooleanType:
		return strconv.FormatBool(v[0] == 1)
	case *arrow.Decimal128Type:
		return string(literal.AppendDecimal(nil, decimal128.New(int64(binary.LittleEndian.Uint64(v[8:])), binary.LittleEndian.Uint64(v)), int(t.Scale)))
	case *arrow.Float32Type, *arrow.Float64Type:
		return strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)), 'g', -1, 64)
	case *arrow.Date32Type:
		return time.Unix(number()*86400, 0).UTC().Format(time.DateOnly)
	case *arrow.TimestampType:
		return time.UnixMicro(number()).UTC().Format("2006-01-02 15:04:05.999999")
	case *arrow.StringType:
		return string(v[4:])
	case *arrow.BinaryType:
		return "0x" + hex.EncodeToString(v[4:])
	case *arrow.ListType:
		var parts []string
		for v = v[4:]; len(v) > 0; v = v[8:] {
			parts = append(parts, strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)), 'g', -1, 32))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return strconv.FormatInt(number(), 10)
}
