package batchtest

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// The layouts of dates and timestamps in a Row.
const (
	dateLayout = "2006-01-02"
	timeLayout = "2006-01-02 15:04:05.000000"
)

// Build returns a batch of rows of t. A value that does not fit its column is a
// mistake of the test and panics.
func Build(alloc memory.Allocator, t *schema.Table, rows []Row) *batch.Batch {
	rb := array.NewRecordBuilder(alloc, t.Arrow)
	defer rb.Release()
	size := 0
	for _, r := range rows {
		if len(r) != len(t.Columns) {
			panic(fmt.Sprintf("%s has %d columns, not %d", t, len(t.Columns), len(r)))
		}
		for i, v := range r {
			appendValue(rb.Field(i), v)
		}
		size += r.Size()
	}
	return &batch.Batch{Table: t, Rows: rb.NewRecordBatch(), Bytes: size}
}

// Size returns about what the row weighs on a wire.
func (r Row) Size() int {
	n := 0
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			n++
		case string:
			n += 1 + len(v)
		case []byte:
			n += 1 + len(v)
		case []float32:
			n += 1 + 4*len(v)
		default:
			n += 8
		}
	}
	return n
}

func appendValue(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int32Builder:
		b.Append(int32(integer(v)))
	case *array.Int64Builder:
		b.Append(integer(v))
	case *array.Float32Builder:
		b.Append(v.(float32))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.Decimal128Builder:
		b.Append(parseDecimal(v.(string), b.Type().(*arrow.Decimal128Type).Scale))
	case *array.Date32Builder:
		b.Append(arrow.Date32FromTime(parseTime(dateLayout, v.(string))))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(parseTime(timeLayout, strings.TrimSuffix(v.(string), "Z")).UnixMicro()))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.Append(v.([]byte))
	case *array.ListBuilder:
		b.Append(true)
		b.ValueBuilder().(*array.Float32Builder).AppendValues(v.([]float32), nil)
	default:
		panic(fmt.Sprintf("no way to build %s", b.Type()))
	}
}

// integer lets tests write plain numbers.
func integer(v any) int64 {
	if i, ok := v.(int); ok {
		return int64(i)
	}
	return v.(int64)
}

func parseTime(layout, s string) time.Time {
	t, err := time.Parse(layout, s)
	if err != nil {
		panic(err)
	}
	return t
}

// parseDecimal goes through digits alone: Arrow's own parser goes through a
// float and so would hide a lost digit behind the same loss.
func parseDecimal(s string, scale int32) decimal128.Num {
	whole, frac, _ := strings.Cut(s, ".")
	n, ok := new(big.Int).SetString(whole+frac, 10)
	if !ok || len(frac) != int(scale) {
		panic(fmt.Sprintf("%q is no decimal with %d fractional digits", s, scale))
	}
	return decimal128.FromBigInt(n)
}
