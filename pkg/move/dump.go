package move

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// DumpOptions tell a Dump how to go about it. The zero value takes all tables, on and on.
type DumpOptions struct {
	// Match, if set, says which tables are wanted.
	Match func(db, table string) bool
	// Shape, if set, gives a table the form that it is to have at the sink.
	Shape func(*schema.Table) (*schema.Table, error)
	// Shared says that other runs take parts of the Feed.
	Shared bool
	// The rest is as in TailOptions.
	IdleExit, CommitInterval time.Duration
	CommitSize               int64
	IdleCommit               time.Duration
	RetryTime, RetryPause    time.Duration
	Memory                   int64
	Progress                 *progress.Stream
	Warn                     func(msg string)
}

// Dump brings the changes that a Feed holds to the sink's tables, which are made, and take
// new columns on, as they turn up there. Every commit carries how far the Feed's parts are
// through, so that a run that was stopped, in whatever way, is continued by the next, and
// so that several runs share the parts of one Feed. A table that fails on its own account
// is left behind, but for one that holds no position yet: where it is to be begun would
// be forgotten.
func Dump(ctx context.Context, feed reader.Feed, sink writer.Sink, opts DumpOptions) error {
	if opts.Match == nil {
		opts.Match = func(string, string) bool { return true }
	}
	if opts.Shape == nil {
		opts.Shape = func(t *schema.Table) (*schema.Table, error) { return t, nil }
	}
	if _, ok := sink.(writer.Lister); !ok {
		return errors.New("the sink does not tell which tables hold positions")
	}
	run := &dumpRun{feed: feed, opts: opts, placed: map[string]bool{}}
	run.streamRun = streamRun{sink: sink, opts: streamOptions(TailOptions{
		IdleExit: opts.IdleExit, CommitInterval: opts.CommitInterval, CommitSize: opts.CommitSize, IdleCommit: opts.IdleCommit,
		RetryTime: opts.RetryTime, RetryPause: opts.RetryPause, Memory: opts.Memory,
		Progress: opts.Progress, Warn: opts.Warn,
	}), failed: map[string]error{}, going: true}
	run.attempt = run.once
	run.bound = func(name string) bool { return !run.placed[name] }
	return interrupted(ctx, run.outcome(ctx, run.persist(ctx)))
}

// A dumpRun is one Dump under way.
type dumpRun struct {
	streamRun
	feed reader.Feed
	opts DumpOptions
	// placed tells which tables hold a position by which the next run begins them where this
	// one has left them. It is for the goroutine that writes.
	placed map[string]bool
	beaten atomic.Int32 // in how many attempts another run was ahead
	// passed are places behind the positions that tables hold, with nothing of the table in between.
	passed map[string]passage
}

// A passage is how far the feed's parts were through while a table held a position.
type passage struct{ held, at batch.Position }

// A dumper is one attempt of a Dump: the time that a Share lasts.
type dumper struct {
	follower
	run   *dumpRun
	share reader.Share
	held  map[string]reader.Held
	names map[string]*followed
	beat  sync.Once // another run was ahead
}

// once takes a share of the feed and dumps it, until its parts change hands.
func (r *dumpRun) once(ctx context.Context) error {
	for {
		r.streamRun.opts.Progress.Phase("waiting for partitions")
		share, err := r.feed.Take(ctx)
		if err != nil {
			return err
		}
		err = r.dump(ctx, share)
		if !errors.Is(err, reader.ErrMoved) {
			return err
		}
	}
}

func (r *dumpRun) dump(ctx context.Context, share reader.Share) (err error) {
	d := &dumper{follower: follower{streamRun: &r.streamRun}, run: r, share: share, names: map[string]*followed{}}
	defer func() {
		for name, c := range d.names {
			r.placed[name] = r.placed[name] || r.places(share, c.held)
		}
		// As in tailRun.once: what was not removed now is discarded by the next Open.
		if e := errors.Join(d.close(), share.Close()); e != nil && err == nil {
			err = fmt.Errorf("close: %w", e)
		}
	}()
	d.headroom = share.Headroom
	d.source = source{turnUp: d.open, rest: d.rest, told: share.Committed, pass: d.pass, shares: true}
	if err := d.list(ctx); err != nil {
		return err
	}
	rd, err := share.Changes(ctx, reader.FeedSink{Held: d.begins(), Want: d.want})
	if err != nil {
		return fmt.Errorf("open the topics: %w", err)
	}
	r.followed = true
	r.streamRun.opts.Progress.Phase("dumping")
	return d.follow(ctx, rd)
}

// places reports whether a table may be left behind that holds a position. Of members that
// share the parts, others get past its changes in those where it has none: the next run would
// begin it behind them.
func (r *dumpRun) places(share reader.Share, held batch.Position) bool {
	return held != "" && (!r.opts.Shared || share.Begun(held))
}

// list finds out what the sink holds of the feed's tables.
func (d *dumper) list(ctx context.Context) error {
	all, err := d.sink.(writer.Lister).List(ctx)
	if err != nil {
		return err
	}
	d.held = map[string]reader.Held{}
	for _, h := range all {
		db, table, ok := strings.Cut(h.Source, ".")
		if !ok || !d.run.opts.Match(db, table) || d.share.Owns(h.Position) != nil {
			continue
		}
		placed := d.run.places(d.share, h.Position)
		if err := d.failed[h.Source]; err != nil {
			if !placed {
				return fmt.Errorf("it was left behind, and not in all partitions that are to be read now: %w", err)
			}
			continue
		}
		d.held[h.Source] = reader.Held{Position: h.Position, Shape: h.Shape}
		d.run.placed[h.Source] = placed
	}
	return nil
}

