package iceberg

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// Rows of all origins meet in the files and in the pile of a spread, and a note can
// tell only of origins all of whose rows are durable. So stock that is kept goes to
// one spread after another: once the one that origins join is due, those that begin
// from then on join the next, and it ends with the last of its own. Most of the
// time there is one alone, as where nothing is kept.

// spreads are the spreads of a table, and what they share.
type spreads struct {
	w     *Writer
	parts *partitioner // nil if the table has no partitions
	order *sortOrder   // nil if it has none
	given bool         // rows come in order
	most  int          // files at the same time

	spills atomic.Int64 // bytes of their piles in temporary files
	alive  atomic.Int64 // len(all)

	// Writer.mu guards these.
	now *spread   // that origins join
	all []*spread // that have not ended, now among them
}

// A spread is due after KeepEvery if its files are on average a dueShare of the
// target size, and after duePatience times KeepEvery whatever they are: small files
// are worth avoiding, but not at the price of losing hours.
const (
	dueShare    = 16
	duePatience = 10
)

func newSpreads(w *Writer, parts *partitioner, order *sortOrder) *spreads {
	s := &spreads{w: w, parts: parts, order: order, most: 64}
	if w.st == nil || !w.st.local() {
		s.most = 16 // an upload holds two parts of its file in memory
	}
	s.most = int(min(int64(s.most), max(w.sink.opts.Memory/4/int64(len(w.src.Columns)*2*(16<<10)), 2)))
	s.given = order != nil && order.given(w.src)
	s.next()
	return s
}

// next has origins join a new spread. The caller holds Writer.mu or is alone.
func (s *spreads) next() {
	s.now = &spread{spreads: s, ended: make(map[uint32]bool)}
	s.now.pile = &pile{spreads: s, spread: s.now}
	s.all = append(s.all, s.now)
	s.alive.Store(int64(len(s.all)))
}

// share is how many files one of them may have open. One that had more when the next
// began keeps them until it ends.
func (s *spreads) share() int { return max(s.most/int(s.alive.Load()), 2) }

// of returns the spread for rows of an origin.
func (s *spreads) of(origin int) *spread {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	k := s.w.keep
	if k == nil {
		return s.now
	}
	if k.spreads[origin] == nil {
		k.spreads[origin] = s.now
		s.now.join(k, origin)
	}
	return k.spreads[origin]
}

// join notes that rows of an origin are about to come. The caller holds Writer.mu.
func (s *spread) join(k *keeping, origin int) {
	if len(s.origins) == 0 {
		s.began = time.Now()
	}
	s.origins = append(s.origins, origin)
	s.writing++
	k.origin(origin).open++ // until the spread has ended
}

// leave notes that no more rows of an origin come, and returns the spread that ends
// with it, if one does. The caller holds Writer.mu.
func (s *spreads) leave(origin int) *spread {
	if s == nil {
		return nil
	}
	own := s.w.keep.spreads[origin]
	if own == nil { // it has no rows
		return nil
	}
	delete(s.w.keep.spreads, origin)
	own.writing--
	if own == s.now && own.due() {
		s.next()
	}
	if own == s.now || own.writing > 0 {
		return nil
	}
	return own
}

// due reports whether what has come is to be kept now. The caller holds Writer.mu.
func (s *spread) due() bool {
	every, age := s.w.sink.opts.KeepEvery, time.Since(s.began)
	if age < every {
		return false
	}
	files, size := s.weigh()
	return age/duePatience >= every || size*dueShare >= int64(files)*s.w.target()
}

// weigh estimates how many files would end with the spread, and their size.
func (s *spread) weigh() (files int, size int64) {
	parts := make(map[uint32]bool)
	s.mu.Lock()
	for _, f := range s.idle {
		parts[f.number] = true
		size += f.pq.Estimate()
	}
	s.mu.Unlock()
	size += s.pile.weigh(parts)
	return len(parts), size
}

// end makes files of all that has come to a spread, so many at once. Notes may then
// tell of its origins.
func (s *spread) end(ctx context.Context, parallel int) error {
	if err := s.finish(ctx, parallel); err != nil {
		s.w.fail(err)
		return err
	}
	if more, err := s.release(); err != nil || !more {
		return err
	}
	return s.w.noteWhole()
}

// release has the origins wait for nothing but the files, and reports whether any
// does not even wait for those.
func (s *spread) release() (more bool, err error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s != s.now {
		s.all = slices.DeleteFunc(s.all, func(o *spread) bool { return o == s })
		s.alive.Store(int64(len(s.all)))
	}
	if s.w.failed != nil { // rows of it may be lost
		return false, s.w.failed
	}
	more = s.w.keep.durable(s.origins)
	s.origins = nil
	return more, nil
}

// endAll ends all of them.
func (s *spreads) endAll(ctx context.Context) error {
	if s == nil {
		return nil
	}
	for _, one := range slices.Clone(s.all) {
		if err := one.end(ctx, s.w.sink.opts.Parallel); err != nil {
			return err
		}
	}
	return nil
}

// dropAll gives up what has not been staged.
func (s *spreads) dropAll() {
	if s == nil {
		return
	}
	for _, one := range s.all {
		one.drop()
	}
}
