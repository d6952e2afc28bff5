package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"
)

// A pile holds rows until they can be written partition by partition, in the
// table's order. What does not fit in memory is sorted and goes to temporary
// files, the runs of an external sort. It is safe for concurrent use.
type pile struct {
	*spreads
	spread *spread // whose rows they are

	mu      sync.Mutex
	list    piled
	runs    []*sortedRun
	spilled int64
}

// piled are batches in memory.
type piled struct {
	recs  []arrow.RecordBatch
	parts []uint32 // of all their rows; nil: the table has none
	held  int64
}

// listBytes is how much of a pile one list holds. Each goroutine may have one in
// its hands, twice while it is sorted, beside those that are filled. Arrow's offsets
// end at 2 GiB for each column.
func (p *pile) listBytes() int64 {
	o := p.w.sink.opts
	return min(max(o.Memory/(2*(int64(o.Parallel)+p.alive.Load())), 1<<20), 1<<30)
}

// batchBytes is the size of the batches of a run: one of each run is in memory
// when they are merged.
func (p *pile) batchBytes() int64 {
	o := p.w.sink.opts
	runs := o.SpillBytes/p.listBytes() + 1
	return min(max(o.Memory/2/runs, 64<<10), 1<<20)
}

// add puts rows on the pile.
func (p *pile) add(ctx context.Context, rec arrow.RecordBatch, parts []uint32) error {
	kept, err := keep(rec)
	if err != nil {
		return err
	}
	held := recordBytes(kept) + int64(4*len(parts))
	p.w.sink.buffered.Add(held)
	p.mu.Lock()
	p.list.recs = append(p.list.recs, kept)
	p.list.parts = append(p.list.parts, parts...)
	p.list.held += held
	if p.list.held < p.listBytes() {
		p.mu.Unlock()
		return nil
	}
	list := p.list
	p.list = piled{}
	p.mu.Unlock()
	if err := p.spill(ctx, list); err != nil {
		return err
	}
	return p.relieve(ctx)
}

// relieve makes files of the runs when they take too much of the disk.
func (p *pile) relieve(ctx context.Context) error {
	p.mu.Lock()
	limit := p.w.sink.opts.SpillBytes
	if p.spills.Load() < limit && (p.w.keep == nil || p.spilled < limit/2) {
		p.mu.Unlock()
		return nil
	}
	runs := p.takeRuns()
	p.mu.Unlock()
	return p.merge(ctx, runs, p.w.sink.opts.Parallel)
}

// takeRuns takes the runs from the pile. The caller holds p.mu.
func (p *pile) takeRuns() []*sortedRun {
	runs := p.runs
	p.spills.Add(-p.spilled)
	p.runs, p.spilled = nil, 0
	return runs
}

// empty makes files of all that is on the pile, so many at once.
func (p *pile) empty(ctx context.Context, parallel int) error {
	p.mu.Lock()
	list, runs := p.list, p.takeRuns()
	p.list = piled{}
	p.mu.Unlock()
	switch {
	case len(list.recs) == 0 && len(runs) == 0:
		return nil
	case len(runs) == 0:
		return p.writeList(ctx, list, parallel)
	case len(list.recs) > 0:
		if err := p.spill(ctx, list); err != nil {
			closeRuns(runs)
			return err
		}
		p.mu.Lock()
		runs = append(runs, p.takeRuns()...)
		p.mu.Unlock()
	}
	return p.merge(ctx, runs, parallel)
}

// packed is about how much smaller rows are in files than in memory.
const packed = 3

// weigh notes of which partitions there are rows, and returns about how large files
// of them would be.
func (p *pile) weigh(parts map[uint32]bool) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parts == nil && len(p.list.recs) > 0 {
		parts[0] = true
	}
	for _, n := range p.list.parts {
		parts[n] = true
	}
	for _, n := range partsOf(p.runs) {
		parts[n] = true
	}
	return (p.list.held + p.spilled) / packed
}

// drop gives up what is on the pile.
func (p *pile) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(p.list)
	closeRuns(p.takeRuns())
	p.list = piled{}
}

func (p *pile) release(list piled) {
	for _, r := range list.recs {
		r.Release()
	}
	p.w.sink.buffered.Add(-list.held)
}

// A sortedList is rows in one piece, and the order in which they are to be.
type sortedList struct {
	rec   arrow.RecordBatch
	order []int32
	runs  []run // of order
}

