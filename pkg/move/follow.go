package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A follower is one attempt of a streamRun: writers for all tables, and the log.
type follower struct {
	*streamRun
	all     []*followed
	byTable map[*schema.Table]*followed
	source  // what the log can do that is another for each kind

	// What has arrived. A boundary is a place in the stream where everything
	// written belongs to transactions that are complete: only there may be
	// committed.
	last     batch.Position // of the last boundary
	lastTime time.Time      // of the source's commit there
	inside   bool           // batches have come since the last boundary
	dirty    []*followed    // tables with something staged
	since    time.Time      // when the oldest of it came
	bytes    int64          // how much it is
	moved    time.Time      // when a followed table last changed
	doomed   []*followed    // that were dropped since
	asked    time.Time      // when the source was last asked how far its log goes
	fenced   *overtaken     // what others have committed to; nil if nothing
}

// A source is what is special about a log whose tables turn up while it is read, and that
// several runs share. All of it may be nil.
type source struct {
	turnUp func(context.Context, *schema.Table) (*followed, error) // opens a table that the log brings
	rest   func(context.Context) error                             // opens those that it has not brought
	told   func(batch.Position)                                    // is told what was committed
	due    func() bool                                             // reports that other tables wait to be followed as well
	bury   func(context.Context, *followed) error                  // removes the copy of a table that was dropped
	pass   func(fenced map[string]bool)                            // has the next attempt begin at the last boundary, but for these
	shares bool                                                    // others commit to the tables as well
}

// A followed is one table of a follower.
type followed struct {
	table *schema.Table
	w     writer.Writer
	pos   batch.Position // committed
	// passed, if set, is a boundary behind pos, with nothing of the table between them.
	passed batch.Position
	held   batch.Position // by the table, with what others have committed
	prog   *progress.StreamTable
	dirty  bool
	rows   int64 // staged

	files, bytes int64 // that w has told of
}

// wrote tells what commits have written since it was told last.
func (c *followed) wrote() {
	if n, ok := c.w.(writer.Counter); ok {
		files, bytes := n.Written()
		c.prog.Wrote(files-c.files, bytes-c.bytes)
		c.files, c.bytes = files, bytes
	}
}

func (f *follower) add(c *followed) {
	if f.byTable == nil {
		f.byTable = make(map[*schema.Table]*followed)
	}
	f.all = append(f.all, c)
	f.byTable[c.table] = c
}

func (f *follower) close() error {
	var errs []error
	for _, c := range f.all {
		errs = append(errs, c.w.Close())
	}
	return errors.Join(errs...)
}

// openTable returns a table that was opened even if its position cannot be read.
func (f *follower) openTable(ctx context.Context, t *schema.Table, mode writer.Mode) (*followed, error) {
	w, pos, err := openWriter(ctx, f.sink, t, mode)
	if w == nil {
		return nil, err
	}
	return &followed{table: t, w: w, pos: pos, held: pos, prog: f.opts.Progress.Table(t.String())}, err
}

// claim commits the positions that the tables hold in which another run was ahead
// of this one and has not made it stop: the other then finds out with its next
// commit, instead of being ahead again and again.
func (f *follower) claim(ctx context.Context) error {
	if f.rival == nil {
		return nil
	}
	for _, c := range f.all {
		if !f.rival(c.table.String()) {
			continue
		}
		if err := f.commitTo(ctx, []*followed{c}, c.pos); err != nil {
			return err
		}
	}
	f.rival = nil
	return nil
}

// drop closes a table's writer and forgets the table.
func (f *follower) drop(c *followed) error {
	f.all = slices.DeleteFunc(f.all, func(o *followed) bool { return o == c })
	delete(f.byTable, c.table)
	return c.w.Close()
}

// part commits what is staged and closes the writer of a table that has got another shape.
func (f *follower) part(ctx context.Context, c *followed) error {
	if err := f.commit(ctx, f.dirty); err != nil {
		return err
	}
	return f.drop(c)
}

