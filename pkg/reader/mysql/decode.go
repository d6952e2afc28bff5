package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var errShort = errors.New("value is cut short")

// A decodeFunc appends the value at p[i:] to its column and returns where the
// value ends.
type decodeFunc func(p []byte, i int) (int, error)

// A rowDecoder appends rows of the binary protocol to a builder. The functions
// are chosen once per table, so a row costs one call per column and no type
// switch. Format: MySQL Internals, "Binary Protocol Resultset Row".
type rowDecoder struct {
	table   *schema.Table
	builder *batch.Builder
	columns []decodeFunc
}

func newRowDecoder(t *schema.Table, b *batch.Builder, zero calendar.Policy, tally *calendar.Tally) (*rowDecoder, error) {
	d := &rowDecoder{table: t, builder: b, columns: make([]decodeFunc, len(t.Columns))}
	for i, c := range t.Columns {
		if d.columns[i] = decoder(c, b.Columns[i], zero.Of(t, i, tally)); d.columns[i] == nil {
			return nil, fmt.Errorf("column %s: no decoder for %s into %s", c.Name, c.Native, c.Arrow)
		}
	}
	return d, nil
}

// row appends one row.
func (d *rowDecoder) row(p []byte) error {
	n := len(d.columns)
	i := 1 + (n+9)>>3 // header byte, then a bitmap whose first two bits are unused
	if len(p) < i {
		return fmt.Errorf("row of %s: %w", d.table, errShort)
	}
	var err error
	for c, decode := range d.columns {
		if bit := c + 2; p[1+bit>>3]&(1<<(bit&7)) != 0 {
			d.builder.Columns[c].Null()
			continue
		}
		if i, err = decode(p, i); err != nil {
			return fmt.Errorf("column %s (%s): %w", d.table.Columns[c].Name, d.table.Columns[c].Native, err)
		}
	}
	d.builder.EndRow(len(p) + headerLen)
	return nil
}

// decoder returns the function for a column, or nil if its builder does not
// suit its type.
func decoder(c schema.Column, col batch.Column, zero calendar.Rule) decodeFunc {
	switch b := col.(type) {
	case *batch.Fixed[int32]:
		if c.Type.Kind == schema.Date {
			return dateDecoder(b, zero)
		}
		return int32Decoder(c.Type, b)
	case *batch.Fixed[int64]:
		switch c.Type.Kind {
		case schema.DateTime, schema.Timestamp:
			return dateTimeDecoder(b, zero)
		case schema.Time:
			return timeDecoder(b)
		case schema.Bit:
			return bitDecoder(func(v uint64) { b.Append(int64(v)) })
		}
		return int64Decoder(c.Type, b)
	case *batch.Fixed[float32]:
		return func(p []byte, i int) (int, error) {
			if len(p) < i+4 {
				return 0, errShort
			}
			b.Append(math.Float32frombits(binary.LittleEndian.Uint32(p[i:])))
			return i + 4, nil
		}
	case *batch.Fixed[float64]:
		return func(p []byte, i int) (int, error) {
			if len(p) < i+8 {
				return 0, errShort
			}
			b.Append(math.Float64frombits(binary.LittleEndian.Uint64(p[i:])))
			return i + 8, nil
		}
	case *batch.Fixed[decimal128.Num]:
		return decimal128Decoder(c.Type, b)
	case *batch.Bytes:
		if c.Type.Kind == schema.Geometry {
			return geometryDecoder(b)
		}
		return bytesDecoder(b)
	case *batch.Bools:
		return bitDecoder(func(v uint64) { b.Append(v != 0) })
	case *batch.FloatList:
		return vectorDecoder(b)
	}
	return nil
}

