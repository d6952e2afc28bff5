// Package progress counts what a run has moved and shows it. Only package move
// and the command around it feed it; printers read it at their own pace.
package progress

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Run holds the counters of one command. A nil *Run counts nothing.
type Run struct {
	start    time.Time
	mu       sync.Mutex
	tables   []*Table
	phase    string
	position string
	paused   []string
	pace     Pace

	parts          []*Run // one for each source, if there are several
	of             *Run   // the run that this is a part of; nil if it is one itself
	source, prefix string // of a part
}

// NewRun starts the clock.
func NewRun() *Run { return &Run{start: time.Now()} }

// A State says how far a table has come.
type State int32

// The states of a table, in the order that it passes through them.
const (
	Waiting State = iota
	Working
	Whole   // committed by this run
	Skipped // was whole before
	Failed
)

// String returns the state as the JSON contract writes it.
func (s State) String() string {
	return [...]string{"waiting", "working", "whole", "skipped", "failed"}[s]
}

// Ended reports whether nothing more will happen to a table in this state.
func (s State) Ended() bool { return s >= Whole }

// A Table counts one table of a Run. A nil *Table counts nothing.
type Table struct {
	Name     string
	Estimate int64 // rows the source believes to hold; 0 unknown

	rows, bytes atomic.Int64
	resumed     atomic.Int64 // rows
	output      atomic.Pointer[Output]
	state       atomic.Int32
	busy        atomic.Pointer[string]
	err         atomic.Pointer[error]
	took        atomic.Int64              // from the first row to the commit
	began       atomic.Pointer[time.Time] // whole, for the clock may be set meanwhile
	tries       int                       // of tables that this one is in place of
	spent       int64                     // rows of theirs
}

// Table adds a table to the run, in place of one of the same name that failed.
func (r *Run) Table(name string, estimate int64) *Table {
	if r == nil {
		return nil
	}
	if r.of != nil {
		return r.of.Table(r.prefix+name, estimate)
	}
	t := &Table{Name: name, Estimate: estimate}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, old := range r.tables {
		if old.Name == name && State(old.state.Load()) != Whole {
			t.tries, t.spent = old.tries+1, old.spent+old.rows.Load()
			r.tables = slices.Clone(r.tables) // a View may be reading it
			r.tables[i] = t
			return t
		}
	}
	r.tables = append(r.tables, t)
	return t
}

// Phase says what the run is busy with before the first row flows, such as
// "listing tables". It is shown until then.
func (r *Run) Phase(text string) {
	if r == nil {
		return
	}
	if r.of != nil {
		r.of.Phase(r.source + ": " + text)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = text
}

// Pinned notes the point that the run reads, as soon as it is known.
func (r *Run) Pinned(position string) {
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.position = position
	}
}

// Begin marks the table as being read. It may be called more than once.
func (t *Table) Begin() {
	if t != nil && t.state.CompareAndSwap(int32(Waiting), int32(Working)) {
		now := time.Now()
		t.began.Store(&now)
	}
}

// Add counts rows that the sink has taken, and their bytes on the source's wire.
func (t *Table) Add(rows, bytes int64) {
	if t != nil {
		t.rows.Add(rows)
		t.bytes.Add(bytes)
	}
}

// Busy says what is done with the table once its rows are read, such as "looking again at 3
// differing rows": it stands where its percents were. It may be told anew.
func (t *Table) Busy(text string) {
	if t != nil {
		t.busy.Store(&text)
	}
}

// Resumed tells how many rows an earlier run, which was stopped, had staged of the
// table, and this one takes over. It comes before the table begins.
func (t *Table) Resumed(rows int64) {
	if t != nil {
		t.resumed.Store(rows)
	}
}

// Wrote tells what the sink has made of the table: data files, and files that say
// which of their rows are deleted. It comes before the table is Done.
func (t *Table) Wrote(files, bytes int64) {
	if t != nil {
		t.output.Store(&Output{files, bytes})
	}
}

// Skip marks the table as whole before the run.
func (t *Table) Skip() { t.end(Skipped) }

// Done marks the table as committed.
func (t *Table) Done() { t.end(Whole) }

// Fail marks the table as failed.
func (t *Table) Fail(err error) {
	if t != nil {
		t.err.Store(&err)
	}
	t.end(Failed)
}

func (t *Table) end(s State) {
	if t == nil {
		return
	}
	if b := t.began.Load(); b != nil {
		t.took.Store(int64(time.Since(*b)))
	}
	t.state.Store(int32(s))
}