// want returns the form that a table is to have at the sink.
func (d *dumper) want(t *schema.Table) (*schema.Table, error) {
	if _, left := d.failed[t.String()]; left || !d.run.opts.Match(t.DB, t.Name) {
		return nil, nil //nolint:nilnil // not wanted
	}
	return d.run.opts.Shape(t)
}

// open readies a table that has turned up, or has got another shape. What was staged of it
// is committed first: nothing of other tables is in between.
func (d *dumper) open(ctx context.Context, t *schema.Table) (*followed, error) {
	if d.inside {
		return nil, fmt.Errorf("the topics bring %s in another shape in the middle of others' changes", t)
	}
	name := t.String()
	if old := d.names[name]; old != nil {
		if err := d.part(ctx, old); err != nil {
			return nil, err
		}
	}
	if _, ok := d.sink.(writer.Forker); ok { // others may be staged in the table that this one goes to
		if err := d.commit(ctx, d.dirty); err != nil {
			return nil, err
		}
	}
	d.replace(t)
	c, err := d.openTable(ctx, t, writer.Extend)
	if c == nil {
		return nil, err
	}
	d.add(c) // to be closed, whatever comes
	if err != nil {
		return nil, err
	}
	if err := d.share.Owns(c.held); c.held != "" && err != nil {
		err = hint.Wrap(fmt.Errorf("it is at the sink, but not from these topics: %w", err), "take its changes to another namespace, or leave the table out with --exclude")
		return nil, &schema.TableError{Table: name, Err: err}
	}
	if _, err := d.merge(c.held, d.known(name), d.last); err != nil { // since the tables were listed
		if overtakes(err) {
			err = d.rewind(ctx, overtakenIn(err, c))
		}
		return nil, err
	}
	if s, ok := c.w.(writer.Sharer); ok {
		s.Share(d.merge)
	}
	d.names[name] = c
	if !d.share.Begun(c.held) {
		// At once, before the others' positions get past the changes that come: were the run
		// to end in between, nobody would know where the table has begun. Who made it may
		// have had other parts.
		err := d.commitTo(ctx, []*followed{c}, d.last)
		if overtakes(err) {
			err = d.rewind(ctx, overtakenIn(err, c))
		}
		return c, err
	}
	return c, nil
}

// rest opens the tables that the sink holds and the topics have brought nothing of, so that
// their positions can be brought up to date: where these are is where the next run begins.
func (d *dumper) rest(ctx context.Context) error {
	for name, h := range d.held {
		db, table, _ := strings.Cut(name, ".")
		if d.names[name] != nil || d.failed[name] != nil || strings.Contains(table, ".") {
			continue
		}
		t, err := schema.FromShape(db, table, h.Shape)
		if err != nil {
			continue // its next change brings its shape
		}
		if t, err = d.want(t); err != nil || t == nil {
			continue // and what there is to say
		}
		if _, err := d.open(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// pass notes that this run has read on for all tables but those that are to be read again: where
// they hold the same positions, the next attempt begins behind these.
func (d *dumper) pass(fenced map[string]bool) {
	d.run.passed = map[string]passage{}
	for name := range d.held {
		d.run.passed[name] = passage{d.known(name), d.last}
	}
	for name := range d.names {
		d.run.passed[name] = passage{d.known(name), d.last}
	}
	maps.DeleteFunc(d.run.passed, func(name string, _ passage) bool { return fenced[name] })
}

// begins returns what the sink holds, as of where its tables are to be read from.
func (d *dumper) begins() map[string]reader.Held {
	out := maps.Clone(d.held)
	for name, h := range d.held {
		p, ok := d.run.passed[name]
		if !ok || p.held != h.Position {
			continue
		}
		if at, err := d.share.Merge(h.Position, h.Position, p.at); err == nil {
			out[name] = reader.Held{Position: at, Shape: h.Shape}
		}
	}
	return out
}

// known is what a table held when it was listed, and since this run has committed to it.
func (d *dumper) known(name string) batch.Position {
	if c := d.names[name]; c != nil {
		return c.held
	}
	return d.held[name].Position
}

// beatenTimes is how often another run may be ahead of one that shares with nobody.
const beatenTimes = 5

// merge has the writer's word for what the Share refuses.
func (d *dumper) merge(held, known, next batch.Position) (batch.Position, error) {
	pos, err := d.share.Merge(held, known, next)
	if !errors.Is(err, reader.ErrOvertaken) {
		return pos, err
	}
	redone := errors.Is(err, reader.ErrRedone)
	err = fmt.Errorf("%w: %w", writer.ErrFenced, err)
	if redone {
		return pos, hint.Transient(err) // who has done that does not go on
	}
	d.beat.Do(func() { d.run.beaten.Add(1) })
	if d.run.beaten.Load() > beatenTimes && !d.run.opts.Shared {
		return pos, hint.Wrap(err, "another dump reads these topics into the same tables: --group has them share the work")
	}
	return pos, hint.Transient(err)
}
