package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var errValue = errors.New("a value in the log is not of the column's type")

// An appendFunc appends a value to its column.
type appendFunc func(v []byte) error

// newField returns how to read the column t.Columns[at], which checkMap has let pass. What values
// grow by on the way is added to grown.
func newField(t *schema.Table, at int, w *MapColumn, col batch.Column, o *Options, grown *int) (field, error) {
	c, zero := &t.Columns[at], o.ZeroDate.Of(t, at, o.ZeroDates)
	f := field{col: col, nullable: c.Nullable, json: w.Type == typeJSON}
	f.width, f.prefix = shape(w, c.Type.Precision)
	var err error
	switch b := col.(type) {
	case *batch.Fixed[int32]:
		f.blank = func() { b.Append(0) }
		f.append = int32Append(c, b, zero)
	case *batch.Fixed[int64]:
		f.blank = func() { b.Append(0) }
		f.append = int64Append(c, w, b, zero)
	case *batch.Fixed[float32]:
		f.blank = func() { b.Append(0) }
		f.append = func(v []byte) error {
			b.Append(math.Float32frombits(binary.LittleEndian.Uint32(v)))
			return nil
		}
	case *batch.Fixed[float64]:
		f.blank = func() { b.Append(0) }
		f.append = func(v []byte) error {
			b.Append(math.Float64frombits(binary.LittleEndian.Uint64(v)))
			return nil
		}
	case *batch.Fixed[decimal128.Num]:
		f.blank = func() { b.Append(decimal128.Num{}) }
		f.append = decimal128Append(c, b)
	case *batch.Bytes:
		f.blank = func() { b.Append(nil) }
		if f.append, err = bytesAppend(c, w, b, o); err == nil {
			f.append = unpacked(w, grown, f.append)
		}
	case *batch.Bools:
		f.blank = func() { b.Append(false) }
		f.append = func(v []byte) error {
			b.Append(bigEndian(v) != 0)
			return nil
		}
	case *batch.FloatList:
		f.blank = b.End
		f.append = vectorAppend(b)
	}
	if err == nil && f.append == nil {
		err = fmt.Errorf("no decoder for %s into %s", c.Native, c.Arrow)
	}
	return f, err
}

// shape returns the width of a column's values, or the bytes of their length.
// precision is that of times, which maps of the old formats do not tell.
func shape(w *MapColumn, precision int) (width, prefix int) {
	switch w.Type {
	case typeTiny, typeYear:
		return 1, 0
	case typeShort:
		return 2, 0
	case typeInt24, typeDate, typeNewDate:
		return 3, 0
	case typeLong, typeFloat:
		return 4, 0
	case typeLongLong, typeDouble:
		return 8, 0
	case typeNewDecimal:
		return decimalSize(int(w.Meta>>8), int(w.Meta&0xff)), 0
	case typeBit:
		return int(w.Meta >> 8), 0
	case typeEnum, typeSet:
		return int(w.Meta), 0
	case typeTimestamp2:
		return 4 + (int(w.Meta)+1)/2, 0
	case typeDateTime2:
		return 5 + (int(w.Meta)+1)/2, 0
	case typeTime2:
		return 3 + (int(w.Meta)+1)/2, 0
	case typeTimestamp, typeDateTime, typeTime:
		return oldWidth(w.Type, precision), 0
	case typeString, typeVarString, typeVarchar, typeVarcharCompressed:
		if w.Meta > 255 {
			return 0, 2
		}
		return 0, 1
	}
	return 0, min(max(int(w.Meta), 1), 4) // blobs and their like
}

func bigEndian(v []byte) (n uint64) {
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	return n
}

func littleEndian(v []byte) (n uint64) {
	for i, c := range v {
		n |= uint64(c) << (8 * i)
	}
	return n
}

