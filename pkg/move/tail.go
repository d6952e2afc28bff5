package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A Source tells both what tables hold and how they change.
type Source interface {
	reader.Stock
	reader.Log
}

// StartSnapshot is where a Tail starts unless told otherwise: a table that holds
// no position is copied first.
const StartSnapshot = "snapshot"

// A Beside is a source of which tables are copied while another one's log is read.
type Beside interface {
	Source
	// Table returns a table as it is now and as the run would have it, or nil if it is not
	// there or not wanted.
	Table(ctx context.Context, name string) (*schema.Table, error)
}

// TailOptions tell a Tail how to go about it. The zero value follows on and on.
type TailOptions struct {
	// Start is where tables start that hold no position: StartSnapshot, which
	// "" means too, or what the source's Locate understands.
	Start string
	// Until is where the run ends, for Locate; "" is never.
	Until string
	// IdleExit ends the run once no followed table has changed for so long; 0 is
	// never.
	IdleExit time.Duration
	// CommitInterval is how long a change waits at most for its commit, but that a
	// transaction is never cut; 0 is 10 s.
	CommitInterval time.Duration
	// CommitSize has what is staged committed earlier, in bytes on the source's
	// wire; 0 is 256 MiB.
	CommitSize int64
	// IdleCommit is how often the position of tables that do not change is
	// committed, so that they do not hold old logs; 0 is 5 min.
	IdleCommit time.Duration
	// Evolve has tables whose shape changes be followed, in the shapes that they have at each
	// point of the log, as far as the source's log and the sink can.
	Evolve bool
	// Extent is how far columns at the sink follow with Evolve. But for schema.Everything no
	// table is copied anew that is altered: it is left behind where it would have to be.
	Extent schema.Extent
	// Drops has the copies of tables removed that the log says are dropped, as the source's log
	// is then to tell.
	Drops bool
	// Selection is by which the tables were selected, and others that come into being are.
	Selection reader.Selection
	// Mine reports whether a table that the sink holds is this source's: its position may look so
	// although another source sees to it that this run follows as well. nil: all are that do.
	Mine func(db, table string) bool
	// Form gives a table that is no more at the source the form that it has at the sink; nil
	// leaves such tables as they are there, at the position that they hold.
	Form func(*schema.Table) (*schema.Table, error)
	// Beside, if set, opens the source once more. Tables that come into being are then followed
	// as well, and those that cannot be followed but from a copy made anew are copied, while the
	// others go on.
	Beside func(context.Context) (Beside, error)
	// Resnapshot has tables copied anew whose position the log no longer holds.
	Resnapshot bool
	// RetryTime is how long transient errors are met by trying again while the run
	// gets no further; 0 is 10 min, less than 0 not at all.
	RetryTime time.Duration
	// RetryPause is about how long the first pause before trying again takes; each
	// further one takes twice as long, up to 30 s. 0 is 500 ms.
	RetryPause time.Duration
	// Parallel is how many splits of stock are read at once.
	Parallel int
	// Memory bounds the bytes on their way from the log to the writers; 0 is 32 MiB.
	Memory int64
	// Terms are as in SnapshotOptions.
	Terms string
	// Progress may be nil, as Warn and Throttle may.
	Progress *progress.Stream
	Throttle *Throttle
	Warn     func(msg string)
}

// Tail keeps the sink's tables equal to the source's. Every commit ends where a
// transaction does, and carries the position of that end, so that a run that
// was stopped, in whatever way, is continued by the next. A table that fails on
// its own account (a *schema.TableError) is left behind and the others go on;
// the run then ends as ErrIncomplete. Transient errors have the run begin anew
// from what is committed.
func Tail(ctx context.Context, src Source, sink writer.Sink, tables []*schema.Table, opts TailOptions) error {
	opts = streamOptions(opts)
	return opts.Throttle.during(ctx, src, func(ctx context.Context) error {
		run := &tailRun{streamRun: streamRun{sink: sink, opts: opts, tables: tables, failed: map[string]error{}, headroom: src.Headroom}, src: src, unkept: map[string]bool{}}
		run.attempt, run.stock = run.once, opts.Progress.Stock()
		if opts.Beside != nil {
			run.joins, run.stale = newJoins(ctx, run), true
			if opts.Extent == schema.Everything {
				run.copyAnew = run.leaveForCopy
			}
			defer run.joins.close()
			if h, ok := src.(reader.Herald); ok {
				if err := h.Herald(opts.Selection, run.joins.tell); err != nil {
					return err
				}
			}
		}
		return interrupted(ctx, run.outcome(ctx, run.persist(ctx)))
	})
}

