package main

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A column is what the throwaway knows of one.
type column struct {
	name string
	kind kind
}

// A kind says how a column's values travel and what becomes of them.
type kind struct {
	arrow arrow.DataType
	delta bool // written as DELTA_BINARY_PACKED
	wire  wire
}

// A wire is the form of a value in the binary protocol.
type wire uint8

const (
	wireInt1 wire = iota
	wireUint2
	wireInt4
	wireUint4
	wireInt8
	wireDouble
	wireString
	wireDecimal
	wireDatetime
	wireDate
)

var (
	kindInt8     = kind{arrow.PrimitiveTypes.Int32, true, wireInt1}
	kindUint16   = kind{arrow.PrimitiveTypes.Int32, true, wireUint2}
	kindInt32    = kind{arrow.PrimitiveTypes.Int32, true, wireInt4}
	kindUint32   = kind{arrow.PrimitiveTypes.Int64, true, wireUint4}
	kindInt64    = kind{arrow.PrimitiveTypes.Int64, true, wireInt8}
	kindDouble   = kind{arrow.PrimitiveTypes.Float64, false, wireDouble}
	kindString   = kind{arrow.BinaryTypes.String, false, wireString}
	kindDatetime = kind{arrow.FixedWidthTypes.Timestamp_us, true, wireDatetime}
	kindDate     = kind{arrow.FixedWidthTypes.Date32, true, wireDate}
)

func kindDecimal(precision, scale int32) kind {
	return kind{&arrow.Decimal128Type{Precision: precision, Scale: scale}, true, wireDecimal}
}

// An appender takes one value off the front of a row and appends it; the row
// is long enough, or the slice's bounds check ends the child.
type appender struct {
	take func(row []byte) (rest []byte)
	null func()
}

func newAppenders(columns []column, b *array.RecordBuilder, binaryRows bool) []appender {
	var list []appender
	for i, c := range columns {
		f := b.Field(i)
		a := appender{null: f.AppendNull}
		switch {
		case c.kind.wire == wireString:
			s := f.(*array.StringBuilder)
			a.take = func(row []byte) []byte {
				v, rest := lenenc(row)
				s.BinaryBuilder.Append(v)
				return rest
			}
		case !binaryRows && c.kind.wire == wireInt4:
			n := f.(*array.Int32Builder)
			a.take = func(row []byte) []byte {
				v, rest := lenenc(row)
				n.UnsafeAppend(int32(decimalText(v)))
				return rest
			}
		case binaryRows:
			a.take = binaryAppender(c.kind.wire, f)
		default:
			panic(fmt.Sprintf("throwaway: column %s by the text protocol", c.name))
		}
		list = append(list, a)
	}
	return list
}

func binaryAppender(w wire, f array.Builder) func([]byte) []byte {
	little := binary.LittleEndian
	switch w {
	case wireInt1:
		n := f.(*array.Int32Builder)
		return func(row []byte) []byte { n.UnsafeAppend(int32(int8(row[0]))); return row[1:] }
	case wireUint2:
		n := f.(*array.Int32Builder)
		return func(row []byte) []byte { n.UnsafeAppend(int32(little.Uint16(row))); return row[2:] }
	case wireInt4:
		n := f.(*array.Int32Builder)
		return func(row []byte) []byte { n.UnsafeAppend(int32(little.Uint32(row))); return row[4:] }
	case wireUint4:
		n := f.(*array.Int64Builder)
		return func(row []byte) []byte { n.UnsafeAppend(int64(little.Uint32(row))); return row[4:] }
	case wireInt8:
		n := f.(*array.Int64Builder)
		return func(row []byte) []byte { n.UnsafeAppend(int64(little.Uint64(row))); return row[8:] }
	case wireDouble:
		n := f.(*array.Float64Builder)
		return func(row []byte) []byte { n.UnsafeAppend(math.Float64frombits(little.Uint64(row))); return row[8:] }
	case wireDecimal:
		n := f.(*array.Decimal128Builder)
		return func(row []byte) []byte {
			v, rest := lenenc(row)
			n.UnsafeAppend(decimal128.FromI64(decimalText(v)))
			return rest
		}
	case wireDatetime:
		n := f.(*array.TimestampBuilder)
		return func(row []byte) []byte {
			days, micros, rest := datetime(row)
			n.UnsafeAppend(arrow.Timestamp(int64(days)*86_400_000_000 + micros))
			return rest
		}
	case wireDate:
		n := f.(*array.Date32Builder)
		return func(row []byte) []byte {
			days, _, rest := datetime(row)
			n.UnsafeAppend(arrow.Date32(days))
			return rest
		}
	}
	panic("throwaway: unknown wire form")
}
