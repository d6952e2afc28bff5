package move

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// errJoin ends the reading of the log where tables wait to be followed with the others.
var errJoin = errors.New("tables join those that are followed")

// Joins are the tables of a run that are copied while the log flows on for the others: those that
// have come into being, and those that can only be followed from a copy made anew. One run of
// their own at a time copies all that wait for it, and follows them up to where the log ends
// then; after that they are followed with the others. Nothing is kept of this: a run that is
// stopped finds the same tables without a position, or the same statement in the log.
type joins struct {
	run  *tailRun
	ctx  context.Context // the whole run's, however many attempts it makes
	stop context.CancelFunc
	end  sync.WaitGroup
	done chan joined // what a run of their own has come to

	state map[string]*joining // that wait, or are copied
	busy  bool                // a run of their own is under way
	ready []joined            // that wait for a boundary

	mu   sync.Mutex
	news []string // tables that the log tells of; guarded by mu
}

// A joining is a table that is not followed yet.
type joining struct {
	anew    bool // it is at the sink, and its content is exchanged
	started bool
	again   bool // the log has told of it since it was started
	tries   int
}

// A joined is what has become of tables.
type joined struct {
	tables []*schema.Table  // that hold a position now
	gone   []string         // that are not there any more, or not wanted
	failed map[string]error // by name
	err    error            // that is about none of the tables
}

// joinTries is how often a table is copied that is altered again before it can be followed.
const joinTries = 10

// joinPause is how long it waits for its turn, times how often it has been copied.
const joinPause = 250 * time.Millisecond

func newJoins(ctx context.Context, run *tailRun) *joins {
	j := &joins{run: run, done: make(chan joined, 1), state: map[string]*joining{}}
	j.ctx, j.stop = context.WithCancel(ctx)
	return j
}

// close ends what is under way.
func (j *joins) close() {
	if j != nil {
		j.stop()
		j.end.Wait()
	}
}

// tell notes that the log has told of a table. Any goroutine may call it.
func (j *joins) tell(db, table string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.news = append(j.news, db+"."+table)
}

// has reports whether a table waits or is copied.
func (j *joins) has(name string) bool { return j != nil && j.state[name] != nil }

// waiting reports whether any does.
func (j *joins) waiting() bool { return j != nil && len(j.state) > 0 }

// want has a table copied, anew if the sink holds it.
func (j *joins) want(name string, anew bool) {
	if s := j.state[name]; s != nil {
		s.again = true
		return
	}
	j.state[name] = &joining{anew: anew}
}

// poll starts what waits, and reports whether tables are ready to be followed.
func (j *joins) poll() bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	news := j.news
	j.news = nil
	j.mu.Unlock()
	for _, name := range news {
		known := slices.ContainsFunc(j.run.tables, func(t *schema.Table) bool { return t.String() == name })
		if !known || j.has(name) {
			j.want(name, false)
		}
	}
	select {
	case d := <-j.done:
		j.came(d)
	default:
	}
	j.start()
	return len(j.ready) > 0
}

// came takes what a run of their own has come to. Tables that are gone need not wait for a
// boundary: nobody follows them.
func (j *joins) came(d joined) {
	j.busy = false
	for _, name := range d.gone {
		j.left(name)
	}
	if d.err != nil || len(d.tables)+len(d.failed) > 0 {
		j.ready = append(j.ready, d)
	}
}