func int32Append(c *schema.Column, b *batch.Fixed[int32], zero calendar.Rule) appendFunc {
	t := c.Type
	switch t.Kind {
	case schema.Date:
		return dateAppend(b, zero)
	case schema.Year:
		two := strings.HasPrefix(c.Native, "year(2)")
		return func(v []byte) error {
			y := int32(v[0])
			if two {
				y %= 100
			} else if y != 0 {
				y += 1900
			}
			b.Append(y)
			return nil
		}
	case schema.TinyInt:
		if t.Unsigned {
			return func(v []byte) error { b.Append(int32(v[0])); return nil }
		}
		return func(v []byte) error { b.Append(int32(int8(v[0]))); return nil }
	case schema.SmallInt:
		if t.Unsigned {
			return func(v []byte) error { b.Append(int32(binary.LittleEndian.Uint16(v))); return nil }
		}
		return func(v []byte) error { b.Append(int32(int16(binary.LittleEndian.Uint16(v)))); return nil }
	case schema.MediumInt:
		if t.Unsigned {
			return func(v []byte) error { b.Append(int32(v[0]) | int32(v[1])<<8 | int32(v[2])<<16); return nil }
		}
		return func(v []byte) error { b.Append(int32(v[0]) | int32(v[1])<<8 | int32(int8(v[2]))<<16); return nil }
	case schema.Int:
		return func(v []byte) error { b.Append(int32(binary.LittleEndian.Uint32(v))); return nil }
	}
	return nil
}

func int64Append(c *schema.Column, w *MapColumn, b *batch.Fixed[int64], zero calendar.Rule) appendFunc {
	switch c.Type.Kind {
	case schema.DateTime, schema.Timestamp:
		return dateTimeAppend(w, c.Type.Precision, b, zero)
	case schema.Time:
		return timeAppend(w, c.Type.Precision, b)
	case schema.Bit:
		return func(v []byte) error { b.Append(int64(bigEndian(v))); return nil }
	case schema.Int: // unsigned, or it would be an int32
		return func(v []byte) error { b.Append(int64(binary.LittleEndian.Uint32(v))); return nil }
	case schema.BigInt:
		return func(v []byte) error { b.Append(int64(binary.LittleEndian.Uint64(v))); return nil }
	}
	return nil
}

func decimal128Append(c *schema.Column, b *batch.Fixed[decimal128.Num]) appendFunc {
	switch c.Type.Kind {
	case schema.BigInt:
		return func(v []byte) error { b.Append(decimal128.FromU64(binary.LittleEndian.Uint64(v))); return nil }
	case schema.Bit:
		return func(v []byte) error { b.Append(decimal128.FromU64(bigEndian(v))); return nil }
	case schema.Decimal:
		return decimalAppend(c.Type.Precision, c.Type.Scale, b)
	}
	return nil
}

// bytesAppend returns how to append what becomes text or bytes.
func bytesAppend(c *schema.Column, w *MapColumn, b *batch.Bytes, o *Options) (appendFunc, error) {
	switch c.Type.Kind {
	case schema.Decimal:
		return decimalTextAppend(c, b), nil
	case schema.Enum:
		return enumAppend(c, w, b, o)
	case schema.Set:
		return setAppend(c, w, b, o)
	case schema.JSON:
		return jsonAppend(b), nil
	case schema.Geometry:
		return func(v []byte) error { // four bytes of SRID go before the WKB
			if len(v) < 4 {
				return errValue
			}
			b.Append(v[4:])
			return nil
		}, nil
	case schema.Binary:
		return binaryAppend(w, b), nil
	case schema.String:
		if f := textOf(c.Native, b); f != nil {
			return f, nil
		}
		convert, err := o.Charsets.column(c, w)
		if err != nil {
			return nil, err
		}
		return convert.append(b), nil
	}
	return nil, nil
}

func plainAppend(b *batch.Bytes) appendFunc {
	return func(v []byte) error { b.Append(v); return nil }
}

// binaryAppend gives BINARY(n) the zero bytes at its end back, which the log
// leaves out.
func binaryAppend(w *MapColumn, b *batch.Bytes) appendFunc {
	if w.Type != typeString {
		return plainAppend(b)
	}
	n := int(w.Meta)
	buf := make([]byte, n)
	return func(v []byte) error {
		if len(v) < n {
			clear(buf[copy(buf, v):])
			v = buf
		}
		b.Append(v)
		return nil
	}
}

// vectorAppend reads little-endian floats.
func vectorAppend(b *batch.FloatList) appendFunc {
	return func(v []byte) error {
		if len(v)%4 != 0 {
			return errValue
		}
		for ; len(v) > 0; v = v[4:] {
			b.AppendItem(math.Float32frombits(binary.LittleEndian.Uint32(v)))
		}
		b.End()
		return nil
	}
}
