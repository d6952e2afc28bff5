package doris

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// A Writer stages and commits one table.
//
// Content that begins anew goes to a table of its own, which takes the name with the commit:
// its loads need no second phase, and so may take as long as they like. Rows for a table that
// is there are precommitted, and committed behind the commit that names them.
type Writer struct {
	sink     *Sink
	src      *schema.Table
	db, name string
	mode     writer.Mode
	once     bool // the run commits once, and goes on no further

	known      *state // what the table holds, as of the last look or commit
	fresh      bool   // the next commit begins the table, or its content, anew
	supersedes bool   // and takes the place of what others have committed meanwhile
	adds       bool   // rows to others, which may be there already

	columns []kept.Column // of the table, by the next commit
	have    []kept.Column // that it has now
	layout  Layout
	key     []string  // names of the key's columns; nil if there is none
	keyAt   []int     // their places in batches
	loads   string    // names of the columns of a load, for its headers
	plan    []encoded // how batches become rows

	mu         sync.Mutex
	target     string // the table that rows go to; "" until it is ready for them
	part       string // of what this run has said of it
	precommits precommits
	aimed      string // the generation that loads went to, of a table that is shared
	idle       []*buffer
	staged     []loaded
	late       []string // labels of loads into a staged table that are not yet seen
	began      time.Time
	gate       kept.Gate

	gathered  atomic.Int64 // of the sink's memory
	unloading sync.Mutex   // what is gathered is being loaded, all of it
	folding   sync.Mutex
	fold      *fold
	clearing  clearing

	mark     batch.Position // that this writer has found or left last
	merge    func(held, known, next batch.Position) (batch.Position, error)
	tag      string
	unsure   *state // a commit of which it is not known whether it was made
	settling sync.Mutex
	pending  struct{ files, bytes int64 } // staged since the last commit
	written  struct{ files, bytes atomic.Int64 }
}

var (
	_ writer.Writer  = (*Writer)(nil)
	_ writer.Counter = (*Writer)(nil)
	_ writer.Sharer  = (*Writer)(nil)
)

func (w *Writer) place() string { return w.db + "." + w.name }

// Position returns the position of the table's last commit, or "".
func (w *Writer) Position(ctx context.Context) (batch.Position, error) {
	if w.gate.Err() != nil {
		if st, err := w.sink.store.read(ctx, w.db, w.name); err == nil {
			w.known = st // which nothing more can be committed to
		}
		return w.known.Position, ctx.Err()
	}
	if err := w.settle(ctx); err != nil {
		return "", w.named("look at", err)
	}
	if w.merge != nil {
		return w.mark, nil
	}
	return w.known.Position, nil
}

// Written counts the loads of this writer's commits.
func (w *Writer) Written() (files, bytes int64) {
	return w.written.files.Load(), w.written.bytes.Load()
}

// Share has commits of other runs go before or behind this one's: each is made of what the
// table holds then.
func (w *Writer) Share(merge func(held, known, next batch.Position) (batch.Position, error)) {
	w.merge = merge
}

func (w *Writer) named(what string, err error) error {
	return fmt.Errorf("%s %s: %w", what, w.place(), err)
}

// Write stages the rows.
func (w *Writer) Write(ctx context.Context, b *batch.Batch) error {
	err := w.gate.Err()
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		err = w.write(ctx, b)
	}
	if err != nil {
		return w.named("write to", err)
	}
	return nil
}

func (w *Writer) write(ctx context.Context, b *batch.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.Ops != nil && !sameMembers(w.keyAt, w.src.Key) {
		return w.tableError(hint.Wrap(errors.New("changes of a table that has no key, or another one in Doris"), "--mode replace makes the table anew"))
	}
	if b.Emptied {
		if err := w.empty(ctx); err != nil {
			return w.gate.Fail(err)
		}
	}
	if b.Rows == nil || b.Rows.NumRows() == 0 {
		return nil
	}
	if int(b.Rows.NumCols()) != len(w.src.Columns) {
		return w.tableError(fmt.Errorf("batch has %d columns, the table has %d", b.Rows.NumCols(), len(w.src.Columns)))
	}
	if err := w.aim(ctx); err != nil {
		return w.gate.Fail(err)
	}
	var err error
	if b.Ops != nil || w.folds() || w.clearing.on || kept.Follows(w.mode) && len(w.key) > 0 && w.known.Number > 0 {
		err = w.change(ctx, b.Rows.Columns(), b.Ops, int(b.Rows.NumRows()))
	} else {
		err = w.add(ctx, b.Rows.Columns(), int(b.Rows.NumRows()))
	}
	if err != nil {
		return w.gate.Fail(err)
	}
	return nil
}

