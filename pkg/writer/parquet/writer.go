// Package parquet writes Arrow record batches of flat tables as Parquet files.
//
// It knows just the types that tables of a database have, and does no more for
// a value than it must: values of a page gather in one buffer, are encoded in
// one pass and compressed in the way that a sample of them chose.
package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// Options tune a Writer. The zero value is ready for use.
type Options struct {
	Codec        Codec // of every column; the zero value does not compress
	RowGroupRows int   // most rows of a row group; the default is 256k
	PageBytes    int   // a page ends at about so many bytes; the default is 1 MiB
	// Legacy has the file read by programs older than version 2 of the format: timestamps are
	// INT96, in which nothing tells the zone, decimals are bytes and no integer is packed.
	Legacy bool
}

// A Writer writes one file. It is not safe for concurrent use.
type Writer struct {
	out     io.Writer
	opts    Options
	columns []*column
	offset  int64
	rows    int // in the row group at work
	total   int64
	groups  thrift // the finished row groups
	count   int
	err     error
}

// NewWriter starts a file with the given columns.
func NewWriter(out io.Writer, columns []Column, opts Options) (*Writer, error) {
	if opts.RowGroupRows <= 0 {
		opts.RowGroupRows = 256 << 10
	}
	if opts.PageBytes <= 0 {
		opts.PageBytes = 1 << 20
	}
	w := &Writer{out: out, opts: opts}
	for _, spec := range columns {
		c, err := newColumn(spec, opts.Codec, opts.PageBytes)
		if err != nil {
			return nil, err
		}
		if opts.Legacy {
			c.older()
		}
		w.columns = append(w.columns, c)
	}
	w.put([]byte(magic))
	return w, w.err
}

const magic = "PAR1"

// put writes to the file and keeps count. After the first error it does nothing.
func (w *Writer) put(b []byte) {
	if w.err == nil {
		_, _ = w.Write(b)
	}
}

// Write is for ropes; use WriteBatch.
func (w *Writer) Write(b []byte) (int, error) {
	n, err := w.out.Write(b)
	w.offset += int64(n)
	w.err = err
	return n, err
}

// WriteBatch adds rows. It keeps nothing of the batch.
func (w *Writer) WriteBatch(rec arrow.RecordBatch) error {
	return w.WriteRows(rec.Columns(), 0, int(rec.NumRows()))
}

// WriteRows adds rows from..from+rows-1 of the columns. It keeps nothing of them.
func (w *Writer) WriteRows(columns []arrow.Array, from, rows int) error {
	if w.err != nil {
		return w.err
	}
	if len(columns) != len(w.columns) {
		return fmt.Errorf("batch has %d columns, the file has %d", len(columns), len(w.columns))
	}
	for end := from + rows; from < end; {
		n := min(end-from, w.opts.RowGroupRows-w.rows)
		if err := w.addRows(columns, from, n); err != nil {
			w.err = err
			return err
		}
		from += n
		if w.rows += n; w.rows >= w.opts.RowGroupRows {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) addRows(columns []arrow.Array, from, n int) error {
	z := compressors.Get().(*compressor)
	defer z.put()
	for i, c := range w.columns {
		a := columns[i]
		// Rows that are left out may well hold nulls.
		if a.NullN() > 0 && !c.Nullable && bitutil.CountSetBits(a.NullBitmapBytes(), a.Data().Offset()+from, n) < n {
			return fmt.Errorf("column %q: null where none is allowed", c.Name)
		}
		for done := 0; done < n; {
			done += c.add(c, a, from+done, n-done)
			if c.huge == nil && !c.full() {
				continue
			}
			if err := c.endPage(z); err != nil {
				return err
			}
			if c.huge != nil {
				if err := c.endHuge(z); err != nil {
					return err
				}
				done++
			}
		}
	}
	return nil
}

// Buffered is what the row group at work holds back in memory, in bytes.
func (w *Writer) Buffered() int64 {
	var n int64
	for _, c := range w.columns {
		n += c.memory()
	}
	return n
}

// Estimate is about the size that the file would have if it ended here.
func (w *Writer) Estimate() int64 {
	n := w.offset
	for _, c := range w.columns {
		n += c.estimate()
	}
	return n
}

// Size is the size of the file so far, without what is held back.
func (w *Writer) Size() int64 { return w.offset }

// Rows is how many rows have been added.
func (w *Writer) Rows() int64 { return w.total + int64(w.rows) }

// Flush ends the row group at work.
func (w *Writer) Flush() error {
	if w.err != nil || w.rows == 0 {
		return w.err
	}
	z := compressors.Get().(*compressor)
	defer z.put()
	start := w.offset
	var size int64
	g := &w.groups
	g.begin()
	g.list(1, thriftStruct, len(w.columns))
	for _, c := range w.columns {
		if err := w.endChunk(c, z); err != nil {
			w.err = err
			return err
		}
		size += c.size
		c.reset()
	}
	g.i64(2, size)
	g.i64(3, int64(w.rows))
	g.i64(5, start)
	g.i64(6, w.offset-start)
	g.i16(7, int16(w.count)) //nolint:gosec // a file ends long before
	g.end()
	w.count++
	w.total += int64(w.rows)
	w.rows = 0
	return nil
}

// endChunk writes a column chunk and describes it in the row group.
func (w *Writer) endChunk(c *column, z *compressor) error {
	if err := c.endPage(z); err != nil {
		return err
	}
	start := w.offset
	dictAt := int64(0)
	if c.pages[0] > 0 {
		dictAt = start
		page := rope{block: c.data.block}
		way := undecided
		_, enc := c.dictEncodings()
		if err := c.writePage(&page, z, &way, c.dict.page, c.dict.len(), enc, true); err != nil {
			return err
		}
		if err := page.writeTo(w); err != nil {
			return err
		}
		page.release()
	}
	dataAt := w.offset
	if err := c.data.writeTo(w); err != nil {
		return err
	}
	c.describe(&w.groups, start, dictAt, dataAt, w.offset-start)
	return nil
}

// Close ends the file and returns its footer. It does not close what the file
// is written to.
func (w *Writer) Close() (footer []byte, err error) {
	if err := w.Flush(); err != nil {
		return nil, err
	}
	footer = w.footer()
	w.put(footer)
	var tail thrift
	tail.b = append(tail.b, byte(len(footer)), byte(len(footer)>>8), byte(len(footer)>>16), byte(len(footer)>>24))
	w.put(append(tail.b, magic...))
	if w.err != nil {
		return nil, w.err
	}
	w.err = errors.New("the file is closed")
	return footer, nil
}

// Discard gives the memory of a file back that is not going to be finished.
func (w *Writer) Discard() {
	for _, c := range w.columns {
		c.data.release()
	}
	w.err = errors.New("the file is discarded")
}
