package iceberg

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// filled writes rows of a table, and commits them at p1.
func filled(t *testing.T, s *Sink, tbl *schema.Table, mode writer.Mode, rows ...batchtest.Row) {
	t.Helper()
	w := openTable(t, s, tbl, mode)
	write(t, w, batchtest.Build(memory.DefaultAllocator, tbl, rows))
	must(t, w.Commit(t.Context(), "p1"))
	must(t, w.Close())
}

// The columns of the lake are those of the source, or become them.
func TestScanShapes(t *testing.T) {
	lake := []string{"id int key", "a int not null", "b varchar(20)"}
	for name, is := range map[string]struct {
		now  []string // at the source
		want string   // a row, or an error
	}{
		"the same":            {lake, `1 | 2 | "b"`},
		"in another order":    {[]string{"b varchar(20)", "id int key", "a int not null"}, `"b" | 1 | 2`},
		"wider":               {[]string{"id bigint key", "a bigint unsigned not null", "b longtext"}, `1 | "2" | "b"`},
		"text that is bytes":  {[]string{"id int key", "a int not null", "b varbinary(20)"}, `1 | 2 | x'62'`},
		"one that is new":     {append(lake, "c int"), "c: not in the table, but in the source"},
		"one that has gone":   {[]string{"id int key", "b varchar(20)"}, "a: in the table, but not in the source"},
		"one that may be":     {[]string{"id int key", "a int not null"}, "b: in the table, but not in the source"},
		"another type":        {[]string{"id int key", "a date not null", "b varchar(20)"}, "a: int in the table, date in the source"},
		"number for a text":   {[]string{"id int key", "a int not null", "b int"}, "b: string in the table, int in the source"},
		"two that are others": {[]string{"id int key", "a int not null", "c int"}, "c: not in the table, but in the source; b: in the table, but not in the source"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSink(t, "iceberg:"+t.TempDir(), Options{})
			filled(t, s, batchtest.Shape("shop", "t", lake...), writer.Create, batchtest.Row{1, 2, "b"})
			rows, pos, err := scanned(t, s, batchtest.Shape("shop", "t", is.now...), 1)
			var te *schema.TableError
			if errors.As(err, &te) {
				if !strings.HasSuffix(err.Error(), is.want) || te.Table != "shop.t" || pos != "" {
					t.Errorf("at %q: %v, want %s", pos, err, is.want)
				}
				return
			}
			must(t, err)
			if len(rows) != 1 || rows[0].String() != is.want {
				t.Errorf("got %v, want %s", rows, is.want)
			}
		})
	}
}

// Columns that the lake keeps although the source has lost them are left out, also if rows
// are deleted by their keys; files from before a column came have NULL in it.
func TestScanLostColumns(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	filled(t, s, batchtest.Shape("shop", "t", "id int", "a int", "b varchar(20)"), writer.Create, batchtest.Row{1, 2, "b"})
	now := batchtest.Shape("shop", "t", "id bigint", "c date", "b varchar(20)")
	filled(t, s, now, writer.Evolve, batchtest.Row{int64(1) << 40, "2024-02-29", "x"})
	wantScanned(t, s, now, []batchtest.Row{{int64(1), nil, "b"}, {int64(1) << 40, "2024-02-29", "x"}}, "p1")
	// A key of more bits deletes the rows of files from before.
	keyed := batchtest.Shape("shop", "k", "id int key", "b varchar(20)")
	filled(t, s, keyed, writer.Follow, batchtest.Row{1, "b"}, batchtest.Row{2, "c"})
	wide := batchtest.Shape("shop", "k", "id bigint key", "b varchar(20)")
	filled(t, s, wide, writer.Evolve, batchtest.Row{int64(1) << 40, "d"})
	forgetAdded(t, s, wide)
	w := openTable(t, s, wide, writer.Follow)
	b := batchtest.Build(memory.DefaultAllocator, wide, []batchtest.Row{{int64(2), "e"}})
	changed(b)
	write(t, w, b)
	must(t, w.Commit(t.Context(), "p2"))
	must(t, w.Close())
	wantScanned(t, s, wide, []batchtest.Row{{int64(1), "b"}, {int64(2), "e"}, {int64(1) << 40, "d"}}, "p2")
}

