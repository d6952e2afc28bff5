package parquet

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// allTypes is every type that a column can have.
var allTypes = []arrow.DataType{
	arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Date32,
	&arrow.TimestampType{Unit: arrow.Microsecond}, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	&arrow.Decimal128Type{Precision: 1}, &arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 10, Scale: 3},
	&arrow.Decimal128Type{Precision: 18, Scale: 18}, &arrow.Decimal128Type{Precision: 19}, &arrow.Decimal128Type{Precision: 38, Scale: 10},
	arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32),
}

// fill appends one value of any type, of about spread different ones.
func fill(b array.Builder, r *rand.Rand, spread int64) {
	v := r.Int64N(spread)
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v%2 == 0)
	case *array.Int32Builder:
		b.Append(int32(v*2654435761 - 77))
	case *array.Int64Builder:
		b.Append(v*-7046029254386353131 + 5)
	case *array.Float32Builder:
		b.Append(float32(v) / 7)
	case *array.Float64Builder:
		b.Append(float64(v)*math.Pi - 1e5)
	case *array.Date32Builder:
		b.Append(arrow.Date32(v%50000 - 25000))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp((v-spread/2)%1e10*9e5 + v%1e6)) // within the years of INT96 as arrow-go reads it
	case *array.Decimal128Builder:
		p := b.Type().(*arrow.Decimal128Type).Precision
		if p > 19 {
			b.Append(decimal128.New(v-spread/2, uint64(v)*12345))
			return
		}
		b.Append(decimal128.FromI64((v - spread/2) % int64(math.Pow10(int(min(p, 18))))))
	case *array.StringBuilder:
		b.Append(strings.Repeat(fmt.Sprintf("wert-%d-ü", v), int(v%9)))
	case *array.BinaryBuilder:
		b.Append(bytes.Repeat([]byte{byte(v), 0xff, byte(v >> 8)}, int(v%40)))
	case *array.ListBuilder:
		b.Append(true)
		for i := range v % 5 {
			b.ValueBuilder().(*array.Float32Builder).Append(float32(v * i))
		}
	default:
		panic(b)
	}
}

// table makes a schema with each type twice, required and nullable, and n rows.
func table(n int, spread int64, nulls float64, seed uint64) (*arrow.Schema, arrow.RecordBatch, []Column) {
	var fields []arrow.Field
	var columns []Column
	for i, t := range allTypes {
		for _, nullable := range []bool{false, true} {
			name := fmt.Sprintf("c%d.%v", i, nullable)
			fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: nullable})
			columns = append(columns, Column{Name: name, ID: len(columns) + 1, ElementID: 1000 + i, Type: t, Nullable: nullable})
		}
	}
	sc := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	r := rand.New(rand.NewPCG(seed, 7))
	for range n {
		for i, f := range fields {
			if f.Nullable && r.Float64() < nulls {
				b.Field(i).AppendNull()
			} else {
				fill(b.Field(i), r, spread)
			}
		}
	}
	return sc, b.NewRecordBatch(), columns
}

