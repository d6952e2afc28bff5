package iceberg

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// A fold turns the changes of one commit into what Iceberg can say in one
// snapshot: rows, keys whose older rows go (equality deletes), and rows of this
// very commit that go again (position deletes: an equality delete does not reach
// rows of its own snapshot).
//
// Batches are kept for a while, so that changes of one key that follow each
// other closely leave one row. When they take too much memory, what has survived
// of them is written to files.
type fold struct {
	w  *Writer
	mu sync.Mutex // held by whoever is at it: relieve comes from other tables

	keys    *keyHasher
	index   keyIndex
	chunks  []chunk
	flushed int   // so many chunks are in files
	held    int64 // bytes of the others

	counted int64        // what the fold counts for in Sink.buffered, without its files
	weight  atomic.Int64 // and with them

	active bool // a change has come since the last commit
	fresh  bool // the table was emptied: no row of an older commit is left
	dirty  bool // there is something that finish has not seen

	data, deletes *dataFile
	files         []string // of this commit's data files, by chunk.file
	gone          []rowAt
	spilled       []*spillFile // oldest first
}

// A chunk is one batch.
type chunk struct {
	rec  arrow.RecordBatch // nil once it is in files
	rows int
	dead []uint64 // a bit for each row that is no row of the table, or nil: all are
	keys []span   // rows whose keys are to be deleted
	held int64
	file int
	base int64 // the first row's number in the file
}

type span struct{ from, to int }

// A rowAt is a row of a file: number of the file and of the row.
type rowAt uint64

func (r rowAt) file() int  { return int(r >> 32) }
func (r rowAt) row() int64 { return int64(r & (1<<32 - 1)) }

// add folds a batch in. The fold keeps it.
func (f *fold) add(b *batch.Batch) error {
	if len(f.chunks) >= maxChunks {
		return errors.New("too many batches in one commit")
	}
	hashes, err := f.keys.hash(b.Rows)
	if err != nil {
		return err
	}
	c := chunk{rows: len(hashes)}
	if c.rec, err = keep(b.Rows); err != nil {
		return err
	}
	c.held = recordBytes(c.rec)
	f.chunks = append(f.chunks, c)
	f.held += c.held
	f.dirty = true
	if b.Ops == nil {
		f.inserts(hashes)
	} else {
		f.changes(hashes, b.Ops)
	}
	return nil
}

// inserts is changes where all are Inserts.
func (f *fold) inserts(hashes []keyHash) {
	ref := refTo(len(f.chunks)-1, 0)
	for i, h := range hashes {
		e := f.index.find(h)
		if e.ref.live() {
			f.supersede(e.ref)
		}
		e.ref = ref + rowRef(i)
	}
}

func (f *fold) changes(hashes []keyHash, ops []batch.Op) {
	n := len(f.chunks) - 1
	c := &f.chunks[n]
	ref := refTo(n, 0)
	for i, h := range hashes {
		e := f.index.find(h)
		op := ops[i]
		switch {
		case e.ref.live():
			f.supersede(e.ref)
		case e.ref == 0 && op != batch.Insert && !f.fresh:
			c.deleteKey(i)
		}
		if op == batch.Insert || op == batch.After {
			e.ref = ref + rowRef(i)
		} else {
			e.ref = goneRef
			c.kill(i)
		}
	}
}

// supersede takes a row of this commit out again.
func (f *fold) supersede(r rowRef) {
	if r.chunk() >= f.flushed {
		f.chunks[r.chunk()].kill(r.row())
		return
	}
	f.gone = append(f.gone, f.where(r))
}

// where returns the place of a row that was written to a file.
func (f *fold) where(r rowRef) rowAt {
	c := &f.chunks[r.chunk()]
	return rowAt(c.file)<<32 | rowAt(c.base+int64(r.row()-c.deadBefore(r.row())))
}

func (c *chunk) kill(row int) {
	if c.dead == nil {
		c.dead = make([]uint64, (c.rows+63)/64)
	}
	c.dead[row/64] |= 1 << (row % 64)
}

func (c *chunk) deleteKey(row int) {
	if n := len(c.keys); n > 0 && c.keys[n-1].to == row {
		c.keys[n-1].to++
		return
	}
	c.keys = append(c.keys, span{row, row + 1})
}

// deadBefore counts the dead among the rows before row.
func (c *chunk) deadBefore(row int) int {
	if c.dead == nil {
		return 0
	}
	n := 0
	for _, w := range c.dead[:row/64] {
		n += bits.OnesCount64(w)
	}
	return n + bits.OnesCount64(c.dead[row/64]&(1<<(row%64)-1))
}

// next returns the first run of living rows from row on.
func (c *chunk) next(row int) (s span, ok bool) {
	if c.dead == nil {
		return span{row, c.rows}, row < c.rows
	}
	from := c.seek(row, false)
	if from >= c.rows {
		return s, false
	}
	return span{from, c.seek(from, true)}, true
}

// seek returns the first row from row on that is dead or that is not.
func (c *chunk) seek(row int, dead bool) int {
	for row < c.rows {
		w := c.dead[row/64]
		if !dead {
			w = ^w
		}
		if w >>= row % 64; w != 0 {
			return min(row+bits.TrailingZeros64(w), c.rows)
		}
		row += 64 - row%64
	}
	return c.rows
}

