package doris

import (
	"context"
	"errors"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// All writers of a sink gather rows in one amount of memory. Whoever goes beyond it has the one
// that has most load what it has, be it another: many tables would have many small loads else.

// gather counts memory that a writer has taken, or given back, for rows that are gathered.
func (w *Writer) gather(bytes int64) {
	w.gathered.Add(bytes)
	w.sink.buffered.Add(bytes)
}

// relieve sees to it that no more is gathered than may be. The caller has no lock of a writer.
func (s *Sink) relieve(ctx context.Context) error {
	if s.buffered.Load() <= s.opts.Memory {
		return nil
	}
	s.relief.Lock() // others that are beyond it wait here
	defer s.relief.Unlock()
	for s.buffered.Load() > s.opts.Memory {
		w := s.fullest()
		if w == nil {
			return nil
		}
		before := w.gathered.Load()
		if err := w.unload(ctx); err != nil {
			if ctx.Err() != nil { // which may be another writer's
				err = hint.Transient(err)
			}
			_ = w.gate.Fail(err) // and it says so itself
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.gathered.Load() >= before {
			return nil // it is in use right now, and its user comes here next
		}
	}
	return nil
}

// fullest is the writer that has gathered most.
func (s *Sink) fullest() *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most *Writer
	for w := range s.writers {
		if w.gathered.Load() > 0 && (most == nil || w.gathered.Load() > most.gathered.Load()) {
			most = w
		}
	}
	return most
}

// unload loads what a writer has gathered, and gives its memory back.
func (w *Writer) unload(ctx context.Context) error {
	w.unloading.Lock()
	defer w.unloading.Unlock()
	err := w.flushAll(ctx)
	w.folding.Lock()
	defer w.folding.Unlock()
	if w.fold != nil {
		err = errors.Join(err, w.flushFold(ctx))
		w.gather(-w.fold.counted)
		w.fold.counted, w.fold.text, w.fold.ends, w.fold.dead = 0, nil, nil, nil
	}
	return err
}
