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
		b.Append(arrow.Timestamp(v * 1e6))
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
	for _, codec := range []Codec{Zstd, Snappy, Gzip, None} {
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
			{70000, 65000, 70, 0.2, Options{}},
		} {
			name := fmt.Sprintf("codec %d, %+v", codec, c)
			sc, rec, columns := table(c.rows, c.spread, c.nulls, uint64(c.rows))
			var out bytes.Buffer
			c.opts.Codec = codec
			w, err := NewWriter(&out, columns, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at < c.rows; at += c.slice {
				if err := w.WriteBatch(rec.NewSlice(int64(at), int64(min(at+c.slice, c.rows)))); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if w.Size() != int64(out.Len()) || w.Rows() != int64(c.rows) {
				t.Fatalf("%s: size %d of %d, rows %d", name, w.Size(), out.Len(), w.Rows())
			}
			got := readBack(t, out.Bytes())
			if got.NumRows() != int64(c.rows) {
				t.Fatalf("%s: %d rows", name, got.NumRows())
			}
			for i := range sc.NumFields() {
				have, err := array.Concatenate(append([]arrow.Array{array.MakeArrayOfNull(memory.DefaultAllocator, got.Column(i).DataType(), 0)}, got.Column(i).Data().Chunks()...), memory.DefaultAllocator)
				if err != nil {
					t.Fatal(err)
				}
				if !array.Equal(have, rec.Column(i)) {
					t.Fatalf("%s: column %d (%s) differs:\n%v\n%v", name, i, sc.Field(i).Type, have, rec.Column(i))
				}
				if l, ok := have.DataType().(*arrow.ListType); ok {
					if l.Elem().ID() != arrow.FLOAT32 {
						t.Fatal(l)
					}
				} else if !arrow.TypeEqual(have.DataType(), sc.Field(i).Type) {
					t.Fatalf("%s: column %d is read as %s, want %s", name, i, have.DataType(), sc.Field(i).Type)
				}
			}
		}
	}
}
