// Package fault makes sinks fail at a chosen operation, for tests.
package fault

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Err is how an operation fails unless the Plan says otherwise.
var Err = errors.New("injected fault")

// An Op is an operation of a sink or of a writer.
type Op string

// The operations that are counted, in the order in which a run comes to them.
const (
	Open     Op = "open"
	Position Op = "position"
	Keep     Op = "keep"  // Keeper.Keep
	Clear    Op = "clear" // Clearer.Clear
	Write    Op = "write"
	Whole    Op = "whole" // Keeper.Whole
	Commit   Op = "commit"
	Together Op = "commit all" // Committer.CommitAll, of no table
	Close    Op = "close"      // of a writer
	End      Op = "close sink" // of the sink
)

// A Plan says what fails. One Plan may serve several sinks, which then count as
// one; it fails one operation in all its life. The zero Plan fails nothing.
type Plan struct {
	// At is the operation that fails, counted from 1 as they begin.
	At int
	// Only and Table restrict the count to one kind of operation and to one table
	// as Table.String names it; "" counts all.
	Only  Op
	Table string
	// After lets the operation take effect first: it is done, but the caller is
	// told otherwise.
	After bool
	// Err is the error, wrapped with the operation's name; nil is the package's Err.
	Err error
	// Watch, if set, is called before and after every operation with what is
	// known then; it must be safe for concurrent use.
	Watch func(op Op, t *schema.Table, done bool)

	mu    sync.Mutex
	count int
	fired bool
}

// Fired reports whether the operation has come and failed. If it has not by the
// end of a run, the run has fewer than At operations.
func (p *Plan) Fired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// Wrap returns s with the faults of p.
func Wrap(s writer.Sink, p *Plan) writer.Sink { return &sink{s, p} }

// do runs an operation, or fails it.
func (p *Plan) do(op Op, t *schema.Table, run func() error) error {
	fail := p.next(op, t)
	if p.Watch != nil {
		p.Watch(op, t, false)
		defer p.Watch(op, t, true)
	}
	if fail && !p.After {
		return p.failure(op)
	}
	if err := run(); err != nil {
		return err
	}
	if fail {
		return p.failure(op)
	}
	return nil
}

func (p *Plan) next(op Op, t *schema.Table) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Only != "" && p.Only != op || p.Table != "" && (t == nil || p.Table != t.String()) {
		return false
	}
	p.count++
	if p.count == p.At {
		p.fired = true
		return true
	}
	return false
}

func (p *Plan) failure(op Op) error {
	if p.Err != nil {
		return fmt.Errorf("%s: %w", op, p.Err)
	}
	return fmt.Errorf("%s: %w", op, Err)
}

type sink struct {
	writer.Sink
	plan *Plan
}

func (s *sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (w writer.Writer, err error) {
	err = s.plan.do(Open, t, func() error {
		w, err = s.Sink.Open(ctx, t, mode)
		return err
	})
	if err != nil {
		return nil, err // a writer that was opened all the same is lost, as in a crash
	}
	f := faulty{w, s.plan, t}
	k, keeps := w.(writer.Keeper)
	shared, shares := w.(writer.Sharer)
	c, clears := w.(writer.Clearer)
	switch {
	case keeps && shares && clears:
		return &keepingSharingClearing{keepingSharing{keeping{f, k}, shared}, clearing{f, c}}, nil
	case shares && clears:
		return &sharingClearing{sharing{f, shared}, clearing{f, c}}, nil
	case keeps && shares:
		return &keepingSharing{keeping{f, k}, shared}, nil
	case keeps:
		return &keeping{f, k}, nil
	case shares:
		return &sharing{f, shared}, nil
	}
	return &f, nil
}

// CommitAll fails with errors.ErrUnsupported, and is not counted, if what is
// wrapped is no writer.Committer.
func (s *sink) CommitAll(ctx context.Context, ws []writer.Writer, pos batch.Position) error {
	c, ok := s.Sink.(writer.Committer)
	if !ok {
		return errors.ErrUnsupported
	}
	inner := make([]writer.Writer, len(ws))
	for i, w := range ws {
		f, ok := w.(interface{ inner() writer.Writer })
		if !ok {
			return fmt.Errorf("%T is no writer of this sink", w)
		}
		inner[i] = f.inner()
	}
	return s.plan.do(Together, nil, func() error { return c.CommitAll(ctx, inner, pos) })
}

// List is not counted. It fails with errors.ErrUnsupported if what is wrapped is
// no writer.Lister.
func (s *sink) List(ctx context.Context) ([]writer.Held, error) {
	if l, ok := s.Sink.(writer.Lister); ok {
		return l.List(ctx)
	}
	return nil, errors.ErrUnsupported
}

func (s *sink) Close() error { return s.plan.do(End, nil, s.Sink.Close) }

// A faulty is a writer with faults.
type faulty struct {
	writer.Writer
	plan  *Plan
	table *schema.Table
}

func (w *faulty) inner() writer.Writer { return w.Writer }

func (w *faulty) Position(ctx context.Context) (pos batch.Position, err error) {
	err = w.plan.do(Position, w.table, func() error {
		pos, err = w.Writer.Position(ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	return pos, nil
}

func (w *faulty) Write(ctx context.Context, b *batch.Batch) error {
	return w.plan.do(Write, w.table, func() error { return w.Writer.Write(ctx, b) })
}

func (w *faulty) Commit(ctx context.Context, pos batch.Position) error {
	return w.plan.do(Commit, w.table, func() error { return w.Writer.Commit(ctx, pos) })
}

func (w *faulty) Close() error { return w.plan.do(Close, w.table, w.Writer.Close) }

// A sharing is a faulty writer.Sharer, a keepingSharing a writer.Keeper as well, and those that are
// clearing a writer.Clearer too. To share is no operation that fails.
type (
	sharing struct {
		faulty
		writer.Sharer
	}
	keepingSharing struct {
		keeping
		writer.Sharer
	}
	sharingClearing struct {
		sharing
		clearing
	}
	keepingSharingClearing struct {
		keepingSharing
		clearing
	}
)

// A clearing has a faulty Clear, and nothing else.
type clearing struct {
	of      faulty
	clearer writer.Clearer
}

func (w *clearing) Clear(ctx context.Context, key ...string) error {
	return w.of.plan.do(Clear, w.of.table, func() error { return w.clearer.Clear(ctx, key...) })
}

// A keeping is a faulty writer.Keeper. What it has kept is told without fail.
type keeping struct {
	faulty
	keeper writer.Keeper
}

func (w *keeping) Kept() writer.Kept { return w.keeper.Kept() }

func (w *keeping) Keep(ctx context.Context, note string) error {
	return w.plan.do(Keep, w.table, func() error { return w.keeper.Keep(ctx, note) })
}

func (w *keeping) Whole(ctx context.Context, origin int) error {
	return w.plan.do(Whole, w.table, func() error { return w.keeper.Whole(ctx, origin) })
}
