package iceberg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// A spread puts rows of stock into the files of their partitions, in the table's
// sort order if it has one.
//
// Rows that come in order, or need none, go to files that are open at the same
// time, a limited number. Where the limit is reached the file that has waited
// longest makes room, if it has not been written to for a while: that is what
// tables look like whose rows come by time. Otherwise, as where rows of thousands
// of partitions come at random, the rows of those that have no file wait in a
// pile, on the disk if they are many: ending files instead would leave nothing
// but tiny ones. A partition is closed for want of room once at most. Rows that
// are to be sorted all go to the pile.
type spread struct {
	*spreads
	pile *pile

	// Of a run that keeps; Writer.mu guards them.
	origins []int // that have joined
	writing int   // so many of them are not whole
	began   time.Time

	mu    sync.Mutex // after Writer.mu
	idle  []*dataFile
	open  int
	clock int64
	ended map[uint32]bool // partitions whose file was closed for want of room
}

// coldAfter is after how many batches of the table a file that none of them has
// touched may make room for another.
const coldAfter = 32

// write stages the rows of a batch.
func (s *spread) write(ctx context.Context, b *batch.Batch) error {
	var g grouping
	columns, rows := b.Rows.Columns(), int(b.Rows.NumRows())
	s.mu.Lock()
	s.clock++
	s.mu.Unlock()
	parts, err := s.assign(columns, rows)
	switch {
	case err != nil:
	case s.order != nil && !s.given:
		err = s.pile.add(ctx, b.Rows, parts)
	case parts == nil:
		var ok bool
		if ok, err = s.writeRun(ctx, columns, run{0, span{0, rows}}, b.Origin); err == nil && !ok {
			err = errors.New("there is no file for the rows") // take sees to it that there is
		}
	default:
		if err = g.group(ctx, columns, parts, s.parts.count()); err == nil {
			err = s.writeGroups(ctx, &g, b)
		}
		g.release()
	}
	if err != nil {
		s.w.fail(err)
	}
	return err
}

func (s *spread) assign(columns []arrow.Array, rows int) ([]uint32, error) {
	if s.parts == nil {
		return nil, nil
	}
	parts, err := s.parts.assign(columns, rows, nil)
	if err != nil {
		return nil, s.w.tableError(err)
	}
	return parts, nil
}

// writeGroups writes the rows of each partition to its file, and those that get
// none to the pile.
func (s *spread) writeGroups(ctx context.Context, g *grouping, b *batch.Batch) error {
	var piled []int32
	var parts []uint32
	for _, r := range g.runs {
		ok, err := s.writeRun(ctx, g.columns, r, b.Origin)
		if err != nil {
			return err
		}
		for row := r.from; row < r.to && !ok; row++ {
			piled = append(piled, int32(row)) //nolint:gosec // rows of a batch
			parts = append(parts, r.part)
		}
	}
	if len(piled) == 0 {
		return nil
	}
	columns, err := gather(ctx, g.columns, piled)
	if err != nil {
		return err
	}
	rec := recordOf(b.Rows.Schema(), columns)
	defer rec.Release()
	return s.pile.add(ctx, rec, parts)
}

// writeRun writes rows of one partition to its file. That it is not ok means that
// there is none to be had.
func (s *spread) writeRun(ctx context.Context, columns []arrow.Array, r run, origin int) (ok bool, err error) {
	f, cold, err := s.take(ctx, r.part, origin)
	if cold != nil {
		if err := s.w.finish(ctx, cold); err != nil {
			cold.abort()
			if f != nil {
				return false, s.give(ctx, f, err)
			}
			return false, err
		}
	}
	if err != nil || f == nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, f.out.Interrupt)
	err = f.inOrder(s.order, columns, r.span)
	if err == nil {
		err = f.rows(columns, r.span)
	}
	if err == nil {
		err = f.relieve()
	}
	stop()
	return true, s.give(ctx, f, err)
}