// follow moves batches from the log to the writers until the log ends. One
// goroutine reads ahead, within the bounds of Memory; all else is done here, one
// batch after the other.
func (f *follower) follow(ctx context.Context, rd reader.Reader) error {
	q := newQueue(f.opts.Memory, f.opts.Progress)
	rctx, stop := context.WithCancel(ctx)
	go q.fill(rctx, f.opts.Throttle.reader(rd))
	err := f.drain(ctx, q)
	stop()
	q.discard() // until fill has ended
	if f.lastTime.After(f.furthest) {
		f.furthest = f.lastTime
	}
	if e := rd.Close(); e != nil && err == nil {
		err = fmt.Errorf("close the log: %w", e)
	}
	return err
}

// drain writes and commits what the queue brings.
func (f *follower) drain(ctx context.Context, q *queue) error {
	f.moved = time.Now()
	if f.allAt.IsZero() {
		f.allAt = f.moved
	}
	tick := time.NewTicker(min(max(f.opts.CommitInterval/20, 5*time.Millisecond), 200*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case item, ok := <-q.items:
			if !ok {
				return f.end(ctx, q.err)
			}
			err := f.take(ctx, item.b)
			q.done(item)
			if err != nil {
				return err
			}
		case <-tick.C:
		}
		over, err := f.boundary(ctx)
		if err != nil || over {
			return err
		}
		if f.due != nil && f.due() && !f.inside {
			return f.halt(ctx)
		}
	}
}

// halt ends the reading of the log at a boundary, for it to be read on with other tables.
func (f *follower) halt(ctx context.Context) error {
	if err := f.commit(ctx, f.dirty); err != nil {
		return err
	}
	if f.last != "" {
		for _, c := range f.all {
			c.passed = f.last
		}
	}
	f.last = "" // it says nothing of the others
	return errJoin
}

// take writes a batch. One without rows says that a table is there, or in what shape.
func (f *follower) take(ctx context.Context, b *batch.Batch) error {
	if b.Table != nil {
		c, err := f.find(ctx, b.Table)
		switch {
		case err != nil:
		case b.Dropped:
			f.doom(c)
		case b.Rows != nil || b.Emptied:
			err = f.write(ctx, c, b)
		}
		if err != nil {
			return err
		}
	}
	if b.Pos != "" {
		f.last, f.lastTime, f.inside = b.Pos, b.Time, false
		f.opts.Progress.Reached(string(b.Pos), b.Time)
		return f.buryDoomed(ctx)
	}
	return nil
}

// doom notes that a table's copy is to go with the next boundary.
func (f *follower) doom(c *followed) {
	f.doomed = append(f.doomed, c)
	if !c.dirty {
		c.dirty = true // its position says so to whoever comes after a crash
		f.dirty = append(f.dirty, c)
	}
	f.inside = true
}

// buryDoomed commits all that came before tables were dropped, and has their copies removed.
func (f *follower) buryDoomed(ctx context.Context) error {
	if len(f.doomed) == 0 {
		return nil
	}
	if err := f.commit(ctx, f.dirty); err != nil {
		return err
	}
	for _, c := range f.doomed {
		if err := f.drop(c); err != nil {
			return err
		}
		if err := f.bury(ctx, c); err != nil {
			return err
		}
	}
	f.doomed = nil
	return nil
}

// write stages a table's changes.
func (f *follower) write(ctx context.Context, c *followed, b *batch.Batch) error {
	var rows int64
	if b.Rows != nil {
		rows = b.Rows.NumRows()
	}
	if err := c.w.Write(ctx, b); err != nil {
		return err
	}
	if !c.dirty {
		c.dirty = true
		f.dirty = append(f.dirty, c)
	}
	if f.since.IsZero() {
		f.since = time.Now()
	}
	f.inside = true
	f.moved = time.Now()
	f.bytes += int64(b.Bytes)
	c.rows += rows
	c.prog.Add(rows, int64(b.Bytes))
	return nil
}

// find returns the writer of a table of the log.
func (f *follower) find(ctx context.Context, t *schema.Table) (*followed, error) {
	if c := f.byTable[t]; c != nil {
		return c, nil
	}
	if f.turnUp == nil {
		return nil, fmt.Errorf("the log brings changes of %s, which was not asked for", t)
	}
	return f.turnUp(ctx, t)
}