// sameMembers reports whether two lists that are not empty have the same in them.
func sameMembers(a, b []int) bool {
	return len(a) > 0 && len(a) == len(b) && !slices.ContainsFunc(a, func(v int) bool { return !slices.Contains(b, v) })
}

func (w *Writer) tableError(err error) error {
	return &schema.TableError{Table: w.src.String(), Err: err}
}

// folds reports whether changes have come since the last commit.
func (w *Writer) folds() bool {
	w.folding.Lock()
	defer w.folding.Unlock()
	return w.fold != nil
}

// aim readies the table that rows go to: a new one, or the one that is there, with the columns
// that they need.
func (w *Writer) aim(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.target != "" {
		return nil
	}
	if !w.fresh {
		if err := w.alter(ctx); err != nil {
			return err
		}
		w.target = w.name
		return nil
	}
	if w.part == "" {
		w.part = w.newPart()
	}
	w.layout = w.sink.opts.Layout(w.src)
	if w.layout.zero() && w.mode != writer.Replace { // emptied, and to lie as before
		w.layout = w.known.Layout
	}
	ddl, err := createTable(w.db, w.part, w.part, w.src, w.columns, w.key, w.layout)
	if err != nil {
		return err
	}
	if err := w.sink.hold(ctx, stage{w.db, w.name, w.part}, note{Table: w.part}); err != nil {
		return err
	}
	err = w.sink.store.patiently(ctx, func() (bool, error) {
		_, err := w.sink.store.sql.run(ctx, ddl)
		if refusedWith(err, "already exists") { // by a statement whose reply was lost
			return true, nil
		}
		return !hint.IsTransient(err), err
	})
	if err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	w.target = w.part
	return nil
}

// newPart names something that this run stages: a table, among others.
func (w *Writer) newPart() string {
	return fmt.Sprintf("tablehaul_%s_%s_%d", hash(w.db+"."+w.name, 12), w.sink.run, w.sink.stages.Add(1))
}

// empty gives up what is staged: the table was emptied behind it.
func (w *Writer) empty(ctx context.Context) error {
	if err := w.discard(ctx); err != nil {
		return err
	}
	w.fresh = true
	return nil
}

// discard gives up what is staged, and what Doris has of it.
func (w *Writer) discard(ctx context.Context) error {
	w.unloading.Lock()
	defer w.unloading.Unlock()
	w.dropFold()
	w.dropClearing()
	w.mu.Lock()
	idle, staged, target, part := w.idle, w.staged, w.target, w.part
	w.idle, w.staged, w.late, w.target, w.part = nil, nil, nil, "", ""
	w.pending.files, w.pending.bytes = 0, 0
	w.began = time.Time{}
	w.mu.Unlock()
	for _, b := range idle {
		w.gather(-b.counted)
	}
	var err error
	for _, l := range staged {
		err = errors.Join(err, w.sink.store.decide(ctx, w.db, "abort", l.Txn))
	}
	if target != "" && target == part {
		err = errors.Join(err, w.sink.drop(ctx, w.db, part))
	}
	return errors.Join(err, w.sink.letGo(ctx, stage{w.db, w.name, part}))
}

// Close abandons what is staged.
func (w *Writer) Close() error {
	if !w.gate.Close() {
		return nil
	}
	w.sink.mu.Lock()
	delete(w.sink.writers, w)
	w.sink.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := w.settle(ctx); err != nil && w.unsure != nil {
		w.dropFold()
		w.dropClearing()
		return nil // the next run finds out
	}
	err := w.discard(ctx)
	if err == nil {
		err = w.sink.letGo(ctx, w.precommits.at)
	}
	if err != nil {
		w.sink.opts.Warn(fmt.Sprintf("%s: what is staged stays until the next run: %v", w.place(), err))
	}
	return nil
}

// closeTime is how long Close tries to remove what is staged.
const closeTime = 10 * time.Second