// flush writes what is kept in memory to files.
func (f *fold) flush(ctx context.Context) error {
	for f.flushed < len(f.chunks) {
		if err := f.flushChunk(ctx, &f.chunks[f.flushed]); err != nil {
			return err
		}
		f.flushed++
	}
	return nil
}

func (f *fold) flushChunk(ctx context.Context, c *chunk) error {
	if s, ok := c.next(0); ok {
		if err := f.openData(ctx); err != nil {
			return err
		}
		c.file, c.base = len(f.files)-1, f.data.pq.Rows()
		for ; ok; s, ok = c.next(s.to) {
			if err := f.data.rows(c.rec.Columns(), s); err != nil {
				return err
			}
		}
		if err := f.full(&f.data); err != nil {
			return err
		}
	}
	if len(c.keys) > 0 {
		if err := f.openDeletes(ctx); err != nil {
			return err
		}
		columns := make([]arrow.Array, len(f.keys.columns))
		for i, k := range f.keys.columns {
			columns[i] = c.rec.Column(k)
		}
		for _, s := range c.keys {
			if err := f.deletes.rows(columns, s); err != nil {
				return err
			}
		}
		if err := f.full(&f.deletes); err != nil {
			return err
		}
	}
	f.release(c)
	return nil
}

// release gives the batch back.
func (f *fold) release(c *chunk) {
	if c.rec != nil {
		c.rec.Release()
		f.held -= c.held
		c.rec, c.keys = nil, nil
	}
}

func (f *fold) openData(ctx context.Context) (err error) {
	if f.data != nil {
		return nil
	}
	if f.data, err = f.w.open(ctx, dataContent); err == nil {
		f.files = append(f.files, f.data.location)
	}
	return err
}

func (f *fold) openDeletes(ctx context.Context) (err error) {
	if f.deletes == nil {
		f.deletes, err = f.w.open(ctx, keyContent)
	}
	return err
}

// full looks after the memory of a file, and stages it when it is large enough.
func (f *fold) full(file **dataFile) error {
	d := *file
	if err := d.relieve(); err != nil {
		return err
	}
	if d.size() < f.w.sink.opts.TargetFileSize {
		return nil
	}
	return f.stage(file)
}

// stage ends a file.
func (f *fold) stage(file **dataFile) error {
	d := *file
	if d == nil {
		return nil
	}
	*file = nil
	err := f.w.finish(d)
	if err != nil {
		d.abort()
	}
	return err
}

// finish ends the files and works out which rows of this commit go again.
func (f *fold) finish(ctx context.Context) error {
	if !f.dirty {
		return nil
	}
	err := f.flush(ctx)
	if err == nil && len(f.spilled) > 0 {
		if err = f.spill(ctx); err == nil {
			err = f.mergeSpilled(ctx, f.spilled, func(indexEntry) error { return nil })
		}
	}
	if err == nil {
		err = f.writeGone(ctx)
	}
	if err == nil {
		err = errors.Join(f.stage(&f.data), f.stage(&f.deletes))
	}
	if err != nil {
		return fmt.Errorf("fold changes: %w", err)
	}
	f.dirty = false
	return nil
}

// drop gives everything up that has not been staged.
func (f *fold) drop() {
	for _, file := range []**dataFile{&f.data, &f.deletes} {
		if *file != nil {
			(*file).abort()
			*file = nil
		}
	}
	f.index = keyIndex{}
	f.reset()
}

// reset readies the fold for the next commit.
func (f *fold) reset() {
	for i := range f.chunks[f.flushed:] {
		f.release(&f.chunks[f.flushed+i])
	}
	if cap(f.chunks) > 1<<12 {
		f.chunks = nil
	}
	clear(f.chunks)
	f.chunks, f.flushed = f.chunks[:0], 0
	f.index.reset()
	for _, r := range f.spilled {
		r.close()
	}
	f.spilled, f.files, f.gone = nil, nil, nil
	f.active, f.fresh, f.dirty = false, false, false
	f.account()
}

// keep returns the batch with a reference of its own. Builders leave much room in
// the buffers of a small batch, so that one is copied.
func keep(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if rec.NumRows() >= smallBatch {
		rec.Retain()
		return rec, nil
	}
	columns := make([]arrow.Array, 0, rec.NumCols())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for _, c := range rec.Columns() {
		fitting, err := array.Concatenate([]arrow.Array{c}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		columns = append(columns, fitting)
	}
	return array.NewRecordBatch(rec.Schema(), columns, rec.NumRows()), nil
}

const smallBatch = 512

// recordBytes is the memory that a batch takes, with what its buffers have in
// reserve.
func recordBytes(rec arrow.RecordBatch) int64 {
	var n int64
	for _, c := range rec.Columns() {
		n += dataBytes(c.Data())
	}
	return n
}

func dataBytes(d arrow.ArrayData) int64 {
	var n int64
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Cap())
		}
	}
	for _, c := range d.Children() {
		n += dataBytes(c)
	}
	return n
}