// readBack reads a file through arrow-go.
func readBack(t *testing.T, text []byte) arrow.Table {
	t.Helper()
	rd, err := file.NewParquetReader(bytes.NewReader(text), file.WithReadProps(parquet.NewReaderProperties(nil)))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(rd, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := fr.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

func TestEveryTypeRoundTrips(t *testing.T) {
	for _, c := range []struct {
		rows, slice int
		spread      int64
		nulls       float64
		opts        Options
	}{
		{0, 1, 10, 0, Options{}},
		{1, 1, 10, 0, Options{}},
		{1, 1, 10, 1, Options{}},
		{1000, 1000, 1 << 40, 0.1, Options{}},
		{1000, 1000, 5, 0.5, Options{}},
		{5000, 77, 50, 0.01, Options{RowGroupRows: 1111, PageBytes: 500}},
		{5000, 900, 1 << 40, 0.9, Options{RowGroupRows: 3000, PageBytes: 4000}},
		{5000, 5000, 3, 1, Options{PageBytes: 100}},
		{5000, 5000, 900, 0, Options{PageBytes: 2000}},
		{20000, 15000, 70, 0.2, Options{PageBytes: 32 << 10}},
	} {
		sc, rec, columns := table(c.rows, c.spread, c.nulls, uint64(c.rows))
		for _, codec := range []Codec{Zstd, Zstd | 9<<levelShift, Snappy, Gzip, Lz4, None} {
			t.Run(fmt.Sprintf("codec %d, %+v", codec, c), func(t *testing.T) {
				c.opts.Codec = codec
				roundTrip(t, sc, rec, columns, c.slice, c.opts)
				if codec == Snappy { // how pages are compressed is the same for both
					legacy := c.opts
					legacy.Legacy = true
					roundTrip(t, sc, rec, columns, c.slice, legacy)
				}
			})
		}
	}
}

// roundTrip writes rec in slices and reads it back.
func roundTrip(t *testing.T, sc *arrow.Schema, rec arrow.RecordBatch, columns []Column, slice int, opts Options) {
	var out bytes.Buffer
	w, err := NewWriter(&out, columns, opts)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < rec.NumRows(); at += int64(slice) {
		if err := w.WriteBatch(rec.NewSlice(at, min(at+int64(slice), rec.NumRows()))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(out.Len()) || w.Rows() != rec.NumRows() || w.Buffered() != 0 {
		t.Fatalf("size %d of %d, %d rows, %d bytes held back", w.Size(), out.Len(), w.Rows(), w.Buffered())
	}
	got := readBack(t, out.Bytes())
	if got.NumRows() != rec.NumRows() {
		t.Fatalf("%d rows, want %d", got.NumRows(), rec.NumRows())
	}
	for i := range sc.NumFields() {
		col := got.Column(i)
		none := array.MakeArrayOfNull(memory.DefaultAllocator, col.DataType(), 0)
		have, err := array.Concatenate(append([]arrow.Array{none}, col.Data().Chunks()...), memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		if opts.Legacy && sc.Field(i).Type.ID() == arrow.TIMESTAMP {
			have = fromInt96(t, have, sc.Field(i).Type)
		}
		if !array.Equal(have, rec.Column(i)) {
			t.Fatalf("column %d (%s) differs:\n%v\n%v", i, sc.Field(i).Type, have, rec.Column(i))
		}
		if have.DataType().ID() != arrow.LIST && !arrow.TypeEqual(have.DataType(), sc.Field(i).Type) {
			t.Fatalf("column %d is read as %s, want %s", i, have.DataType(), sc.Field(i).Type)
		}
	}
}

// fromInt96 has nanoseconds, which is what INT96 is read as, be what they were made of.
func fromInt96(t *testing.T, have arrow.Array, want arrow.DataType) arrow.Array {
	t.Helper()
	if unit := have.DataType().(*arrow.TimestampType).Unit; unit != arrow.Nanosecond {
		t.Fatalf("it is not INT96, but in %s", unit)
	}
	b := array.NewTimestampBuilder(memory.DefaultAllocator, want.(*arrow.TimestampType))
	for i := range have.Len() {
		if have.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(have.(*array.Timestamp).Value(i) / 1000)
		}
	}
	return b.NewArray()
}

// Columns of digits take what Huffman codes make of them, and nearly all others
// no more than what arrow-go writes.
func TestSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	digits := func() string {
		b := make([]byte, 100)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	for name, c := range map[string]struct {
		value func(i int) string
		most  float64 // bytes a row
	}{
		"digits":   {func(int) string { return digits() }, 47},
		"repeated": {func(i int) string { return []string{"one", "two", "three"}[r.IntN(3)] }, 0.3},
		"phrases":  {func(i int) string { return strings.Repeat("a phrase that comes again, ", 1+i%3) + fmt.Sprint(i%1000) }, 6},
		"empty":    {func(int) string { return "" }, 0.1},
	} {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		const n = 20000
		for i := range n {
			b.Append(c.value(i))
		}
		sc := arrow.NewSchema([]arrow.Field{{Name: "c", Type: arrow.BinaryTypes.String}}, nil)
		rec := array.NewRecordBatch(sc, []arrow.Array{b.NewStringArray()}, n)
		var out bytes.Buffer
		w, err := NewWriter(&out, []Column{{Name: "c", ID: 1, Type: arrow.BinaryTypes.String}}, Options{Codec: Zstd})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteBatch(rec); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := float64(out.Len()) / n; got > c.most {
			t.Errorf("%s: %.2f bytes a row, want %.2f at most", name, got, c.most)
		}
	}
}

func TestBounds(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		values   []string
		text     bool
		min, max string
		exact    bool
	}{
		{[]string{"b", "a", "c"}, true, "a", "c", true},
		{[]string{"", "a"}, true, "", "a", true},
		{[]string{"a", "a\x00"}, false, "a", "a\x00", true},
		{[]string{long, long + "y"}, true, long[:64], long[:63] + "y", false},
		{[]string{strings.Repeat("ü", 40)}, true, strings.Repeat("ü", 32), strings.Repeat("ü", 31) + "ý", false},
		{[]string{strings.Repeat("\xff", 70)}, false, strings.Repeat("\xff", 64), "", false},
		{[]string{strings.Repeat("a", 63) + "\xff\xff"}, false, strings.Repeat("a", 63) + "\xff", strings.Repeat("a", 62) + "b", false},
		{[]string{strings.Repeat("\U0010ffff", 20)}, true, strings.Repeat("\U0010ffff", 16), "", false},
		{[]string{strings.Repeat("\ufffd", 40)}, true, strings.Repeat("\ufffd", 21), strings.Repeat("\ufffd", 20) + "\ufffe", false},
		{[]string{strings.Repeat("\ud7ff", 40)}, true, strings.Repeat("\ud7ff", 21), strings.Repeat("\ud7ff", 20) + "\ue000", false},
	} {
		var r stringRange
		for _, v := range c.values {
			r.add([]byte(v))
		}
		b, ok := r.bounds(c.text)
		if !ok || string(b.min) != c.min || string(b.max) != c.max || b.minExact != c.exact {
			t.Errorf("%.10q: got %q %q %v", c.values, b.min, b.max, b.minExact)
		}
	}
}

func TestHugeValues(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	noise := make([]byte, hugeValue+zstdBlock+5)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	values := [][]byte{
		[]byte("small"), noise, nil, bytes.Repeat([]byte("text "), hugeValue/5), bytes.Repeat([]byte("0"), hugeValue), noise[:hugeValue],
		[]byte("between"), noise[1:], noise[2:], []byte("last"), noise[:hugeValue-1],
	}
	for _, nullable := range []bool{false, true} {
		sc := arrow.NewSchema([]arrow.Field{{Name: "c", Type: arrow.BinaryTypes.Binary, Nullable: nullable}}, nil)
		b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		for _, v := range values {
			if v == nil && nullable {
				b.AppendNull()
			} else {
				b.Append(v)
			}
		}
		rec := array.NewRecordBatch(sc, []arrow.Array{b.NewArray()}, int64(len(values)))
		for _, codec := range []Codec{Zstd, Zstd | 9<<levelShift, Snappy, Gzip, Lz4, None} {
			columns := []Column{{Name: "c", ID: 1, Type: arrow.BinaryTypes.Binary, Nullable: nullable}}
			roundTrip(t, sc, rec, columns, 4, Options{Codec: codec})
		}
	}
}
