package mem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// ErrReplyLost is how a commit fails after State.LoseReply.
var ErrReplyLost = errors.New("reply lost")

// ErrSuperseded is what a writer answers once another has been opened on its
// table, even if neither has committed since. It is a writer.ErrFenced.
var ErrSuperseded = fmt.Errorf("%w: another writer has been opened on it", writer.ErrFenced)

// A Sink writes to a State.
type Sink struct {
	State *State
	// Together lets CommitAll commit several tables in one step.
	Together bool
}

var (
	_ writer.Sink      = Sink{}
	_ writer.Committer = Sink{}
	_ writer.Lister    = Sink{}
)

// Close does nothing: the State outlives the Sink.
func (s Sink) Close() error { return nil }

// Open readies a table. It discards what other writers have staged.
func (s Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mode, once := mode.Once()
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	tab := s.State.table(t)
	if err := tab.admits(t, mode); err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	columns := t
	if tab.shape != nil && mode != writer.Replace {
		var err error
		if columns, err = evolve(tab.columns, t, mode == writer.Extend); err != nil {
			return nil, &schema.TableError{Table: t.String(), Err: writer.Unlike(hint.Wrap(err, "--mode replace exchanges the table's content and its shape"))}
		}
	}
	own := &stage{}
	if !once { // who commits once is in nobody's way before
		tab.latest, tab.amended = own, false
	}
	s.State.inUse++
	replace := mode == writer.Replace
	return &tableWriter{
		state: s.State, tab: tab, table: t, columns: columns, stage: own, known: tab.pos, once: once,
		adds: mode == writer.Append || mode == writer.Evolve, replace: replace, supersedes: replace && tab.shape != nil,
	}, nil
}

func (tab *table) admits(t *schema.Table, mode writer.Mode) error {
	follows := mode == writer.Follow || mode == writer.Extend
	switch mode {
	case writer.Create, writer.Append, writer.Follow, writer.Extend:
		if tab.shape == nil {
			return nil
		}
		if follows && tab.added && !t.IsChangelog() {
			return hint.Wrap(errors.New("rows were added to others and may be there twice"), "use --mode replace")
		}
		if mode != writer.Append && tab.pos == "" {
			return hint.Wrap(errors.New("the table exists already"), "use --mode append or --mode replace")
		}
		if mode == writer.Extend {
			return tab.extends(t)
		}
		if !sameShape(tab.shape, t) {
			err := fmt.Errorf("the table has the columns %s, not %s", tab.shape.Arrow, t.Arrow)
			return hint.Wrap(err, "use --mode evolve or --mode replace")
		}
		if diff := t.Since(tab.shape.Shape()); diff != "" && mode != writer.Append {
			return hint.Wrap(fmt.Errorf("the table has changed its shape: %s", diff), "use --mode replace")
		}
	case writer.Evolve, writer.Replace:
	default:
		return fmt.Errorf("mode %q is not known", mode)
	}
	return nil
}

// extends checks that changes of t are changes of the table's rows, whatever columns they
// have.
func (tab *table) extends(t *schema.Table) error {
	diff := t.KeySince(tab.shape.Shape())
	if tab.shape.IsChangelog() != t.IsChangelog() {
		diff = "either it or what is to be written has a row for each change"
	}
	if diff != "" {
		return writer.Unlike(hint.Wrap(fmt.Errorf("the table's rows are told by other columns: %s", diff), "use --mode replace"))
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
	columns *schema.Table // what the destination's table has by the next commit
	stage   *stage
	adds    bool // to rows that are there
	replace bool // the next commit exchanges the content
	// supersedes says that it does so whoever has opened the table or committed to
	// it meanwhile.
	supersedes bool
	once       bool // it commits once, and goes on no further
	closed     bool
	tag        string // of the next commit

	merge  func(held, known, next batch.Position) (batch.Position, error) // nil if the table is not shared
	known  batch.Position                                                 // that this writer has found or left
	fenced error                                                          // that merge has refused a commit with

	commits, bytes int64 // of commits with rows
}

// Written counts a commit with rows as a file, and the rows' text as its bytes.
func (w *tableWriter) Written() (files, bytes int64) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	return w.commits, w.bytes
}

func (w *tableWriter) Position(ctx context.Context) (batch.Position, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if w.merge != nil && w.fenced == nil {
		// Not what others have made of it: changes are staged that may be theirs too.
		w.settle()
		return w.known, nil
	}
	return w.tab.pos, nil
}

// check must run with the state locked.
func (w *tableWriter) check(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.closed:
		return errors.New("the writer is closed")
	case w.fenced != nil:
		return w.fenced
	case w.tab.latest != w.stage && !w.supersedes && w.merge == nil && w.tab.amended:
		return hint.Transient(ErrSuperseded)
	case w.tab.latest != w.stage && !w.supersedes && w.merge == nil:
		return ErrSuperseded
	}
	return nil
}

func (w *tableWriter) Write(ctx context.Context, b *batch.Batch) error {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if err := w.check(ctx); err != nil {
		return err
	}
	w.settle()
	return w.stage.add(b, w.table)
}

func (w *tableWriter) Commit(ctx context.Context, pos batch.Position) error {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	pos, err := w.next(ctx, pos)
	if err != nil {
		return err
	}
	w.publish(pos)
	if w.state.loseReply {
		w.state.loseReply = false
		return ErrReplyLost
	}
	w.settle()
	return nil
}

// CommitAll commits all the writers, or none.
func (s Sink) CommitAll(ctx context.Context, ws []writer.Writer, pos batch.Position) error {
	if !s.Together {
		return errors.ErrUnsupported
	}
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	all := make([]batch.Position, len(ws))
	for i, w := range ws {
		t, ok := w.(*tableWriter)
		if !ok || t.state != s.State {
			return fmt.Errorf("%T is no writer of this sink", w)
		}
		var err error
		if all[i], err = t.next(ctx, pos); err != nil {
			return err
		}
	}
	for i, w := range ws {
		w.(*tableWriter).publish(all[i])
	}
	if s.State.loseReply {
		s.State.loseReply = false
		return ErrReplyLost
	}
	for _, w := range ws {
		w.(*tableWriter).settle()
	}
	return nil
}

// List returns the tables that hold a position.
func (s Sink) List(ctx context.Context) ([]writer.Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.State.list(), nil
}

// publish makes visible what is staged.
func (w *tableWriter) publish(pos batch.Position) {
	if len(w.stage.changes) > 0 {
		w.commits++
	}
	for _, c := range w.stage.changes {
		w.bytes += int64(len(c.row.String()))
	}
	w.tab.added = !w.replace && (w.tab.added || w.adds && w.tab.shape != nil && len(w.stage.changes) > 0)
	rows := reshape(w.tab.rows, w.tab.columns, w.columns)
	if w.replace {
		rows = nil
	}
	w.tab.rows = w.stage.as(w.table, w.columns).apply(rows, w.table)
	w.tab.columns = w.columns
	w.tab.shape, w.tab.pos, w.tab.kept = w.table, pos, nil
	w.stage.published, w.stage.pos = true, pos
	w.tab.tagged, w.tag = w.tag, ""
	w.tab.history = append(w.tab.history, Version{pos, w.tab.rows, time.Now()})
}

// settle begins a new stage if the present one has been published, be it by a
// commit whose reply was lost. The position cannot tell that: two commits may
// well carry the same one.
func (w *tableWriter) settle() {
	if w.stage.published {
		w.known = w.stage.pos
		w.stage, w.replace, w.supersedes = &stage{}, false, false
		w.tab.latest, w.tab.amended = w.stage, w.once
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