// A value that has no place in the source's column is an error that names it.
func TestScanMisfits(t *testing.T) {
	for name, is := range map[string]struct {
		lake, now string
		value     any
		want      string
	}{
		"long":             {"bigint", "int", int64(math.MaxInt32) + 1, `column "v": `},
		"long that fits":   {"bigint", "int", int64(math.MaxInt32), ""},
		"decimal":          {"decimal(20,2)", "decimal(10,2)", "123456789012345678.00", `column "v": `},
		"digits":           {"decimal(20,4)", "decimal(20,2)", "1.0010", `column "v": `},
		"double":           {"double", "float", 0.1, `column "v": 0.1 is float64, which is not a value of float32`},
		"double that fits": {"double", "float", 0.5, ""},
		"bytes":            {"varbinary(9)", "varchar(9)", []byte{0xff}, `column "v": `},
		"fraction":         {"decimal(20,2)", "int", "1.50", `column "v": `},
		"whole number":     {"decimal(20,2)", "int", "-7.00", ""},
		"below zero":       {"bigint", "bigint unsigned", int64(-1), ""}, // which the source tells apart
		"NULL":             {"int", "int not null", nil, ""},
		"many digits":      {"decimal(30,2)", "decimal(60,2)", "-0.05", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSink(t, "iceberg:"+t.TempDir(), Options{})
			filled(t, s, batchtest.Shape("shop", "t", "id int key", "v "+is.lake), writer.Create, batchtest.Row{1, is.value})
			rows, pos, err := scanned(t, s, batchtest.Shape("shop", "t", "id int key", "v "+is.now), 1)
			switch {
			case is.want == "":
				if must(t, err); len(rows) != 1 || (rows[0][1] == nil) != (is.value == nil) || pos != "p1" {
					t.Errorf("got %v", rows)
				}
			case err == nil || !strings.Contains(err.Error(), is.want) || pos != "":
				t.Errorf("got %v, %v; want %s", rows, err, is.want)
			}
		})
	}
}

// Types that only other programs make columns of become those of the source.
func TestScanForeignTypes(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	tbl := batchtest.Shape("shop", "t", "id int not null", "u uuid", "b binary(16)", "f binary(3)", "t time(6)", "n bigint unsigned", "v vector(2)")
	sc := iceberg.NewSchema(
		0,
		iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64, Required: true},
		iceberg.NestedField{ID: 2, Name: "u", Type: iceberg.PrimitiveTypes.UUID},
		iceberg.NestedField{ID: 3, Name: "b", Type: iceberg.PrimitiveTypes.UUID},
		iceberg.NestedField{ID: 4, Name: "f", Type: iceberg.FixedTypeOf(3)},
		iceberg.NestedField{ID: 5, Name: "t", Type: iceberg.PrimitiveTypes.Time},
		iceberg.NestedField{ID: 6, Name: "n", Type: iceberg.PrimitiveTypes.Int64},
		iceberg.NestedField{ID: 7, Name: "v", Type: &iceberg.ListType{ElementID: 8, Element: iceberg.PrimitiveTypes.Float64}},
	)
	it := foreignTable(t, s, tbl, sc, catalog.WithProperties(iceberg.Properties{"format-version": "2"}))
	arrowSchema := loadedArrow(t, it.Schema())
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema)
	defer b.Release()
	id := uuid.MustParse("00112233-4455-6677-8899-aabbccddeeff")
	for range 2 {
		b.Field(0).(*array.Int64Builder).Append(7)
		b.Field(1).(*extensions.UUIDBuilder).Append(id)
		b.Field(2).(*extensions.UUIDBuilder).Append(id)
		b.Field(3).(*array.FixedSizeBinaryBuilder).Append([]byte{1, 2, 3})
		b.Field(4).(*array.Time64Builder).Append(arrow.Time64(5e6))
		b.Field(5).(*array.Int64Builder).Append(9)
		b.Field(6).(*array.ListBuilder).Append(true)
		b.Field(6).(*array.ListBuilder).ValueBuilder().(*array.Float64Builder).AppendValues([]float64{0.5, -1}, nil)
	}
	b.Field(0).(*array.Int64Builder).Append(8)
	for i := 1; i < 7; i++ {
		b.Field(i).AppendNull()
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	reader, err := array.NewRecordReader(arrowSchema, []arrow.RecordBatch{rec})
	must(t, err)
	defer reader.Release()
	_, err = it.Append(t.Context(), reader, nil)
	must(t, err)
	row := batchtest.Row{int64(7), id.String(), id[:], []byte{1, 2, 3}, int64(5e6), "9", []float32{0.5, -1}}
	wantScanned(t, s, tbl, []batchtest.Row{row, row, {int64(8), nil, nil, nil, nil, nil, nil}}, "")
}

func loadedArrow(t *testing.T, sc *iceberg.Schema) *arrow.Schema {
	t.Helper()
	out, err := table.SchemaToArrowSchema(sc, nil, true, false)
	must(t, err)
	return out
}

// changed makes upserts of a batch.
func changed(b *batch.Batch) {
	b.Ops = slices.Repeat([]batch.Op{batch.After}, int(b.Rows.NumRows()))
}

// A table that was made from another one is not compared with this one.
func TestScanOtherSource(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir()+"?namespace=lake", Options{})
	filled(t, s, batchtest.Shape("shop", "t", "id int key"), writer.Create, batchtest.Row{1})
	var te *schema.TableError
	if _, _, err := scanned(t, s, batchtest.Shape("depot", "t", "id int key"), 1); !errors.As(err, &te) || !strings.Contains(err.Error(), "lake.t exists and was made from shop.t") {
		t.Errorf("got %v", err)
	}
}
