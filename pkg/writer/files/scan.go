package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// errEnough ends a scan.
var errEnough = errors.New("seen enough")

// scan reads a file that this program has written, as batches of the writer's columns: what
// an older file lacks is null, and what it has in a narrower type is widened. With keys,
// the columns of the key alone are sure to be read; others may be nil.
func (w *Writer) scan(ctx context.Context, in input, keys bool, each func(columns []arrow.Array, rows int) error) error {
	if !w.format.columnar() {
		return w.scanText(ctx, in, each)
	}
	return w.scanParquet(ctx, in, keys, each)
}

func (w *Writer) scanParquet(ctx context.Context, in input, keys bool, each func(columns []arrow.Array, rows int) error) error {
	rd, err := pqfile.NewParquetReader(io.NewSectionReader(in, 0, in.length()))
	if err != nil {
		return err
	}
	defer rd.Close()
	pq, err := pqarrow.NewFileReader(rd, pqarrow.ArrowReadProperties{BatchSize: batchSize(rd.MetaData())}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	sc, err := pq.Schema()
	if err != nil {
		return err
	}
	// Columns are leaves of a flat table, in their order: a list has one too.
	var leaves, at []int
	for i, c := range w.columns {
		j := slices.IndexFunc(sc.Fields(), func(g arrow.Field) bool { return g.Name == c.Name })
		if j < 0 || keys && !slices.Contains(w.keyAt, i) {
			continue
		}
		leaves, at = append(leaves, j), append(at, i)
	}
	order := slices.Clone(leaves)
	slices.Sort(order)
	records, err := pq.GetRecordReader(ctx, order, nil)
	if err != nil {
		return err
	}
	defer records.Release()
	for records.Next() {
		rec := records.RecordBatch()
		columns := make([]arrow.Array, len(w.columns))
		for n, i := range at {
			columns[i] = rec.Column(slices.Index(order, leaves[n]))
		}
		if err := w.scanned(ctx, columns, int(rec.NumRows()), keys, each); err != nil {
			return err
		}
	}
	return records.Err()
}

// batchSize is how many rows are read at once, so that they do not weigh too much.
func batchSize(m *metadata.FileMetaData) int64 {
	var bytes int64
	for _, g := range m.GetRowGroups() {
		bytes += g.GetTotalByteSize()
	}
	return min(max(scanBytes*m.NumRows/max(bytes, 1), 16), 8192)
}

// scanned completes a batch and hands it on.
func (w *Writer) scanned(ctx context.Context, columns []arrow.Array, rows int, keys bool, each func(columns []arrow.Array, rows int) error) error {
	var own []arrow.Array
	defer func() { releaseAll(own) }()
	for i, c := range columns {
		switch {
		case c == nil && keys:
			continue
		case c == nil:
			columns[i] = array.MakeArrayOfNull(memory.DefaultAllocator, w.types[i], rows)
		case arrow.TypeEqual(c.DataType(), w.types[i]):
			continue
		default:
			wide, err := compute.CastArray(ctx, c, compute.SafeCastOptions(w.types[i]))
			if err != nil {
				return fmt.Errorf("column %s: %w", w.columns[i].Name, err)
			}
			columns[i] = wide
		}
		own = append(own, columns[i])
	}
	return each(columns, rows)
}
