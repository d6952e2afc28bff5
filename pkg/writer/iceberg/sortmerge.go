package iceberg

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
)

// merge makes files of runs, which it closes, so many at once.
func (p *pile) merge(ctx context.Context, runs []*sortedRun, parallel int) error {
	defer func() { closeRuns(runs) }()
	var err error
	if p.order != nil {
		if runs, err = p.mergeSome(ctx, runs); err != nil {
			return err
		}
	}
	parts := partsOf(runs)
	return each(ctx, len(parts), parallel, func(ctx context.Context, i int) error {
		out := &output{p: p, part: parts[i]}
		return out.end(ctx, p.mergePart(ctx, runs, parts[i], func(rec arrow.RecordBatch) error { return out.write(ctx, rec) }))
	})
}

// partsOf lists the partitions of runs.
func partsOf(runs []*sortedRun) []uint32 {
	var parts []uint32
	for _, r := range runs {
		for _, s := range r.segments {
			parts = append(parts, s.part)
		}
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

// mergeSome makes fewer runs of many, if a batch of each would take too much
// memory.
func (p *pile) mergeSome(ctx context.Context, runs []*sortedRun) ([]*sortedRun, error) {
	largest := p.batchBytes()
	for _, r := range runs {
		largest = max(largest, r.largest)
	}
	fan := int(max(p.w.sink.opts.Memory/2/int64(p.w.sink.opts.Parallel)/largest, 2))
	for len(runs) > fan {
		merged, err := p.mergeRuns(ctx, runs[:fan])
		if err != nil {
			return runs, err
		}
		closeRuns(runs[:fan])
		runs = append(slices.Clone(runs[fan:]), merged)
	}
	return runs, nil
}

// mergeRuns makes one run of several.
func (p *pile) mergeRuns(ctx context.Context, runs []*sortedRun) (*sortedRun, error) {
	var w *runWriter
	var err error
	for _, part := range partsOf(runs) {
		begun := false
		err = p.mergePart(ctx, runs, part, func(rec arrow.RecordBatch) error {
			if w == nil {
				if w, err = p.newRun(rec.Schema()); err != nil {
					return err
				}
			}
			if !begun {
				w.begin(part)
				begun = true
			}
			return w.write(rec)
		})
		if err != nil {
			break
		}
	}
	if w == nil {
		return nil, err
	}
	return w.end(err)
}

// mergePart calls emit with the rows of a partition, in order.
func (p *pile) mergePart(ctx context.Context, runs []*sortedRun, part uint32, emit func(arrow.RecordBatch) error) error {
	m := merger{order: p.order, bytes: p.batchBytes()}
	defer m.close()
	dir := cmp.Or(p.w.sink.opts.SpillDir, os.TempDir())
	for _, r := range runs {
		in, err := r.open(part, dir)
		if err != nil {
			return err
		}
		if in == nil {
			continue
		}
		if p.order == nil {
			err = copyRows(ctx, in, emit)
			in.close()
		} else {
			err = m.add(in)
		}
		if err != nil {
			return err
		}
	}
	for len(m.sources) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.step(ctx, emit); err != nil {
			return err
		}
	}
	return nil
}

func copyRows(ctx context.Context, in *runReader, emit func(arrow.RecordBatch) error) error {
	for {
		rec, err := in.next()
		if err != nil || rec == nil {
			return err
		}
		err = emit(rec)
		rec.Release()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// A merger merges sorted sources. In each step it takes from all of them what is
// not beyond the end of any batch at hand, and sorts that, which is one pass over
// columns where a heap would go row by row.
type merger struct {
	order   *sortOrder
	bytes   int64
	sources []*mergeSource
}

// A mergeSource is a source and the batch of it that is being taken from.
type mergeSource struct {
	in   *runReader
	rec  arrow.RecordBatch
	keys *sortKeys
	at   int
}

func (m *merger) add(in *runReader) error {
	s := &mergeSource{in: in}
	ok, err := s.load(m.order)
	if err != nil || !ok {
		s.close()
		return err
	}
	m.sources = append(m.sources, s)
	return nil
}

// load reads the next batch. It is not ok at the end.
func (s *mergeSource) load(o *sortOrder) (ok bool, err error) {
	if s.rec != nil {
		s.rec.Release()
		s.rec = nil
	}
	if s.rec, err = s.in.next(); err != nil || s.rec == nil {
		return false, err
	}
	s.at = 0
	s.keys, err = o.keys(s.rec.Columns(), span{0, int(s.rec.NumRows())})
	return true, err
}

func (s *mergeSource) close() {
	if s.rec != nil {
		s.rec.Release()
	}
	s.in.close()
}

func (m *merger) close() {
	for _, s := range m.sources {
		s.close()
	}
	m.sources = nil
}

// step emits the rows up to the least of the batches' last keys.
func (m *merger) step(ctx context.Context, emit func(arrow.RecordBatch) error) error {
	var bound []byte
	for _, s := range m.sources {
		if last := s.keys.key(int(s.rec.NumRows()) - 1); bound == nil || bytes.Compare(last, bound) < 0 {
			bound = last
		}
	}
	var recs []arrow.RecordBatch
	var refs []sortRef
	for _, s := range m.sources {
		n := int(s.rec.NumRows())
		to := s.at + sort.Search(n-s.at, func(i int) bool { return bytes.Compare(s.keys.key(s.at+i), bound) > 0 })
		if to == s.at {
			continue
		}
		for row := s.at; row < to; row++ {
			refs = append(refs, newSortRef(s.keys.key(row), len(refs)))
		}
		recs = append(recs, s.rec.NewSlice(int64(s.at), int64(to)))
		s.at = to
	}
	rec, err := concat(recs)
	for _, r := range recs {
		r.Release()
	}
	if err != nil {
		return err
	}
	all := sortedList{rec: rec, order: sortRefs(refs)}
	err = all.batches(ctx, run{0, span{0, len(all.order)}}, m.bytes, emit)
	rec.Release()
	if err != nil {
		return err
	}
	return m.advance()
}

// advance loads the next batch of those that are used up.
func (m *merger) advance() error {
	left := m.sources[:0]
	var failed error
	for _, s := range m.sources {
		ok, err := true, error(nil)
		if s.at == int(s.rec.NumRows()) && failed == nil {
			ok, err = s.load(m.order)
		}
		if failed = cmp.Or(failed, err); ok && err == nil {
			left = append(left, s)
		} else {
			s.close()
		}
	}
	m.sources = left
	return failed
}