// wait waits until tables are ready.
func (j *joins) wait(ctx context.Context) error {
	for !j.poll() {
		if !j.busy {
			return nil
		}
		select {
		case d := <-j.done:
			j.came(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// start has those that wait be copied.
func (j *joins) start() {
	if j.busy || len(j.state) == 0 {
		return
	}
	var names []string
	anew := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(j.state)) {
		if s := j.state[name]; !s.started {
			names = append(names, name)
			anew[name] = s.anew
		}
	}
	if len(names) == 0 {
		return
	}
	tries := 0
	for _, name := range names {
		s := j.state[name]
		s.started, s.again = true, false
		tries = max(tries, s.tries)
		s.tries++
	}
	j.busy = true
	j.end.Add(1)
	go func() {
		defer j.end.Done()
		_ = sleep(j.ctx, time.Duration(tries)*joinPause) // what comes next notices an end
		j.done <- j.run.beside(j.ctx, names, anew)
	}()
}

// beside copies tables, and follows them until where the log ends then, in a run of their own.
func (r *tailRun) beside(ctx context.Context, names []string, anew map[string]bool) joined {
	out := joined{failed: map[string]error{}}
	src, err := r.opts.Beside(ctx)
	if err != nil {
		out.err = err
		return out
	}
	defer src.Close()
	sink := r.sink
	if f, ok := sink.(writer.Forker); ok {
		sink = f.Fork()
		defer sink.Close()
	}
	own := &tailRun{streamRun: streamRun{sink: sink, opts: r.opts, failed: out.failed, headroom: src.Headroom}, src: src, anew: map[string]bool{}, stock: r.stock, listed: true, unkept: map[string]bool{}}
	own.opts.Start, own.opts.Until, own.opts.IdleExit, own.opts.Progress = StartSnapshot, "now", 0, nil
	own.opts.Beside, own.going, own.aside = nil, true, true
	own.attempt = own.once
	own.copyAnew = func(te *schema.TableError) { out.failed[te.Table] = te } // it is tried again from here
	for _, name := range names {
		t, err := src.Table(ctx, name)
		var te *schema.TableError
		switch {
		case errors.As(err, &te):
			out.failed[name] = te
		case err != nil:
			out.err = err
			return out
		case t == nil:
			out.gone = append(out.gone, name)
		default:
			own.tables = append(own.tables, t)
			own.anew[name] = anew[name]
		}
	}
	asked := slices.Clone(own.tables)
	if len(own.tables) > 0 {
		out.err = own.persist(ctx)
	}
	for _, t := range asked {
		if !slices.ContainsFunc(own.tables, func(o *schema.Table) bool { return o.String() == t.String() }) {
			out.gone = append(out.gone, t.String()) // dropped meanwhile, with its copy
		}
	}
	for _, t := range own.tables {
		if out.failed[t.String()] == nil {
			out.tables = append(out.tables, t)
		}
	}
	return out
}

// join takes on what has become of tables that were copied. All tables are at a boundary.
func (f *tailer) join(ctx context.Context) error {
	j := f.run.joins
	ready := j.ready
	j.ready = nil
	var tables []*schema.Table
	for _, d := range ready {
		if d.err != nil {
			for _, s := range j.state {
				s.started = false // the next attempt begins with them again
			}
			return fmt.Errorf("copy tables beside the log: %w", d.err)
		}
		for _, name := range slices.Sorted(maps.Keys(d.failed)) {
			f.unjoined(name, d.failed[name])
		}
		for _, t := range d.tables {
			delete(j.state, t.String())
			f.replace(t)
			tables = append(tables, t)
		}
	}
	return f.openTables(ctx, tables)
}

// lookAgain takes on tables that have come into being between the listing of tables and where the
// log begins.
func (f *tailer) lookAgain(ctx context.Context) error {
	src, ok := f.src.(reader.Namer)
	if f.run.joins == nil || !f.run.stale || !ok {
		return nil
	}
	names, err := src.Names(ctx, f.opts.Selection)
	if err != nil {
		return fmt.Errorf("look for new tables: %w", err)
	}
	known := make(map[string]bool, len(f.run.tables))
	for _, t := range f.run.tables {
		known[t.String()] = true
	}
	for _, name := range names {
		if !known[name] && f.failed[name] == nil && !f.run.joins.has(name) {
			f.run.joins.want(name, false)
		}
	}
	f.run.stale = false
	return nil
}

// left forgets a table that is gone, unless it has come again.
func (j *joins) left(name string) {
	s := j.state[name]
	if s != nil && s.again {
		s.started = false
		return
	}
	delete(j.state, name)
	j.run.tables = slices.DeleteFunc(j.run.tables, func(t *schema.Table) bool { return t.String() == name })
}

// unjoined deals with a table that could not be copied, or not be followed from there.
func (f *tailer) unjoined(name string, err error) {
	j := f.run.joins
	s := j.state[name]
	var te *schema.TableError
	if s != nil && errors.As(err, &te) && (te.Anew || hint.IsTransient(te)) && s.tries < joinTries {
		s.started, s.anew = false, true
		return
	}
	delete(j.state, name)
	f.leaveTable(name, err)
}