// commitEach brings all tables to the last boundary.
func (f *follower) commitEach(ctx context.Context) error {
	if f.rest != nil {
		if err := f.rest(ctx); err != nil {
			return err
		}
	}
	if f.last == "" {
		return f.commitPassed(ctx)
	}
	return f.commit(ctx, f.all)
}

// commitPassed brings tables to the boundary at which the log was left last: nothing has come since.
func (f *follower) commitPassed(ctx context.Context) error {
	at := map[batch.Position][]*followed{}
	for _, c := range f.all {
		if c.passed != "" {
			at[c.passed] = append(at[c.passed], c)
		}
	}
	for pos, which := range at {
		if err := f.commitTo(ctx, which, pos); err != nil {
			return err
		}
	}
	return nil
}

// boundary commits if it is time to, and reports whether the run is over.
func (f *follower) boundary(ctx context.Context) (over bool, err error) {
	if f.inside || f.last == "" {
		return false, nil
	}
	switch {
	case len(f.dirty) > 0 && (time.Since(f.since) >= f.opts.CommitInterval || f.bytes >= f.opts.CommitSize):
		err = f.commit(ctx, f.dirty)
	case time.Since(f.allAt) >= f.opts.IdleCommit:
		err = f.commitEach(ctx)
		f.allAt = time.Now()
	}
	if err != nil {
		return false, err
	}
	idle := f.opts.IdleExit > 0 && time.Since(f.moved) >= f.opts.IdleExit
	failing := !f.failing.IsZero() && len(f.dirty) == 0
	if failing && f.lastTime.After(f.furthest) {
		f.well() // past all that had been read, and nothing of it waits for a commit
		failing = false
	}
	if !idle && !failing || time.Since(f.asked) < min(cmp.Or(f.opts.IdleExit, askWait), askWait) {
		return false, nil
	}
	read := f.through(ctx)
	f.asked = time.Now()
	if failing && read.After(f.broke) {
		f.well() // past all that was there
	}
	if !idle || read.Sub(f.moved) < f.opts.IdleExit {
		return false, nil
	}
	return true, f.commitEach(ctx)
}

// How often at most the source is asked how far its log goes, and how long it
// has to answer: nothing is written meanwhile.
const (
	askWait = time.Second
	askTime = 10 * time.Second
)

// through returns until when, by this machine's clock, all that the source has
// committed has been read; zero if that is not known. That nothing comes is no
// sign of it: the connection may have stalled, or a large transaction be on its
// way. An error is no answer, and none of the run's: a server that is asked at the
// wrong moment may deny what it has just sent.
func (f *follower) through(ctx context.Context) time.Time {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	now := time.Now()
	h, err := f.headroom(ctx, f.last)
	switch {
	case err != nil:
	case h.AtEnd || h.Ahead == 0:
		return now
	case h.Behind > 0:
		return now.Add(-h.Behind)
	}
	return time.Time{}
}

// end is how a log ends: where it was asked to, or by an error.
func (f *follower) end(ctx context.Context, err error) error {
	if err == nil && f.inside {
		return errors.New("the log ended in the middle of a transaction")
	}
	if err == nil {
		if err := f.commitEach(ctx); err != nil {
			return err
		}
		f.well()
		return nil
	}
	// What has come whole is committed, whatever happened then. Connections that
	// never last for a commit interval would bring nothing otherwise, and if one
	// table alone has failed, the others need not read all that again.
	if !f.inside && ctx.Err() == nil {
		which := f.dirty
		if len(which) == 0 && !f.failing.IsZero() || errors.Is(err, reader.ErrMoved) {
			which = f.all // the next attempt need not read again what tables have
		}
		if e := f.commit(ctx, which); e != nil {
			// It says alone what comes next: the log's error comes again.
			return fmt.Errorf("commit what came before the log ended (%v): %w", err, e)
		}
	}
	return fmt.Errorf("read the log: %w", err)
}