// streamOptions has the defaults in place of what is not given.
func streamOptions(opts TailOptions) TailOptions {
	opts.Start = cmp.Or(opts.Start, StartSnapshot)
	opts.CommitInterval = cmp.Or(opts.CommitInterval, 10*time.Second)
	opts.CommitSize = cmp.Or(opts.CommitSize, 256<<20)
	opts.IdleCommit = cmp.Or(opts.IdleCommit, 5*time.Minute)
	opts.RetryTime = cmp.Or(opts.RetryTime, 10*time.Minute)
	opts.RetryPause = cmp.Or(opts.RetryPause, 500*time.Millisecond)
	opts.Memory = cmp.Or(opts.Memory, 32<<20)
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	return opts
}

// A tailRun is one Tail under way.
type tailRun struct {
	streamRun
	src    Source
	until  batch.Position // located once, so that a retried run ends where the first would have
	stock  *progress.Run
	unkept map[string]bool // tables of which was told what they lack
	// listed says that the tables which were dropped since the last run are among those of the run.
	listed bool
	// stale says that the log may begin behind the last listing of tables, so that it does not tell
	// of all that have come since.
	stale bool
	joins *joins          // nil if no tables are copied while the log flows
	anew  map[string]bool // tables to be copied whatever the sink holds of them
}

// once opens everything and follows the log.
func (r *tailRun) once(ctx context.Context) (err error) {
	f := &tailer{follower: follower{streamRun: &r.streamRun}, run: r, src: r.src, former: map[*schema.Table]bool{}, alike: map[*schema.Table]bool{}}
	if r.opts.Evolve {
		f.turnUp = f.reshape
	}
	if r.joins != nil {
		f.due = r.joins.poll
	}
	f.bury = f.buryTable
	defer func() {
		// What cannot be removed is discarded by the next Open, and whatever
		// kept it from being removed has an error of its own by then.
		if e := f.close(); e != nil && err == nil {
			err = fmt.Errorf("close: %w", e)
		}
	}()
	if err := f.open(ctx); err != nil {
		return err
	}
	if err := f.lookAgain(ctx); err != nil {
		return err
	}
	if err := f.claim(ctx); err != nil {
		return err
	}
	if err := r.locate(ctx); err != nil {
		return err
	}
	return f.run.followAll(ctx, f)
}

// followAll follows the log, of more tables as these are copied.
func (r *tailRun) followAll(ctx context.Context, f *tailer) error {
	for {
		if len(f.all) > 0 {
			err := f.followOpen(ctx)
			if err != nil && !errors.Is(err, errJoin) {
				return err
			}
		}
		if !r.joins.waiting() {
			return nil
		}
		r.stale = r.stale || len(f.all) == 0 // nobody reads the log until they have been copied
		if err := r.joins.wait(ctx); err != nil {
			return err
		}
		if err := f.join(ctx); err != nil {
			return err
		}
		if err := f.lookAgain(ctx); err != nil {
			return err
		}
	}
}

// followOpen follows the log of the tables that are open.
func (f *tailer) followOpen(ctx context.Context) error {
	rd, err := f.changes(ctx)
	if err != nil {
		return err
	}
	f.run.followed = true
	f.opts.Progress.Phase("following the log")
	return f.follow(ctx, rd)
}

// leaveForCopy has a table copied that cannot be followed otherwise.
func (r *tailRun) leaveForCopy(te *schema.TableError) {
	r.opts.Warn(fmt.Sprintf("copying anew while the others go on: %v", te))
	r.joins.want(te.Table, true)
}

func (r *tailRun) locate(ctx context.Context) (err error) {
	if r.opts.Until == "" || r.until != "" {
		return nil
	}
	if r.until, err = r.src.Locate(ctx, r.opts.Until); err != nil {
		return fmt.Errorf("find %q in the log: %w", r.opts.Until, err)
	}
	return nil
}

// A tailer is one attempt of a Tail.
type tailer struct {
	follower
	run    *tailRun
	src    Source
	former map[*schema.Table]bool // those in a shape that is not today's
	holds  []writer.Held          // by the sink, once that was listed
	listed bool
	// alike are those whose shape is as it was, which says nothing of columns that may be NULL now.
	alike map[*schema.Table]bool
}