// sort puts a list in order.
func (p *pile) sort(list piled) (*sortedList, error) {
	rec, err := concat(list.recs)
	if err != nil {
		return nil, err
	}
	s := &sortedList{rec: rec}
	n := int(rec.NumRows())
	if p.parts == nil {
		s.runs = []run{{0, span{0, n}}}
		s.order = make([]int32, n)
		for i := range s.order {
			s.order[i] = int32(i) //nolint:gosec // rows of a list
		}
	} else {
		var g grouping
		g.sort(list.parts, p.parts.count())
		s.runs, s.order = g.runs, g.order
	}
	if p.order == nil {
		return s, nil
	}
	keys, err := p.order.keys(rec.Columns(), span{0, n})
	if err != nil {
		rec.Release()
		return nil, err
	}
	var refs []sortRef
	for _, r := range s.runs {
		refs = refs[:0]
		for _, row := range s.order[r.from:r.to] {
			refs = append(refs, newSortRef(keys.key(int(row)), int(row)))
		}
		copy(s.order[r.from:], sortRefs(refs))
	}
	return s, nil
}

// concat makes one record of several.
func concat(recs []arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(recs) == 1 {
		recs[0].Retain()
		return recs[0], nil
	}
	columns := make([]arrow.Array, 0, recs[0].NumCols())
	parts := make([]arrow.Array, len(recs))
	for i := range int(recs[0].NumCols()) {
		for j, r := range recs {
			parts[j] = r.Column(i)
		}
		c, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			for _, c := range columns {
				c.Release()
			}
			return nil, err
		}
		columns = append(columns, c)
	}
	return recordOf(recs[0].Schema(), columns), nil
}

// recordOf makes a record of the columns, which it takes over.
func recordOf(sc *arrow.Schema, columns []arrow.Array) arrow.RecordBatch {
	rec := array.NewRecordBatch(sc, columns, int64(columns[0].Len()))
	for _, c := range columns {
		c.Release()
	}
	return rec
}

// batches calls f with the rows of a run in order, some at a time.
func (s *sortedList) batches(ctx context.Context, r run, bytes int64, f func(arrow.RecordBatch) error) error {
	row := max(recordBytes(s.rec)/max(s.rec.NumRows(), 1), 1)
	for rows := range slices.Chunk(s.order[r.from:r.to], int(max(bytes/row, 1))) {
		columns, err := gather(ctx, s.rec.Columns(), rows)
		if err != nil {
			return err
		}
		rec := recordOf(s.rec.Schema(), columns)
		err = f(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// writeList makes files of a list.
func (p *pile) writeList(ctx context.Context, list piled, parallel int) error {
	s, err := p.sort(list)
	p.release(list)
	if err != nil {
		return err
	}
	defer s.rec.Release()
	return each(ctx, len(s.runs), parallel, func(ctx context.Context, i int) error {
		out := &output{p: p, part: s.runs[i].part}
		err := s.batches(ctx, s.runs[i], 1<<20, func(rec arrow.RecordBatch) error { return out.write(ctx, rec) })
		return out.end(ctx, err)
	})
}

// each calls f for 0..n-1, so many at once.
func each(ctx context.Context, n, parallel int, f func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(ctx, i)
		})
	}
	return g.Wait()
}

// An output is the files that rows of one partition go to, in order.
type output struct {
	p    *pile
	part uint32
	file *dataFile
}

func (o *output) write(ctx context.Context, rec arrow.RecordBatch) (err error) {
	w := o.p.w
	if o.file == nil {
		if o.file, err = w.open(ctx, stockContent); err != nil {
			return err
		}
		o.p.spread.assignTo(o.file, o.part)
	}
	stop := context.AfterFunc(ctx, o.file.out.Interrupt)
	err = o.file.pq.WriteBatch(rec)
	if err == nil {
		err = o.file.relieve()
	}
	stop()
	if err == nil && o.file.full() {
		err = o.end(ctx, nil)
	}
	return err
}

// end ends the file, or gives it up because of an error.
func (o *output) end(ctx context.Context, err error) error {
	f := o.file
	o.file = nil
	if f == nil {
		return err
	}
	if err == nil {
		err = o.p.w.finish(ctx, f)
	}
	if err != nil {
		f.abort()
	}
	return err
}

// A spillError is an error of the folder for temporary files.
type spillError struct {
	dir string
	err error
}

// Error tells what was being done.
func (e *spillError) Error() string { return fmt.Sprintf("put rows aside in %s: %v", e.dir, e.err) }

// Unwrap returns the cause.
func (e *spillError) Unwrap() error { return e.err }

func isSpill(err error) bool {
	var s *spillError
	return errors.As(err, &s)
}
