package iceberg

import (
	"context"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// scanShapes reads a table that has had several shapes through iceberg-go, but that
// it deletes rows by their keys itself: iceberg-go 0.7 compares these in the types that the
// two files have, and so finds no key of a column that has become wider. DuckDB and Spark
// do (TestDuckDBSeesNewShapes).
func scanShapes(t *testing.T, it *table.Table) (out []arrow.RecordBatch) {
	t.Helper()
	ctx := context.Background()
	scan := it.Scan()
	tasks, err := scan.PlanFiles(ctx)
	must(t, err)
	fs, err := it.FS(ctx)
	must(t, err)
	deleted := make(map[string]map[string]bool) // by file
	for _, task := range tasks {
		deletes := task.EqualityDeleteFiles
		task.EqualityDeleteFiles = nil
		_, recs, err := it.Scan().ReadTasks(ctx, []table.FileScanTask{task})
		must(t, err)
		for rec, err := range recs {
			must(t, err)
			for _, d := range deletes {
				if deleted[d.FilePath()] == nil {
					deleted[d.FilePath()] = keysIn(t, fs, d.FilePath())
				}
				rec = without(t, it.Schema(), rec, d.EqualityFieldIDs(), deleted[d.FilePath()])
			}
			out = append(out, rec)
		}
	}
	return out
}

// keysIn returns the rows of a file, as text.
func keysIn(t *testing.T, fs iceio.IO, location string) map[string]bool {
	t.Helper()
	f, err := fs.Open(location)
	must(t, err)
	defer f.Close()
	all, err := pqarrow.ReadTable(context.Background(), f.(interface {
		parquet.ReaderAtSeeker
		io.Closer
	}), parquet.NewReaderProperties(memory.DefaultAllocator), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	must(t, err)
	keys := make(map[string]bool)
	for r := array.NewTableReader(all, 0); r.Next(); {
		rows, err := batchtest.Rows(r.RecordBatch())
		must(t, err)
		for _, row := range rows {
			keys[row.String()] = true
		}
	}
	return keys
}

// without returns the rows that have none of the keys.
func without(t *testing.T, sc *iceberg.Schema, rec arrow.RecordBatch, ids []int, keys map[string]bool) arrow.RecordBatch {
	t.Helper()
	var fields []arrow.Field
	var columns []arrow.Array
	for _, id := range ids {
		name, _ := sc.FindColumnName(id)
		i := rec.Schema().FieldIndices(name)[0]
		fields, columns = append(fields, rec.Schema().Field(i)), append(columns, rec.Column(i))
	}
	rows, err := batchtest.Rows(array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rec.NumRows()))
	must(t, err)
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	for _, row := range rows {
		mask.Append(!keys[row.String()])
	}
	kept, err := compute.FilterRecordBatch(context.Background(), rec, mask.NewBooleanArray(), compute.DefaultFilterOptions())
	must(t, err)
	return kept
}