// inOrder notes whether the rows continue those that the file has, in the order.
func (f *dataFile) inOrder(o *sortOrder, columns []arrow.Array, r span) error {
	if o == nil || f.order == 0 {
		return nil
	}
	keys, err := o.keys(columns, r)
	if err != nil {
		return err
	}
	last := f.last
	for i := range keys.ends {
		k := keys.key(i)
		if bytes.Compare(k, last) < 0 {
			f.order, f.last = 0, nil
			return nil
		}
		last = k
	}
	f.last = append(f.last[:0], last...)
	return nil
}

// take returns the partition's file, if there is one or may be one more, and one
// that has to make room for it.
func (s *spread) take(ctx context.Context, part uint32, origin int) (f, cold *dataFile, err error) {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return nil, nil, w.failed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pick := -1
	for i, f := range s.idle {
		// Splits are numbered in the order of the key: a file that goes on with an
		// earlier one would not be in order any more.
		if f.number == part && (s.order == nil || f.origin <= origin) && (pick < 0 || f.origin == origin) {
			pick = i
		}
	}
	if pick >= 0 {
		f := s.idle[pick]
		s.idle = slices.Delete(s.idle, pick, pick+1)
		f.origin, f.used = origin, s.clock
		return f, nil, nil
	}
	most := s.share()
	if s.open >= most {
		if cold = s.cold(); cold != nil {
			s.ended[cold.number] = true
			s.open--
		} else if s.parts != nil {
			return nil, nil, nil
		}
	}
	if s.parts != nil && s.ended[part] && s.open >= most/2 {
		return nil, cold, nil
	}
	if err = w.begin(ctx); err != nil {
		return nil, cold, err
	}
	if f, err = w.newFile(ctx, stockContent); err != nil {
		return nil, cold, err
	}
	s.assignTo(f, part)
	f.origin, f.used = origin, s.clock
	s.open++
	return f, cold, nil
}

// assignTo makes the file one of the partition, and in order until it is found
// not to be.
func (s *spread) assignTo(f *dataFile, part uint32) {
	f.spread, f.number = s, part
	if s.parts != nil {
		f.part = s.parts.part(part)
	}
	if s.order != nil {
		f.order = s.order.id
	}
}

// cold takes the idle file that has waited longest, if that is long. Without partitions any
// makes room: rows do not wait in the pile then, and no more files are written to at once than
// splits are being read.
func (s *spread) cold() *dataFile {
	pick := -1
	for i, f := range s.idle {
		if pick < 0 || f.used < s.idle[pick].used {
			pick = i
		}
	}
	if pick < 0 || s.parts != nil && s.clock-s.idle[pick].used < coldAfter {
		return nil
	}
	f := s.idle[pick]
	s.idle = slices.Delete(s.idle, pick, pick+1)
	return f
}

// give takes a file back. One that is full ends here.
func (s *spread) give(ctx context.Context, f *dataFile, err error) error {
	full := err == nil && f.full()
	if full {
		err = s.w.finish(ctx, f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		f.abort()
		s.open--
	case full:
		s.open--
	default:
		s.idle = append(s.idle, f)
		return s.relieve()
	}
	return err
}

// relieve ends row groups of files that nobody writes to, the largest first, while
// all together hold more than they may.
func (s *spread) relieve() error {
	sink := s.w.sink
	if sink.buffered.Load() <= sink.opts.Memory {
		return nil
	}
	slices.SortFunc(s.idle, func(a, b *dataFile) int { return int(b.held - a.held) })
	for _, f := range s.idle {
		if sink.buffered.Load() <= sink.opts.Memory*3/4 || f.held == 0 {
			break
		}
		if err := f.pq.Flush(); err != nil {
			return fmt.Errorf("end a row group: %w", err)
		}
		f.hold(0)
	}
	return nil
}

// finish ends the files and makes files of what is in the pile, so many at once.
func (s *spread) finish(ctx context.Context, parallel int) error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.open = nil, 0
	clear(s.ended)
	s.mu.Unlock()
	for i, f := range idle {
		if err := s.w.finish(ctx, f); err != nil {
			abortAll(idle[i:])
			return err
		}
	}
	return s.pile.empty(ctx, parallel)
}

// drop gives everything up that has not been staged.
func (s *spread) drop() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.open = nil, 0
	s.mu.Unlock()
	abortAll(idle)
	s.pile.drop()
}