// open readies every table that has not been left behind, and sees to it that
// each holds a position.
func (f *tailer) open(ctx context.Context) error {
	if err := f.buryLeft(ctx); err != nil {
		return err
	}
	f.opts.Progress.Phase("opening " + progress.Plural(int64(len(f.tables)), "table") + " at the sink")
	var todo []*schema.Table
	var errs []error
	for _, t := range f.tables {
		switch name := t.String(); {
		case f.failed[name] != nil || f.run.joins.has(name):
		case t.Unfit != nil:
			errs = append(errs, &schema.TableError{Table: name, Err: cause(t.Unfit)})
		case f.run.anew[name]:
			// One after the other, each at a point of its own: which of several are done could
			// not be told.
			if err := f.copyTables(ctx, []*schema.Table{t}, writer.Replace); err != nil {
				return err
			}
			delete(f.run.anew, name)
			f.listed = false // that may have taken long
		default:
			todo = append(todo, t)
		}
	}
	todo, err := f.known(ctx, todo)
	if err == nil {
		err = f.openTables(ctx, todo)
	}
	if len(errs) > 0 {
		err = errors.Join(append(errs, err)...)
	}
	return f.begin(ctx, err)
}

// cause is an error without the table that it is about.
func cause(err error) error {
	if te, ok := err.(*schema.TableError); ok { //nolint:errorlint // what is around it stays
		return te.Err
	}
	return err
}

// begin sees to those of the open tables that hold no position.
func (f *tailer) begin(ctx context.Context, err error) error {
	var fresh []*followed
	for _, c := range f.all {
		if c.pos == "" {
			fresh = append(fresh, c)
		} else {
			f.going = true
		}
	}
	if err != nil || len(fresh) == 0 {
		return err
	}
	if f.opts.Start == StartSnapshot && f.going && f.run.joins != nil {
		for _, c := range fresh {
			f.run.joins.want(c.table.String(), false)
			if err := f.drop(c); err != nil {
				return err
			}
		}
		return nil
	}
	if f.opts.Start == StartSnapshot {
		pos, err := f.src.Locate(ctx, "now")
		if err != nil {
			return fmt.Errorf("find the end of the log: %w", err)
		}
		if err := f.probe(ctx, fresh, pos); err != nil {
			return err
		}
		return f.copyStock(ctx, fresh, writer.Create)
	}
	pos, err := f.src.Locate(ctx, f.opts.Start)
	if err != nil {
		err = fmt.Errorf("find %q in the log: %w", f.opts.Start, err)
	} else if err = f.probe(ctx, fresh, pos); err != nil {
		err = fmt.Errorf("start at %q: %w", f.opts.Start, err)
	}
	if errors.Is(err, reader.ErrPurged) {
		// Its own remedy is for tables that hold a position.
		return hint.Wrap(errors.New(err.Error()), "--start earliest begins where the log does now")
	}
	if err != nil {
		return err
	}
	// Committed at once: whatever happens to this run, the next one starts at
	// the same place.
	if err := f.commitTo(ctx, fresh, pos); err != nil {
		return err
	}
	f.opts.Progress.Started(string(pos))
	f.followed = true // it goes on from there, whatever has to be waited for
	return nil
}

// openTables adds writers for tables, with the positions that they hold. A table
// that cannot be opened keeps none of the others from it.
func (f *tailer) openTables(ctx context.Context, tables []*schema.Table) error {
	opened := make([]*followed, len(tables))
	own := make([]error, len(tables))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, t := range tables {
		mode := writer.Follow
		if f.former[t] {
			mode = writer.Extend
		}
		g.Go(func() error {
			c, err := f.openTable(gctx, t, mode)
			if c == nil && f.alike[t] && errors.Is(err, writer.ErrUnlike) {
				mode = writer.Extend
				c, err = f.openTable(gctx, t, mode)
			}
			opened[i] = c
			if len(tableErrors(err)) > 0 {
				if mode == writer.Extend {
					err = f.unfit(err)
				}
				own[i] = err
				return nil
			}
			return err
		})
	}
	err := g.Wait()
	if err == nil {
		err = errors.Join(own...)
	}
	for _, c := range opened {
		if c != nil {
			f.add(c)
		}
	}
	return err
}

// probe opens the log at a position before anything is copied or kept: a right that
// is missing is not to be found out hours later, nor a place that the log has not.
func (f *tailer) probe(ctx context.Context, which []*followed, pos batch.Position) error {
	from := make(map[*schema.Table]batch.Position, len(which))
	for _, c := range which {
		from[c.table] = pos
	}
	rd, err := f.src.Changes(ctx, from, pos)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	return rd.Close()
}

// stockTries is how often the copying of stock is tried.
const stockTries = 5

