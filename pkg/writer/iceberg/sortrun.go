package iceberg

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A sortedRun is rows in order in a temporary file: an Arrow stream, of which
// each partition has a stretch. On Unix the file has no name any more, so that it
// goes whatever becomes of the process.
type sortedRun struct {
	file     *os.File
	head     []byte // how the stream begins: its schema
	segments []segment
	largest  int64 // bytes of the largest batch
}

// A segment is where the rows of a partition are.
type segment struct {
	part     uint32
	from, to int64
}

// A countingWriter counts.
type countingWriter struct {
	*bufio.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// A runWriter writes a run.
type runWriter struct {
	run *sortedRun
	out *countingWriter
	ipc *ipc.Writer
	dir string
}

func (p *pile) newRun(sc *arrow.Schema) (*runWriter, error) {
	w := &runWriter{dir: cmp.Or(p.w.sink.opts.SpillDir, os.TempDir())}
	file, err := os.CreateTemp(p.w.sink.opts.SpillDir, "tablehaul-rows-*")
	if err != nil {
		return nil, &spillError{w.dir, err}
	}
	_ = os.Remove(file.Name()) // where this is refused, close does it
	w.run = &sortedRun{file: file}
	w.out = &countingWriter{Writer: bufio.NewWriterSize(file, 256<<10)}
	w.ipc = ipc.NewWriter(w.out, ipc.WithSchema(sc))
	// The schema is written with the first batch, which is an empty one.
	b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	defer b.Release()
	none := b.NewRecordBatch()
	defer none.Release()
	err = w.ipc.Write(none)
	if err == nil {
		err = w.out.Flush()
	}
	if err == nil {
		w.run.head = make([]byte, w.out.n)
		_, err = file.ReadAt(w.run.head, 0)
	}
	if err != nil {
		w.run.close()
		return nil, &spillError{w.dir, err}
	}
	return w, nil
}

// begin begins the stretch of a partition.
func (w *runWriter) begin(part uint32) {
	w.run.segments = append(w.run.segments, segment{part, w.out.n, w.out.n})
}

func (w *runWriter) write(rec arrow.RecordBatch) error {
	if err := w.ipc.Write(rec); err != nil {
		return &spillError{w.dir, err}
	}
	s := &w.run.segments[len(w.run.segments)-1]
	w.run.largest = max(w.run.largest, recordBytes(rec))
	s.to = w.out.n
	return nil
}

// end completes the run, or gives it up because of an error.
func (w *runWriter) end(err error) (*sortedRun, error) {
	if err == nil {
		if err = w.out.Flush(); err != nil {
			err = &spillError{w.dir, err}
		}
	}
	if err != nil {
		w.run.close()
		return nil, err
	}
	return w.run, nil
}

func (r *sortedRun) close() {
	_ = r.file.Close()
	_ = os.Remove(r.file.Name())
}

func closeRuns(runs []*sortedRun) {
	for _, r := range runs {
		r.close()
	}
}

// spill makes a run of a list.
func (p *pile) spill(ctx context.Context, list piled) error {
	s, err := p.sort(list)
	p.release(list)
	if err != nil {
		return err
	}
	defer s.rec.Release()
	w, err := p.newRun(s.rec.Schema())
	if err != nil {
		return err
	}
	for _, r := range s.runs {
		w.begin(r.part)
		if err = s.batches(ctx, r, p.batchBytes(), w.write); err != nil {
			break
		}
	}
	run, err := w.end(err)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = append(p.runs, run)
	p.spilled += w.out.n
	p.spills.Add(w.out.n)
	return nil
}

// A runReader reads the rows of a partition from a run.
type runReader struct {
	ipc *ipc.Reader
	dir string
}

// open returns nil if the run has none of them.
func (r *sortedRun) open(part uint32, dir string) (*runReader, error) {
	i, ok := slices.BinarySearchFunc(r.segments, part, func(s segment, part uint32) int { return cmp.Compare(s.part, part) })
	if !ok {
		return nil, nil
	}
	s := r.segments[i]
	body := bufio.NewReaderSize(io.NewSectionReader(r.file, s.from, s.to-s.from), 32<<10)
	in, err := ipc.NewReader(io.MultiReader(bytes.NewReader(r.head), body))
	if err != nil {
		return nil, &spillError{dir, err}
	}
	return &runReader{in, dir}, nil
}

// next returns the next batch, which is the caller's to release, or nil.
func (r *runReader) next() (arrow.RecordBatch, error) {
	for {
		rec, err := r.ipc.Read()
		switch {
		case err == io.EOF: //nolint:errorlint // within other errors it is no end
			return nil, nil
		case err != nil:
			return nil, &spillError{r.dir, err}
		case rec.NumRows() > 0:
			rec.Retain()
			return rec, nil
		}
	}
}

func (r *runReader) close() { r.ipc.Release() }
