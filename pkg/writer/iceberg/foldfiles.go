package iceberg

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// foldFiles are the files of one kind that a fold has open, by partition. Their
// number is bounded: the one that was written to least lately is ended for a new
// one.
type foldFiles struct {
	open  []*dataFile
	clock int64
}

// mostFolding is how many files of a kind are open at the same time.
const mostFolding = 32

// held is the memory that the files take.
func (o *foldFiles) held() int64 {
	n := int64(0)
	for _, f := range o.open {
		n += f.held
	}
	return n
}

// flush ends the files' row groups.
func (o *foldFiles) flush() error {
	for _, f := range o.open {
		if err := f.pq.Flush(); err != nil {
			return err
		}
		f.hold(0)
	}
	return nil
}

// stageAll ends all files.
func (o *foldFiles) stageAll(ctx context.Context) error {
	for len(o.open) > 0 {
		if err := o.stage(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// stage ends the n-th file.
func (o *foldFiles) stage(ctx context.Context, n int) error {
	f := o.open[n]
	o.open = slices.Delete(o.open, n, n+1)
	err := f.w.finish(ctx, f)
	if err != nil {
		f.abort()
	}
	return err
}

// drop gives the files up.
func (o *foldFiles) drop() {
	for _, f := range o.open {
		f.abort()
	}
	o.open = nil
}

// full looks after the memory of a file, and ends it when it is large enough.
func (o *foldFiles) full(ctx context.Context, f *dataFile) error {
	if err := f.relieve(); err != nil {
		return err
	}
	if !f.full() {
		return nil
	}
	return o.stage(ctx, slices.Index(o.open, f))
}

// file returns the file of a partition, or of all of them if part is nil.
func (f *fold) file(ctx context.Context, o *foldFiles, content content, part *partition, number uint32) (*dataFile, error) {
	o.clock++
	oldest := 0
	for i, d := range o.open {
		if d.number == number {
			d.used = o.clock
			return d, nil
		}
		if d.used < o.open[oldest].used {
			oldest = i
		}
	}
	if len(o.open) >= mostFolding {
		if err := o.stage(ctx, oldest); err != nil {
			return nil, err
		}
	}
	d, err := f.w.open(ctx, content)
	if err != nil {
		return nil, err
	}
	d.part, d.number, d.used, d.fold = part, number, o.clock, len(f.files)
	o.open = append(o.open, d)
	if content == dataContent {
		f.files = append(f.files, foldFile{d.location, part, number})
	}
	return d, nil
}

// chunkOf makes a chunk of a batch. If its rows are put together by partition, at
// is where each of them has gone.
func (f *fold) chunkOf(ctx context.Context, rec arrow.RecordBatch) (c chunk, at []int32, err error) {
	c.rows = int(rec.NumRows())
	if f.parts == nil {
		c.stretches = []stretch{{span: span{0, c.rows}}}
		c.rec, err = keep(rec)
	} else {
		c.stretches, c.rec, at, err = f.byPartition(ctx, rec)
	}
	if err == nil {
		c.held = recordBytes(c.rec)
	}
	return c, at, err
}

func (f *fold) byPartition(ctx context.Context, rec arrow.RecordBatch) ([]stretch, arrow.RecordBatch, []int32, error) {
	parts, err := f.parts.assign(rec.Columns(), int(rec.NumRows()), nil)
	if err != nil {
		return nil, nil, nil, f.w.tableError(err)
	}
	var g grouping
	if err := g.group(ctx, rec.Columns(), parts, f.parts.count()); err != nil {
		return nil, nil, nil, err
	}
	stretches := make([]stretch, len(g.runs))
	for i, r := range g.runs {
		stretches[i] = stretch{part: r.part, span: r.span}
	}
	grouped := recordOf(rec.Schema(), g.columns)
	if g.order != nil { // made to measure
		return stretches, grouped, g.positions(), nil
	}
	defer grouped.Release()
	kept, err := keep(grouped)
	return stretches, kept, nil, err
}

// stretch returns the stretch that a row is in.
func (c *chunk) stretch(row int) *stretch {
	i, _ := slices.BinarySearchFunc(c.stretches, row, func(s stretch, row int) int {
		if row < s.to {
			return 1
		}
		return -1
	})
	return &c.stretches[i]
}

// flush writes what is kept in memory to files, partition by partition.
func (f *fold) flush(ctx context.Context) error {
	type place struct{ chunk, stretch int }
	var order []place
	for i := f.flushed; i < len(f.chunks); i++ {
		for j := range f.chunks[i].stretches {
			order = append(order, place{i, j})
		}
	}
	if f.parts != nil {
		part := func(p place) uint32 { return f.chunks[p.chunk].stretches[p.stretch].part }
		slices.SortStableFunc(order, func(a, b place) int { return cmp.Compare(part(a), part(b)) })
		for i := f.flushed; i < len(f.chunks); i++ {
			f.chunks[i].sortKeys()
		}
	}
	for _, p := range order {
		c := &f.chunks[p.chunk]
		s := &c.stretches[p.stretch]
		if err := f.flushRows(ctx, c, s); err != nil {
			return err
		}
		if err := f.flushKeys(ctx, c, s); err != nil {
			return err
		}
	}
	for ; f.flushed < len(f.chunks); f.flushed++ {
		f.release(&f.chunks[f.flushed])
	}
	return nil
}

// sortKeys puts the spans of deleted keys in order, as rows were not if they have
// been put together by partition.
func (c *chunk) sortKeys() {
	slices.SortFunc(c.keys, func(a, b span) int { return cmp.Compare(a.from, b.from) })
}

func (f *fold) flushRows(ctx context.Context, c *chunk, s *stretch) error {
	r, ok := c.next(s.from)
	if !ok || r.from >= s.to {
		return nil
	}
	d, err := f.file(ctx, &f.data, dataContent, f.partition(s.part), s.part)
	if err != nil {
		return err
	}
	s.file, s.base = d.fold, d.pq.Rows()
	for ; ok && r.from < s.to; r, ok = c.next(r.to) {
		r.to = min(r.to, s.to)
		if err := d.rows(c.rec.Columns(), r); err != nil {
			return err
		}
	}
	return f.data.full(ctx, d)
}

// flushKeys writes the deleted keys that are in a stretch.
func (f *fold) flushKeys(ctx context.Context, c *chunk, s *stretch) error {
	from, _ := slices.BinarySearchFunc(c.keys, s.from, func(k span, row int) int { return cmp.Compare(k.from, row) })
	if from > 0 && c.keys[from-1].to > s.from {
		from--
	}
	if from == len(c.keys) || c.keys[from].from >= s.to {
		return nil
	}
	var part *partition
	number := uint32(0)
	if f.scoped {
		part, number = f.partition(s.part), s.part
	}
	d, err := f.file(ctx, &f.deletes, keyContent, part, number)
	if err != nil {
		return err
	}
	columns := make([]arrow.Array, len(f.keys.columns))
	for i, k := range f.keys.columns {
		columns[i] = c.rec.Column(k)
	}
	for _, k := range c.keys[from:] {
		if k.from >= s.to {
			break
		}
		if err := d.rows(columns, span{max(k.from, s.from), min(k.to, s.to)}); err != nil {
			return err
		}
	}
	return f.deletes.full(ctx, d)
}

// partition returns a partition by its number, nil if the table has none.
func (f *fold) partition(n uint32) *partition {
	if f.parts == nil {
		return nil
	}
	return f.parts.part(n)
}