func int32Decoder(t schema.Type, b *batch.Fixed[int32]) decodeFunc {
	switch {
	case t.Kind == schema.TinyInt && t.Unsigned:
		return func(p []byte, i int) (int, error) {
			if len(p) <= i {
				return 0, errShort
			}
			b.Append(int32(p[i]))
			return i + 1, nil
		}
	case t.Kind == schema.TinyInt:
		return func(p []byte, i int) (int, error) {
			if len(p) <= i {
				return 0, errShort
			}
			b.Append(int32(int8(p[i])))
			return i + 1, nil
		}
	case t.Kind == schema.SmallInt && !t.Unsigned:
		return func(p []byte, i int) (int, error) {
			if len(p) < i+2 {
				return 0, errShort
			}
			b.Append(int32(int16(binary.LittleEndian.Uint16(p[i:]))))
			return i + 2, nil
		}
	case t.Kind == schema.SmallInt || t.Kind == schema.Year:
		return func(p []byte, i int) (int, error) {
			if len(p) < i+2 {
				return 0, errShort
			}
			b.Append(int32(binary.LittleEndian.Uint16(p[i:])))
			return i + 2, nil
		}
	}
	// MEDIUMINT travels as four bytes, its sign extended.
	return func(p []byte, i int) (int, error) {
		if len(p) < i+4 {
			return 0, errShort
		}
		b.Append(int32(binary.LittleEndian.Uint32(p[i:])))
		return i + 4, nil
	}
}

func int64Decoder(t schema.Type, b *batch.Fixed[int64]) decodeFunc {
	if t.Kind == schema.Int { // unsigned, or it would be an int32
		return func(p []byte, i int) (int, error) {
			if len(p) < i+4 {
				return 0, errShort
			}
			b.Append(int64(binary.LittleEndian.Uint32(p[i:])))
			return i + 4, nil
		}
	}
	return func(p []byte, i int) (int, error) {
		if len(p) < i+8 {
			return 0, errShort
		}
		b.Append(int64(binary.LittleEndian.Uint64(p[i:])))
		return i + 8, nil
	}
}

func decimal128Decoder(t schema.Type, b *batch.Fixed[decimal128.Num]) decodeFunc {
	switch t.Kind {
	case schema.BigInt:
		return func(p []byte, i int) (int, error) {
			if len(p) < i+8 {
				return 0, errShort
			}
			b.Append(decimal128.FromU64(binary.LittleEndian.Uint64(p[i:])))
			return i + 8, nil
		}
	case schema.Bit:
		return bitDecoder(func(v uint64) { b.Append(decimal128.FromU64(v)) })
	}
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		n, err := parseDecimal(v, t.Precision, t.Scale)
		if err != nil {
			return 0, err
		}
		b.Append(n)
		return end, nil
	}
}

func bytesDecoder(b *batch.Bytes) decodeFunc {
	return func(p []byte, i int) (int, error) {
		// Most strings are short: their length is one byte.
		if i < len(p) && p[i] < 0xfb {
			n := int(p[i])
			if i++; len(p)-i < n {
				return 0, errShort
			}
			b.Append(p[i : i+n])
			return i + n, nil
		}
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		b.Append(v)
		return end, nil
	}
}

// geometryDecoder drops the four bytes of SRID that the server stores before
// the WKB.
func geometryDecoder(b *batch.Bytes) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 || len(v) < 4 {
			return 0, errShort
		}
		b.Append(v[4:])
		return end, nil
	}
}

// bitDecoder reads BIT(n): big-endian, as many bytes as n bits need.
func bitDecoder(add func(uint64)) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 || len(v) > 8 {
			return 0, errShort
		}
		var n uint64
		for _, c := range v {
			n = n<<8 | uint64(c)
		}
		add(n)
		return end, nil
	}
}

// vectorDecoder reads VECTOR: little-endian floats.
func vectorDecoder(b *batch.FloatList) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 || len(v)%4 != 0 {
			return 0, errShort
		}
		for ; len(v) > 0; v = v[4:] {
			b.AppendItem(math.Float32frombits(binary.LittleEndian.Uint32(v)))
		}
		b.End()
		return end, nil
	}
}
