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
	"github.com/apache/iceberg-go/table/dv"

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

	parts  *partitioner // nil if the table has no partitions
	scoped bool         // a key is deleted in its partition, which the key tells

	data, deletes foldFiles
	files         []foldFile // of this commit's data files, by stretch.file
	gone          []rowAt
	vectors       *dv.DVWriter // of format version 3, what was gone before
	spilled       []*spillFile // oldest first
}

// A foldFile is a data file that the commit has begun.
type foldFile struct {
	location string
	part     *partition
	number   uint32
}

// A chunk is one batch, its rows put together by partition.
type chunk struct {
	rec  arrow.RecordBatch // nil once it is in files
	rows int
	dead []uint64 // a bit for each row that is no row of the table, or nil: all are
	keys []span   // rows whose keys are to be deleted
	held int64
	// stretches are the rows of one partition each, in the order of the rows. A
	// table without partitions has one.
	stretches []stretch
}

// A stretch is rows of a chunk that go to one file, as far as they live.
type stretch struct {
	part uint32
	span
	file int
	base int64 // the first row's number in the file
}

type span struct{ from, to int }

// A rowAt is a row of a file: number of the file and of the row.
type rowAt uint64

func (r rowAt) file() int  { return int(r >> 32) }
func (r rowAt) row() int64 { return int64(r & (1<<32 - 1)) }

// add folds a batch in. The fold keeps it.
func (f *fold) add(ctx context.Context, b *batch.Batch) error {
	if len(f.chunks) >= maxChunks {
		return errors.New("too many batches in one commit")
	}
	hashes, err := f.keys.hash(b.Rows)
	if err != nil {
		return err
	}
	c, at, err := f.chunkOf(ctx, b.Rows)
	if err != nil {
		return err
	}
	f.chunks = append(f.chunks, c)
	f.held += c.held
	f.dirty = true
	if b.Ops == nil {
		f.inserts(hashes, at)
	} else {
		f.changes(hashes, b.Ops, at)
	}
	return nil
}

// inserts is changes where all are Inserts.
func (f *fold) inserts(hashes []keyHash, at []int32) {
	ref := refTo(len(f.chunks)-1, 0)
	for i, h := range hashes {
		e := f.index.find(h)
		if e.ref.live() {
			f.supersede(e.ref)
		}
		if at != nil {
			i = int(at[i])
		}
		e.ref = ref + rowRef(i)
	}
}

// changes takes the rows of the last chunk in, in the order of the changes; at is
// where the chunk has them, nil if in just that order.
func (f *fold) changes(hashes []keyHash, ops []batch.Op, at []int32) {
	n := len(f.chunks) - 1
	c := &f.chunks[n]
	ref := refTo(n, 0)
	for i, h := range hashes {
		e := f.index.find(h)
		op := ops[i]
		if at != nil {
			i = int(at[i])
		}
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
	s := c.stretch(r.row())
	before := c.deadBefore(r.row()) - c.deadBefore(s.from)
	return rowAt(s.file)<<32 | rowAt(s.base+int64(r.row()-s.from-before))
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

// release gives the batch back.
func (f *fold) release(c *chunk) {
	if c.rec != nil {
		c.rec.Release()
		f.held -= c.held
		c.rec, c.keys = nil, nil
	}
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
		err = f.writeVectors(ctx)
	}
	if err == nil {
		err = errors.Join(f.data.stageAll(ctx), f.deletes.stageAll(ctx))
	}
	if err != nil {
		return fmt.Errorf("fold changes: %w", err)
	}
	f.dirty = false
	return nil
}

// drop gives everything up that has not been staged.
func (f *fold) drop() {
	f.data.drop()
	f.deletes.drop()
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
	f.spilled, f.files, f.gone, f.vectors = nil, nil, nil, nil
	f.active, f.fresh, f.dirty = false, false, false
	if f.parts != nil {
		f.parts.reset()
	}
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
