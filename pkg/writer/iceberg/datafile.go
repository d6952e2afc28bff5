package iceberg

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/writer/parquet"
)

// A dataFile is a Parquet file being written. One goroutine at a time uses it.
type dataFile struct {
	w        *Writer
	content  content
	location string
	out      stagedFile
	pq       *parquet.Writer
	origin   int
	origins  []int // all that have rows in it, in a run that keeps
	began    time.Time
	held     int64 // what the file counts for in Sink.buffered

	spread *spread    // that the file is of; nil if of none
	part   *partition // nil if the table has none, or the file is of all of them
	number uint32     // of the partition
	order  int        // id of the sort order that the rows are in; 0 if in none
	last   []byte     // key of the last row, where rows come in order
	used   int64      // when it was written to last
	fold   int        // number among the data files of a fold
}

// A content is what a file holds.
type content int

const (
	stockContent    content = iota // rows that the changes of the same commit apply to
	dataContent                    // rows that they have left
	keyContent                     // keys whose older rows are deleted
	positionContent                // rows of the same commit that are deleted
	clearContent                   // the first columns of keys whose older rows are deleted
)

// newFile opens the next file of the run. The caller holds w.mu.
func (w *Writer) newFile(ctx context.Context, content content) (*dataFile, error) {
	columns, err := w.columns(content)
	if err != nil {
		return nil, err
	}
	location, err := w.fileLocation(w.prefix, w.files)
	if err != nil {
		return nil, err
	}
	w.files++
	out, err := w.st.create(ctx, location)
	if err != nil {
		return nil, err
	}
	f := &dataFile{w: w, content: content, location: location, out: out, began: time.Now()}
	f.pq, err = parquet.NewWriter(out, columns, parquet.Options{Codec: w.codec(), PageBytes: w.pageBytes(len(columns))})
	if err != nil {
		f.giveUp()
		return nil, err
	}
	return f, nil
}

// open begins the run if need be and opens its next file.
func (w *Writer) open(ctx context.Context, content content) (*dataFile, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	return w.newFile(ctx, content)
}

// columns describes the columns of a file, with the field ids of the table's.
func (w *Writer) columns(content content) ([]parquet.Column, error) {
	source := w.src.Columns
	switch content {
	case positionContent:
		var columns []parquet.Column
		for _, f := range iceberg.PositionalDeleteSchema.Fields() {
			c := parquet.Column{Name: f.Name, ID: f.ID, Type: arrow.PrimitiveTypes.Int64, WholeBounds: true}
			if f.Type.Equals(iceberg.PrimitiveTypes.String) {
				c.Type = arrow.BinaryTypes.String
			}
			columns = append(columns, c)
		}
		return columns, nil
	case keyContent, clearContent:
		key := w.src.Key
		if content == clearContent {
			key = key[:w.cleared]
		}
		source = nil
		for _, k := range key {
			source = append(source, w.src.Columns[k])
		}
	}
	columns := make([]parquet.Column, len(source))
	for i, c := range source {
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

// vectorLocation is fileLocation for a file of deletion vectors.
func (w *Writer) vectorLocation(run string, n int) (string, error) {
	loc, err := w.fileLocation(run, n)
	return strings.TrimSuffix(loc, ".parquet") + ".puffin", err
}

// pageBytes is the size of pages. Those of very wide tables are small, for there
// is one of each column, and so are those of files that are many at once or small.
func (w *Writer) pageBytes(columns int) int {
	n := w.sink.share()
	if w.spreads != nil {
		n = min(n, w.sink.opts.Memory/int64(w.spreads.most))
	}
	n = min(n, w.target()/2)
	return int(min(max(n/int64(4*columns), 16<<10), 1<<20))
}

// share is what one of the files written at the same time may hold back.
func (s *Sink) share() int64 { return s.opts.Memory / int64(s.opts.Parallel) }

func (f *dataFile) write(ctx context.Context, b *batch.Batch) error {
	defer context.AfterFunc(ctx, f.out.Interrupt)()
	if err := f.pq.WriteBatch(b.Rows); err != nil {
		return err
	}
	return f.relieve()
}

// rows adds some rows of the columns.
func (f *dataFile) rows(columns []arrow.Array, s span) error {
	return f.pq.WriteRows(columns, s.from, s.to-s.from)
}

// relieve ends the row group when it takes too much memory.
func (f *dataFile) relieve() error {
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

// full reports whether the file is as large as it is to be.
func (f *dataFile) full() bool { return f.pq.Estimate() >= f.w.target() }

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
	lay := f.w.layout
	args := table.DataFileArgs{
		Schema: f.w.schema, Spec: lay.spec, Format: iceberg.ParquetFile, Metadata: md,
		FilePath: f.location, FileSize: f.size(), Content: iceberg.EntryContentData,
		SortOrderID: f.order, Properties: f.w.props, FormatVersion: lay.version,
	}
	if f.part != nil {
		args.PartitionValues = f.part.values
	}
	switch f.content {
	case keyContent, clearContent:
		args.Content = iceberg.EntryContentEqDeletes
		if f.part == nil && lay.spec.NumFields() > 0 {
			args.Spec = iceberg.NewPartitionSpecID(lay.global)
		}
		if args.EqualityFieldIDs, err = f.w.keyIDs(f.content); err != nil {
			return nil, err
		}
	case positionContent:
		args.Content, args.Schema = iceberg.EntryContentPosDeletes, positionSchema(f.w.schema)
		// Readers tell by the bounds of the paths which data files are concerned.
		args.Properties = iceberg.Properties{"write.metadata.metrics.default": "full"}
	}
	return table.DataFileFromMetadata(args)
}

// positionSchema is the schema of position deletes with the table's columns, to
// which the fields of a partition belong, under names that are no columns'.
func positionSchema(sc *iceberg.Schema) *iceberg.Schema {
	fields := iceberg.PositionalDeleteSchema.Fields()
	for _, f := range sc.Fields() {
		if _, ok := f.Type.(iceberg.PrimitiveType); ok {
			f.Name, f.Required = fmt.Sprintf("column %d", f.ID), false
			fields = append(fields, f)
		}
	}
	return iceberg.NewSchema(0, fields...)
}

// keyIDs returns the field ids of the key, or of its part that a file has.
func (w *Writer) keyIDs(of content) ([]int, error) {
	columns, err := w.columns(of)
	ids := make([]int, len(columns))
	for i, c := range columns {
		ids[i] = c.ID
	}
	return ids, err
}

// abortAll gives files up, at the same time: a store may take its time.
func abortAll(files []*dataFile) {
	var wg sync.WaitGroup
	for _, f := range files {
		wg.Go(f.abort)
	}
	wg.Wait()
}

// abort gives the file up.
func (f *dataFile) abort() {
	f.pq.Discard()
	f.hold(0)
	f.giveUp()
}

// giveUp is abort of a file that nothing is held back of any more.
func (f *dataFile) giveUp() {
	f.out.Abort()
	f.w.abandon(f.location)
}