// copyStock copies tables as a snapshot does, and opens them again. What has
// gone wrong with some of them and may pass is tried again for these: a table
// that was truncated while it was read, say, a connection that was cut, or
// another run that has copied the same table, which this one then follows.
func (f *tailer) copyStock(ctx context.Context, which []*followed, mode writer.Mode) error {
	tables := make([]*schema.Table, len(which))
	for i, c := range which {
		tables[i] = c.table
		if err := f.drop(c); err != nil {
			return err
		}
	}
	return f.copyTables(ctx, tables, mode)
}

// copyTables is copyStock of tables that are not open.
func (f *tailer) copyTables(ctx context.Context, tables []*schema.Table, mode writer.Mode) error {
	tries := stockTries
	if f.opts.RetryTime < 0 {
		tries = 1
	}
	for try := 1; ; try++ {
		run := newSnapshot(f.src, f.sink, SnapshotOptions{
			Mode: mode, All: true, Parallel: f.opts.Parallel, Terms: f.opts.Terms, Progress: f.run.stock, Throttle: f.opts.Throttle, Warn: f.opts.Warn,
		})
		died := run.run(ctx, tables)
		err := run.outcome(ctx, died)
		if err == nil || errors.Is(err, ErrIncomplete) {
			// What is whole goes on, whatever has to be waited for; what is not is left
			// behind.
			f.followed = true
		}
		if died != nil {
			err = died // not for the sake of its tables, so none of them is left behind
		}
		// In Replace mode a table that failed cannot be told from one that did not.
		if err != nil && (try == tries || mode != writer.Create || ctx.Err() != nil || !passing(err)) {
			return err
		}
		known := len(f.all)
		if e := f.openTables(ctx, tables); e != nil {
			return e
		}
		if err == nil {
			f.well()
			return nil
		}
		var left []*schema.Table
		for _, c := range slices.Clone(f.all[known:]) {
			if c.pos == "" {
				left = append(left, c.table)
				if err := f.drop(c); err != nil {
					return err
				}
			}
		}
		if tables = left; len(tables) == 0 {
			f.well()
			return nil
		}
		pause := f.opts.RetryPause << try
		f.retrying(err, pause)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// passing reports whether copying again may help.
func passing(err error) bool {
	tes := tableErrors(err)
	if errors.Is(err, writer.ErrFenced) || len(tes) == 0 {
		return hint.IsTransient(err)
	}
	return !slices.ContainsFunc(tes, func(te *schema.TableError) bool { return !hint.IsTransient(te) })
}

// changes opens the log behind the tables' positions.
func (f *tailer) changes(ctx context.Context) (reader.Reader, error) {
	for try := 0; ; try++ {
		from := make(map[*schema.Table]batch.Position, len(f.all))
		for _, c := range f.all {
			// A table that is not dirty has all up to the last boundary, if it was there.
			if from[c.table] = c.pos; c.passed != "" {
				from[c.table] = c.passed
			}
		}
		rd, err := f.src.Changes(ctx, from, f.run.until)
		if err == nil {
			return rd, nil
		}
		err = fmt.Errorf("open the log: %w", err)
		if !errors.Is(err, reader.ErrPurged) || !f.opts.Resnapshot || try > 0 {
			return nil, err
		}
		gone, e := f.gone(ctx)
		if e != nil || len(gone) == 0 {
			return nil, errors.Join(err, e)
		}
		names := make([]string, len(gone))
		for i, c := range gone {
			names[i] = c.table.String()
		}
		f.opts.Warn(fmt.Sprintf("the log no longer holds what follows the position of %s: copying anew", progress.Some(names)))
		if f.run.joins == nil {
			if err := f.copyStock(ctx, gone, writer.Replace); err != nil {
				return nil, err
			}
			continue
		}
		for _, c := range gone {
			f.run.joins.want(c.table.String(), true)
			if err := f.drop(c); err != nil {
				return nil, err
			}
		}
		if len(f.all) == 0 {
			return nil, errJoin
		}
	}
}

// gone returns the tables whose position the log no longer holds.
func (f *tailer) gone(ctx context.Context) ([]*followed, error) {
	known := map[batch.Position]bool{}
	var out []*followed
	for _, c := range f.all {
		gone, ok := known[c.pos]
		if !ok {
			h, err := f.src.Headroom(ctx, c.pos)
			if err != nil {
				return nil, err
			}
			gone = h.Gone
			known[c.pos] = gone
		}
		if gone {
			out = append(out, c)
		}
	}
	return out, nil
}
