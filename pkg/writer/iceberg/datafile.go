package iceberg

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/writer/parquet"
)

// A dataFile is a Parquet file being written. One goroutine at a time uses it.
type dataFile struct {
	w        *Writer
	location string
	out      stagedFile
	pq       *parquet.Writer
	origin   int
	held     int64 // what the file counts for in Sink.buffered
}

// newFile opens the next file of the run. The caller holds w.mu.
func (w *Writer) newFile(ctx context.Context) (*dataFile, error) {
	columns, err := w.columns()
	if err != nil {
		return nil, err
	}
	location, err := w.fileLocation(w.run, w.files)
	if err != nil {
		return nil, err
	}
	w.files++
	out, err := w.st.create(ctx, location)
	if err != nil {
		return nil, err
	}
	codec, _ := parquet.ParseCodec(w.sink.opts.Codec) // Open has checked it
	f := &dataFile{w: w, location: location, out: out}
	// Pages of very wide tables are small, for there is one of each column.
	page := min(max(w.sink.share()/int64(4*len(columns)), 16<<10), 1<<20)
	f.pq, err = parquet.NewWriter(out, columns, parquet.Options{Codec: codec, PageBytes: int(page)})
	if err != nil {
		out.Abort()
		return nil, err
	}
	return f, nil
}

// columns describes the source's columns with the field ids of the table's.
func (w *Writer) columns() ([]parquet.Column, error) {
	columns := make([]parquet.Column, len(w.src.Columns))
	for i, c := range w.src.Columns {
		f, ok := fieldByName(w.schema, c.Name)
		if !ok {
			return nil, fmt.Errorf("column %q is not in the table", c.Name)
		}
		columns[i] = parquet.Column{Name: c.Name, ID: f.ID, Type: c.Arrow, Nullable: !f.Required}
		if l, ok := f.Type.(*iceberg.ListType); ok {
			columns[i].ElementID = l.ElementID
		}
	}
	return columns, nil
}

// fileLocation returns where a run's n-th file lies.
func (w *Writer) fileLocation(run string, n int) (string, error) {
	p, err := table.LoadLocationProvider(w.location, w.props)
	if err != nil {
		return "", err
	}
	return p.NewDataLocation(fmt.Sprintf("%s-%05d.parquet", run, n)), nil
}

// share is what one of the files written at the same time may hold back.
func (s *Sink) share() int64 { return s.opts.Memory / int64(s.opts.Parallel) }

func (f *dataFile) write(ctx context.Context, b *batch.Batch) error {
	defer context.AfterFunc(ctx, f.out.Interrupt)()
	if err := f.pq.WriteBatch(b.Rows); err != nil {
		return err
	}
	s := f.w.sink
	all := f.hold(f.pq.Buffered())
	// A file gives its row group up when it has its share, or earlier when files
	// that nobody writes to at the moment hold more than theirs.
	if share := s.share(); f.held > share || all > s.opts.Memory && f.held > share/4 {
		if err := f.pq.Flush(); err != nil {
			return err
		}
		f.hold(0)
	}
	return nil
}

// hold counts what the file holds back and returns the sum for all files.
func (f *dataFile) hold(n int64) int64 {
	d := n - f.held
	f.held = n
	return f.w.sink.buffered.Add(d)
}

func (f *dataFile) size() int64 { return f.pq.Size() }

// finish writes what is left and the footer, but does not close the file.
func (f *dataFile) finish() (iceberg.DataFile, error) {
	footer, err := f.pq.Close()
	f.hold(0)
	if err != nil {
		return nil, err
	}
	md, err := metadata.NewFileMetaData(footer, nil)
	if err != nil {
		return nil, err
	}
	return table.DataFileFromMetadata(table.DataFileArgs{
		Schema: f.w.schema, Spec: *iceberg.UnpartitionedSpec, Format: iceberg.ParquetFile, Metadata: md,
		FilePath: f.location, FileSize: f.size(), Content: iceberg.EntryContentData,
		Properties: f.w.props, FormatVersion: 2,
	})
}

// abort gives the file up.
func (f *dataFile) abort() {
	f.pq.Discard()
	f.hold(0)
	f.out.Abort()
}
