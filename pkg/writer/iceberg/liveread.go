package iceberg

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

const (
	// readRows is how many rows are read at a time, at most.
	readRows = 4096
	// readBytes is how much of a file, as it is there, the rows of one batch are about.
	readBytes = 2 << 20
)

// A reading reads what the deletes of a snapshot have left of its data files. Positions are
// iceberg-go's matter. Keys are not, see deletedKeys.
type reading struct {
	tbl     *table.Table
	all     *contents
	options []table.ScanOption // say which columns
	most    int64              // bytes of memory for deleted keys
}

// scan returns a scan for one file.
func (r *reading) scan(f *liveFile) *table.Scan {
	rows := int64(readRows)
	if n := f.df.Count(); n > 0 {
		rows = min(rows, max(readBytes*n/max(f.df.FileSizeBytes(), 1), 16))
	}
	options := []table.ScanOption{table.WithMaxConcurrency(1), table.WithArrowBatchSize(int(rows))}
	return r.tbl.Scan(append(options, r.options...)...)
}

// task is what a scan is to read of a file, and without which positions.
func (r *reading) task(f *liveFile) table.FileScanTask {
	task := table.FileScanTask{File: f.df, Length: f.df.FileSizeBytes(), DataSequenceNumber: &f.seq, FirstRowID: f.df.FirstRowID()}
	for _, d := range r.all.positionsOf(f) {
		if d.df.FileFormat() == iceberg.PuffinFile {
			task.DeletionVectorFiles = append(task.DeletionVectorFiles, d.df)
		} else {
			task.DeleteFiles = append(task.DeleteFiles, d.df)
		}
	}
	return task
}

// rows calls yield with the rows that are left of a file, which keeps none of them. Those go
// too whose numbers, among the rows that have their positions, are in gone.
func (r *reading) rows(ctx context.Context, keys *deletedKeys, f *liveFile, gone bitmap, yield func(arrow.RecordBatch) error) error {
	return r.each(ctx, keys, f, func(filter *keyFilter, first int64, rec arrow.RecordBatch) error {
		left, err := filter.without(ctx, f, rec, gone.from(first, rec.NumRows()))
		if err != nil {
			return fmt.Errorf("read %s: %w", f.df.FilePath(), err)
		}
		defer left.Release()
		if left.NumRows() == 0 {
			return nil
		}
		return yield(left)
	})
}

// each calls what with the rows of a file that have their positions, and the number of the
// first of them. An error of its own comes back as it is.
func (r *reading) each(ctx context.Context, keys *deletedKeys, f *liveFile, what func(filter *keyFilter, first int64, rec arrow.RecordBatch) error) error {
	fails := func(err error) error { return fmt.Errorf("read %s: %w", f.df.FilePath(), err) }
	scan := r.scan(f)
	sc, err := scan.Projection()
	if err != nil {
		return fails(err)
	}
	filter, err := keys.filter(sc)
	if err != nil {
		return fails(err)
	}
	_, recs, err := scan.ReadTasks(ctx, []table.FileScanTask{r.task(f)})
	if err != nil {
		return fails(err)
	}
	first := int64(0)
	for rec, err := range recs {
		if err != nil {
			return fails(err)
		}
		n := rec.NumRows()
		err = what(filter, first, rec)
		rec.Release()
		if err != nil {
			return err
		}
		first += n
	}
	return ctx.Err()
}

// A bitmap has numbers from 0 up; the nil one has none.
type bitmap []uint64

func newBitmap(n int64) bitmap { return make(bitmap, (n+63)/64) }

// from returns which of n numbers are in it, or nil if it has none at all.
func (b bitmap) from(first, n int64) []bool {
	if b == nil {
		return nil
	}
	out := make([]bool, n)
	for i := range out {
		at := first + int64(i)
		out[i] = at/64 < int64(len(b)) && b[at/64]&(1<<(at%64)) != 0
	}
	return out
}

func (b bitmap) add(n int64) error {
	if n/64 >= int64(len(b)) {
		return errors.New("it has more rows than its metadata counts")
	}
	b[n/64] |= 1 << (n % 64)
	return nil
}
