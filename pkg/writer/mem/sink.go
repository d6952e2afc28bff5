package mem

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// ErrReplyLost is how a commit fails after State.LoseReply.
var ErrReplyLost = errors.New("reply lost")

// ErrSuperseded is what a writer answers once another has been opened on its
// table, even if neither has committed since.
var ErrSuperseded = errors.New("another writer has been opened on the table")

// A Sink writes to a State.
type Sink struct{ State *State }

var _ writer.Sink = Sink{}

// Close does nothing: the State outlives the Sink.
func (s Sink) Close() error { return nil }

// Open readies a table. It discards what other writers have staged.
func (s Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	tab := s.State.table(t)
	if err := tab.admits(t, mode); err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	tab.latest = &stage{}
	s.State.inUse++
	return &tableWriter{state: s.State, tab: tab, table: t, stage: tab.latest, replace: mode == writer.Replace}, nil
}

func (tab *table) admits(t *schema.Table, mode writer.Mode) error {
	switch mode {
	case writer.Create, writer.Append:
		if tab.shape == nil {
			return nil
		}
		if mode == writer.Create && tab.pos == "" {
			return hint.Wrap(errors.New("the table exists already"), "use --mode append or --mode replace")
		}
		if !sameShape(tab.shape, t) {
			return fmt.Errorf("the table has the columns %s, not %s", tab.shape.Arrow, t.Arrow)
		}
	case writer.Replace:
	default:
		return fmt.Errorf("mode %q is not known", mode)
	}
	return nil
}

func sameShape(a, b *schema.Table) bool {
	return slices.EqualFunc(a.Arrow.Fields(), b.Arrow.Fields(), func(f, g arrow.Field) bool {
		return f.Name == g.Name && arrow.TypeEqual(f.Type, g.Type)
	})
}

// A tableWriter stages rows in the State, under its own stage.
type tableWriter struct {
	state   *State
	tab     *table
	table   *schema.Table
	stage   *stage
	replace bool // the next commit exchanges the content
	closed  bool
}

func (w *tableWriter) Position(ctx context.Context) (batch.Position, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	return w.tab.pos, nil
}

// check must run with the state locked.
func (w *tableWriter) check(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.closed:
		return errors.New("the writer is closed")
	case w.tab.latest != w.stage:
		return ErrSuperseded
	}
	return nil
}

func (w *tableWriter) Write(ctx context.Context, b *batch.Batch) error {
	if b.Ops != nil {
		return errors.New("changes are not supported, only stock")
	}
	rows, err := batchtest.Rows(b.Rows)
	if err != nil {
		return err
	}
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if err := w.check(ctx); err != nil {
		return err
	}
	w.settle()
	w.stage.rows = append(w.stage.rows, rows...)
	return nil
}

func (w *tableWriter) Commit(ctx context.Context, pos batch.Position) error {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if err := w.check(ctx); err != nil {
		return err
	}
	w.settle()
	if w.replace {
		w.tab.rows = nil
	}
	w.tab.shape, w.tab.pos, w.tab.last = w.table, pos, w.stage
	w.tab.rows = append(w.tab.rows, w.stage.rows...)
	w.tab.commits++
	if w.state.loseReply {
		w.state.loseReply = false
		return ErrReplyLost
	}
	w.settle()
	return nil
}

// settle begins a new stage if the present one has been published, be it by a
// commit whose reply was lost. The position cannot tell that: two commits may
// well carry the same one.
func (w *tableWriter) settle() {
	if w.tab.last == w.stage {
		w.stage, w.replace = &stage{}, false
		w.tab.latest = w.stage
	}
}

func (w *tableWriter) Close() error {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if !w.closed {
		w.closed = true
		w.state.inUse--
	}
	return nil
}
