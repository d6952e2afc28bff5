package progress

import "time"

// A StreamView is a copy of a Stream's counters at one moment, but for those of
// the tables.
type StreamView struct {
	Now       time.Time
	Elapsed   time.Duration // since the command began
	Stock     View
	Following bool   // the log is being read
	Position  string // how far it has been read

	// Lag is how long ago the source committed the oldest change that may not be
	// visible yet; 0 if all is visible. Before the log is followed it is Elapsed.
	Lag time.Duration

	Staged, Bytes int64  // rows and bytes staged, those staged again after an error included
	Rows          int64  // committed
	Queued        int64  // bytes between the log's reader and the writers
	Refused       int64  // messages left out, those read again after an error included
	Waiting       bool   // changes have come that are not committed
	Started       string // where tables begin that were not copied; "" if there are none
	Last          Commit
	Times         Durations // of commits
	Errors        int64
	Retry         Retry
	// Sources are those that are followed, if there are several. Then all else is of all of them
	// together: Position is that of the one that is furthest behind.
	Sources []SourceView
}

// A Commit is one commit of a Stream.
type Commit struct {
	Seq      int64 // counts from 1; 0: there was none
	Position string
	At       time.Time // when the source committed what Position ends with; zero if unknown
	Time     time.Time // when the commit was done
	Tables   int
	Rows     int64
	Took     time.Duration
}

// A Retry is what has failed and is tried again.
type Retry struct {
	Seq   int64         // counts failures; 0: there was none
	Err   error         // of the last one
	Wait  time.Duration // until the next attempt
	Since time.Time     // the first failure in a row
	Until time.Time     // when the next attempt is made
	Over  bool          // it has gone on since
}

// Now reports whether something fails at the moment.
func (r Retry) Now() bool { return r.Seq > 0 && !r.Over }

func (r *Retry) failed(err error, now time.Time, wait time.Duration) {
	if !r.Now() {
		r.Since = now
	}
	r.Seq++
	r.Err, r.Wait, r.Until, r.Over = err, wait, now.Add(wait), false
}

// CommitBounds are the upper bounds of what Durations counts, in seconds.
var CommitBounds = [...]float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// Durations is a histogram.
type Durations struct {
	Count int64
	Sum   time.Duration
	Up    [len(CommitBounds)]int64 // how many were up to each of CommitBounds
}

func (d *Durations) add(took time.Duration) {
	d.Count++
	d.Sum += took
	for i, b := range CommitBounds {
		if took.Seconds() <= b {
			d.Up[i]++
		}
	}
}

// A StreamTableView is one table of a Stream at one moment.
type StreamTableView struct {
	Name      string
	Rows      int64 // committed
	Bytes     int64 // staged
	Commits   int64
	Output    *Output       // of the commits; nil if the sink does not tell
	Took      time.Duration // by all commits together
	Committed time.Time     // the last one; zero if there was none
	Errors    int64
	Err       error // the last one
}

// grace is how long the log's reader may say nothing before that counts as
// standing still for a bad reason. It is told of a log that stands still every
// few seconds.
const grace = 15 * time.Second

// View copies the counters.
func (s *Stream) View() StreamView {
	s.mu.Lock()
	parts := s.parts
	s.mu.Unlock() // they only ever grow
	if len(parts) > 0 {
		return s.sum(parts)
	}
	return s.own()
}

// own is the view of one that has no parts.
func (s *Stream) own() StreamView {
	v := StreamView{Stock: s.stock.View(), Staged: s.rows.Load(), Bytes: s.bytes.Load(), Queued: s.queued.Load(), Refused: s.refused.Load()}
	v.Now, v.Elapsed = v.Stock.Now, v.Stock.Elapsed
	s.mu.Lock()
	defer s.mu.Unlock()
	v.Following = !s.seen.IsZero()
	v.Position, v.Started, v.Last, v.Times, v.Rows = s.reached.pos, s.started, s.commit, s.times, s.total
	v.Waiting = s.staged.Load() || v.Queued > 0
	v.Errors, v.Retry, v.Lag = s.errors, s.retry, s.lag(v)
	return v
}

func (s *Stream) lag(v StreamView) time.Duration {
	if !v.Following {
		return v.Elapsed
	}
	lag := s.behind
	if quiet := v.Now.Sub(s.seen); quiet > grace {
		lag += quiet
	}
	switch {
	case s.staged.Load():
		lag = max(lag, v.Now.Sub(s.pending))
	case v.Queued > 0: // what is behind the place that was reached last
		lag = max(lag, v.Now.Sub(s.seen.Add(-s.behind)))
	}
	if !s.dropped.IsZero() {
		lag = max(lag, v.Now.Sub(s.dropped))
	}
	return lag
}

// Tables copies the counters of all tables.
func (s *Stream) Tables() []StreamTableView {
	s.mu.Lock()
	tables, parts := s.tables, s.parts
	s.mu.Unlock() // they only ever grow
	out := make([]StreamTableView, 0, len(tables))
	for _, t := range tables {
		out = append(out, t.view())
	}
	for _, p := range parts {
		out = append(out, p.Tables()...)
	}
	return out
}

func (t *StreamTable) view() StreamTableView {
	v := StreamTableView{
		Name: t.Name, Rows: t.rows.Load(), Bytes: t.bytes.Load(),
		Commits: t.commits.Load(), Output: t.output.Load(), Took: time.Duration(t.took.Load()), Errors: t.errors.Load(),
	}
	if at := t.committed.Load(); at != 0 {
		v.Committed = time.Unix(0, at)
	}
	if err := t.err.Load(); err != nil {
		v.Err = *err
	}
	return v
}