// commit publishes what is staged of the tables, and brings the position of all
// of them to the last boundary.
func (f *follower) commit(ctx context.Context, which []*followed) error {
	if f.last == "" {
		return nil
	}
	var todo []*followed
	for _, c := range which {
		if c.dirty || c.pos != f.last {
			todo = append(todo, c)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	began := time.Now()
	fenced, err := f.commitMost(ctx, todo, f.last)
	if err != nil {
		return err
	}
	if todo = slices.DeleteFunc(todo, fenced.has); len(todo) > 0 {
		f.committed(todo, time.Since(began))
	}
	if fenced != nil {
		return f.rewind(ctx, fenced)
	}
	if f.told != nil { // nothing of what came before it waits any more
		f.told(f.last)
	}
	return nil
}

// committed takes note of a commit of tables at the last boundary.
func (f *follower) committed(todo []*followed, took time.Duration) {
	// Positions alone prove nothing: what failed may lie behind them.
	if slices.ContainsFunc(todo, func(c *followed) bool { return c.dirty }) {
		f.well()
	}
	for _, c := range todo {
		c.prog.Committed(c.rows, took)
		c.wrote()
		c.dirty, c.rows = false, 0
	}
	f.opts.Progress.Committed(string(f.last), f.lastTime, len(todo), took)
	f.dirty = slices.DeleteFunc(f.dirty, func(c *followed) bool { return !c.dirty })
	f.bytes, f.since = 0, time.Time{}
}

// commitTo commits tables at a position: in one step where the sink can.
func (f *follower) commitTo(ctx context.Context, which []*followed, pos batch.Position) error {
	fenced, err := f.commitMost(ctx, which, pos)
	if err == nil && fenced != nil {
		err = fenced
	}
	return err
}

// commitMost is commitTo of all but those tables that others have committed to meanwhile, which it
// returns.
func (f *follower) commitMost(ctx context.Context, which []*followed, pos batch.Position) (fenced *overtaken, err error) {
	// A cancelled run commits nothing, even if its last row has arrived.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = f.commitAll(ctx, which, pos)
	if errors.Is(err, errors.ErrUnsupported) || overtakes(err) {
		fenced, err = f.commitEachOf(ctx, f.groups(which), pos)
	}
	if err != nil {
		return nil, err
	}
	for _, c := range which {
		if fenced.has(c) {
			continue
		}
		c.pos, c.held, c.passed = pos, pos, ""
		if !f.shares {
			continue
		}
		if c.held, err = c.w.Position(ctx); err != nil {
			return nil, err
		}
	}
	return fenced, nil
}

func (f *follower) commitAll(ctx context.Context, which []*followed, pos batch.Position) error {
	all, ok := f.sink.(writer.Committer)
	if !ok || len(which) < 2 {
		return errors.ErrUnsupported
	}
	return all.CommitAll(ctx, writers(which), pos)
}

// A queue holds batches between the log and the writers.
type queue struct {
	items  chan item
	budget *semaphore.Weighted
	limit  int64
	prog   *progress.Stream
	err    error // why it ended; nil is the end that was asked for. Set before items is closed.
}

type item struct {
	b      *batch.Batch
	weight int64
}

func newQueue(limit int64, prog *progress.Stream) *queue {
	return &queue{items: make(chan item, 64), budget: semaphore.NewWeighted(limit), limit: limit, prog: prog}
}

// fill reads the log into the queue until it ends or ctx does.
func (q *queue) fill(ctx context.Context, rd reader.Reader) {
	defer close(q.items)
	for {
		b, err := rd.Read(ctx)
		if err != nil {
			if !isEOF(err) {
				q.err = err // told behind what came before it
			}
			return
		}
		it := item{b, min(max(int64(b.Bytes), 1), q.limit)}
		if err := q.budget.Acquire(ctx, it.weight); err != nil {
			b.Release()
			q.err = err
			return
		}
		q.count(it, it.weight)
		select {
		case q.items <- it:
		case <-ctx.Done():
			q.done(it)
			q.err = ctx.Err()
			return
		}
	}
}

// done takes an item off the queue's account.
func (q *queue) done(it item) {
	it.b.Release()
	q.budget.Release(it.weight)
	q.count(it, -it.weight)
}

// count tells of changes only: a batch that just says how far the log has come
// leaves nothing waiting.
func (q *queue) count(it item, weight int64) {
	if it.b.Table != nil {
		q.prog.Queued(weight)
	}
}

// discard empties a queue that nobody drains any more.
func (q *queue) discard() {
	for it := range q.items {
		q.done(it)
	}
}
