package progress

import (
	"cmp"
	"time"
)

// A View is a copy of a Run's counters at one moment. What it says of a table
// that has ended is final.
type View struct {
	Now      time.Time
	Elapsed  time.Duration // since the run began
	Phase    string
	Position string   // the point that the run reads; "" until it is pinned
	Paused   []string // why nothing is read at the moment; nil while something is
	Pace     Pace     // how hard the source may be worked
	Tables   []TableView
	Sources  []SourceView // if there are several; then Position is ""
}

// A TableView is one table of a View.
type TableView struct {
	Name     string
	Estimate int64 // rows the source believes to hold; 0 unknown
	Rows     int64 // of this run
	Bytes    int64
	Resumed  int64   // rows of an earlier run, taken over; Bytes has none of them
	Output   *Output // at the sink, once the table is whole; nil if the sink does not tell
	State    State
	Busy     string        // what is done with it behind the last row; "" before
	Took     time.Duration // from the first row to the commit, or until now
	Err      error         // of a Failed table
	Tries    int           // how often the table was begun before, in vain
	Spent    int64         // rows of those times
}

// An Output is files at the sink, and their bytes. There are no files where the sink is
// one of messages.
type Output struct{ Files, Bytes int64 }

// String writes the output as "1.1 MiB in 2 files"; "" if there is none.
func (o *Output) String() string {
	switch {
	case o == nil || o.Files == 0 && o.Bytes == 0:
		return ""
	case o.Files == 0:
		return Bytes(o.Bytes) + " of messages"
	}
	return Bytes(o.Bytes) + " in " + Plural(o.Files, "file")
}

// plus adds two outputs, which may both be nil.
func (o *Output) plus(other *Output) *Output {
	if o == nil || other == nil {
		return cmp.Or(o, other)
	}
	return &Output{o.Files + other.Files, o.Bytes + other.Bytes}
}

// Staged returns the rows that the sink has, those of an earlier run included.
func (t TableView) Staged() int64 { return t.Rows + t.Resumed }

// Rate returns the table's rows a second, in this run.
func (t TableView) Rate() float64 {
	if s := t.Took.Seconds(); s > 0 {
		return float64(t.Rows) / s
	}
	return 0
}

// View copies the counters.
func (r *Run) View() View {
	now := time.Now()
	r.mu.Lock()
	v := View{Now: now, Elapsed: now.Sub(r.start), Phase: r.phase, Position: r.position, Paused: r.paused, Pace: r.pace}
	tables, parts := r.tables, r.parts
	r.mu.Unlock() // they only ever grow, so what is in them can be read
	r.addParts(&v, parts)

	v.Tables = make([]TableView, len(tables))
	for i, t := range tables {
		v.Tables[i] = t.view(now)
	}
	return v
}

// view reads the state first: it is stored last, so rows, duration and error
// of a table that is seen to have ended are complete.
func (t *Table) view(now time.Time) TableView {
	s := State(t.state.Load())
	v := TableView{
		Name: t.Name, Estimate: t.Estimate, State: s, Tries: t.tries, Spent: t.spent,
		Rows: t.rows.Load(), Bytes: t.bytes.Load(), Resumed: t.resumed.Load(), Output: t.output.Load(), Took: time.Duration(t.took.Load()),
	}
	if b := t.began.Load(); s == Working && b != nil {
		v.Took = max(0, now.Sub(*b))
	}
	if b := t.busy.Load(); b != nil && s == Working {
		v.Busy = *b
	}
	if err := t.err.Load(); err != nil {
		v.Err = *err
	}
	return v
}

// Totals add up the tables of a View.
type Totals struct {
	Rows, Bytes int64   // of this run
	Resumed     int64   // rows of earlier ones, taken over
	Output      *Output // at the sink; nil if it does not tell
	// Expected is how many rows there will be in the end, as far as the
	// source's estimates tell; 0 if they tell nothing.
	Expected int64
	// Count holds the number of tables in each State.
	Count [Failed + 1]int
}

// Totals adds up the tables.
func (v View) Totals() Totals {
	var sum Totals
	for _, t := range v.Tables {
		sum.Count[t.State]++
		sum.Rows += t.Rows
		sum.Bytes += t.Bytes
		sum.Resumed += t.Resumed
		sum.Output = sum.Output.plus(t.Output)
		// An estimate may be off either way: what has been seen counts more, and
		// of a table that has ended nothing else counts.
		if t.State.Ended() {
			sum.Expected += t.Staged()
		} else {
			sum.Expected += max(t.Staged(), t.Estimate)
		}
	}
	return sum
}

// Staged returns the rows that the sink has, those of earlier runs included.
func (t Totals) Staged() int64 { return t.Rows + t.Resumed }

// Left returns the number of tables that have not ended.
func (t Totals) Left() int { return t.Count[Waiting] + t.Count[Working] }

// Rate returns the average rows a second since the run began.
func (v View) Rate() float64 {
	if s := v.Elapsed.Seconds(); s > 0 {
		return float64(v.Totals().Rows) / s
	}
	return 0
}
