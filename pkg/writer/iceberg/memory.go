package iceberg

import "context"

// Changes of all tables share Options.Memory with the open files. A table writes
// what it has kept to files when that is a quarter of it, and when all together
// have more than there is, those that have most do so.

// account counts the memory that the fold takes, files included.
func (f *fold) account() {
	n := f.held + f.index.bytes() + int64(8*len(f.gone))
	f.w.sink.buffered.Add(n - f.counted)
	f.counted = n
	f.weight.Store(n + f.data.held() + f.deletes.held())
}

// makeRoom spills the index if n keys more would make it too large.
func (f *fold) makeRoom(ctx context.Context, n int) error {
	if !f.index.full(n, f.w.sink.opts.Memory/4) {
		return nil
	}
	if err := f.flush(ctx); err != nil {
		return err
	}
	return f.spill(ctx)
}

// relieve writes to files what is kept in memory, if that is too much.
func (f *fold) relieve(ctx context.Context) error {
	defer f.account()
	if f.held > f.w.sink.opts.Memory/4 {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	if len(f.gone) >= maxGone {
		if err := f.writeGone(ctx); err != nil {
			return err
		}
	}
	f.account()
	f.w.sink.relieve(ctx, f)
	return nil
}

// unload leaves of the fold in memory as little as possible.
func (f *fold) unload(ctx context.Context) error {
	err := f.flush(ctx)
	for _, files := range []*foldFiles{&f.data, &f.deletes} {
		if err == nil {
			err = files.flush()
		}
	}
	switch {
	case f.index.n == 0:
		f.index.slots = nil
	case err == nil && f.index.bytes() > f.w.sink.opts.Memory/16:
		err = f.spill(ctx)
	}
	f.account()
	return err
}

// relieve makes those folds unload that take most memory, while all together
// take more than they may. The caller holds own.
func (s *Sink) relieve(ctx context.Context, own *fold) {
	if s.buffered.Load() <= s.opts.Memory {
		return
	}
	tried := make(map[*fold]bool)
	for s.buffered.Load() > s.opts.Memory*3/4 {
		f := s.heaviest(tried)
		if f == nil {
			return
		}
		tried[f] = true
		if f != own && !f.mu.TryLock() { // it is being committed or closed
			continue
		}
		if err := f.unload(ctx); err != nil {
			f.w.fail(err)
		}
		if f != own {
			f.mu.Unlock()
		}
	}
}

// heaviest returns the fold that takes most memory, but for some.
func (s *Sink) heaviest(not map[*fold]bool) *fold {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most *fold
	for f := range s.folds {
		if n := f.weight.Load(); !not[f] && n > 0 && (most == nil || n > most.weight.Load()) {
			most = f
		}
	}
	return most
}

// enlist lets the fold be asked to unload, until it is dismissed.
func (s *Sink) enlist(f *fold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folds == nil {
		s.folds = make(map[*fold]bool)
	}
	s.folds[f] = true
}

func (s *Sink) dismiss(f *fold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.folds, f)
}
