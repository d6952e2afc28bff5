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

func (f form) scanParquet(ctx context.Context, in input, only []int, each func(columns []arrow.Array, rows int) error) error {
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
	for i, c := range f.columns {
		j := slices.IndexFunc(sc.Fields(), func(g arrow.Field) bool { return g.Name == c.Name })
		if j < 0 || only != nil && !slices.Contains(only, i) {
			continue
		}
		leaves, at = append(leaves, j), append(at, i)
	}
	if f.format == ParquetLegacy {
		return f.scanLegacy(ctx, rd, pq, leaves, at, only, each)
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
		columns := make([]arrow.Array, len(f.columns))
		for n, i := range at {
			columns[i] = rec.Column(slices.Index(order, leaves[n]))
		}
		if err := f.scanned(ctx, columns, int(rec.NumRows()), only, each); err != nil {
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
func (f form) scanned(ctx context.Context, columns []arrow.Array, rows int, only []int, each func(columns []arrow.Array, rows int) error) error {
	var own []arrow.Array
	defer func() { releaseAll(own) }()
	for i, c := range columns {
		switch {
		case c == nil && only != nil && !slices.Contains(only, i):
			continue
		case c == nil:
			columns[i] = array.MakeArrayOfNull(memory.DefaultAllocator, f.types[i], rows)
		case arrow.TypeEqual(c.DataType(), f.types[i]):
			continue
		default:
			wide, err := compute.CastArray(ctx, c, compute.SafeCastOptions(f.types[i]))
			if err != nil {
				return fmt.Errorf("column %s: %w", f.columns[i].Name, err)
			}
			columns[i] = wide
		}
		own = append(own, columns[i])
	}
	return each(columns, rows)
}
