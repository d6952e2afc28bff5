package progress

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Stream holds the counters of a command that follows a log. A nil *Stream
// counts nothing. All methods may be called by several goroutines.
type Stream struct {
	start time.Time
	stock *Run

	rows, bytes atomic.Int64 // staged, those staged again after an error included
	queued      atomic.Int64
	refused     atomic.Int64 // messages
	fresh       atomic.Int64 // rows committed since the last Committed
	staged      atomic.Bool  // since the last Committed or Retrying

	mu      sync.Mutex
	tables  []*StreamTable
	byName  map[string]*StreamTable
	reached point
	behind  time.Duration // how far reached was behind the source when it was told
	seen    time.Time     // when reached was told last
	started string        // where tables begin that were not copied
	pending time.Time     // commit time at the source of the oldest row that is staged only, about
	dropped time.Time     // the same of what an error has dropped; zero if nothing
	commit  Commit        // the last one
	total   int64         // rows committed
	times   Durations
	retry   Retry
	errors  int64

	parts          []*Stream // one for each source, if there are several
	source, prefix string    // of a part
}

// A point is a position in the log and when the source committed it.
type point struct {
	pos string
	at  time.Time
}

// NewStream starts the clock.
func NewStream() *Stream {
	return &Stream{start: time.Now(), stock: NewRun(), byName: map[string]*StreamTable{}}
}

// Phase says what the command is busy with before it follows the log.
func (s *Stream) Phase(text string) {
	if s != nil {
		s.stock.Phase(text)
	}
}

// Stock returns what counts the stock that is read before the log.
func (s *Stream) Stock() *Run {
	if s == nil {
		return nil
	}
	return s.stock
}

// Table returns what counts a table's changes. The same name gives the same
// table.
func (s *Stream) Table(name string) *StreamTable {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.byName[name]; t != nil {
		return t
	}
	t := &StreamTable{Name: s.prefix + name, stream: s}
	s.byName[name] = t
	s.tables = append(s.tables, t)
	return t
}

// Started says that tables begin at pos in the log, without what they held before.
func (s *Stream) Started(pos string) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.started = pos
	}
}

// Reached says that the log has been read up to pos, which the source committed
// at that time, zero if unknown. The same pos again says that the log stands
// still.
func (s *Stream) Reached(pos string, at time.Time) {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case pos == s.reached.pos:
		s.behind = 0
	case !at.IsZero():
		s.behind = max(0, now.Sub(at)) // clocks differ
	}
	s.reached, s.seen = point{pos, at}, now
}

// Queued counts bytes that enter, or if negative leave, the queue between the
// log's reader and the writers.
func (s *Stream) Queued(delta int64) {
	if s != nil {
		s.queued.Add(delta)
	}
}

// Refused counts a message of the log that could not be read and is left out, and returns
// how many there were.
func (s *Stream) Refused() int64 {
	if s == nil {
		return 0
	}
	return s.refused.Add(1)
}

// Committed says that all changes up to pos, which the source committed at that
// time, are visible now, by a commit of so many tables. The tables' own
// Committed come before it.
func (s *Stream) Committed(pos string, at time.Time, tables int, took time.Duration) {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.fresh.Swap(0)
	s.total += rows
	s.commit = Commit{Position: pos, At: at, Time: now, Tables: tables, Rows: rows, Took: took, Seq: s.commit.Seq + 1}
	s.times.add(took)
	s.staged.Store(false) // nobody writes while there is a commit
}

// Recovered says that what has failed is mended: all that was read then is
// visible.
func (s *Stream) Recovered() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.retry.Over, s.dropped = true, time.Time{}
	}
}

// Retrying says that something failed and is going to be tried again after a
// while.
func (s *Stream) Retrying(err error, wait time.Duration) {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors++
	s.retry.failed(err, now, wait)
	// What was staged is dropped, and read again if it is not visible after all.
	if s.staged.Swap(false) && s.dropped.IsZero() {
		s.dropped = s.pending
	}
}

// stage notes that something is staged for the next commit.
func (s *Stream) stage(rows, bytes int64) {
	s.rows.Add(rows)
	s.bytes.Add(bytes)
	if s.staged.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.staged.Load() {
		s.pending = time.Now().Add(-s.behind)
		s.staged.Store(true)
	}
}

// A StreamTable counts one table of a Stream. A nil *StreamTable counts nothing.
type StreamTable struct {
	Name   string
	stream *Stream

	rows, bytes   atomic.Int64 // rows committed, bytes staged
	commits, took atomic.Int64
	committed     atomic.Int64 // when, in nanoseconds
	errors        atomic.Int64
	err           atomic.Pointer[error]
	output        atomic.Pointer[Output]
}

// Add counts rows that the sink has taken, and their bytes on the source's wire.
func (t *StreamTable) Add(rows, bytes int64) {
	if t != nil {
		t.bytes.Add(bytes)
		t.stream.stage(rows, bytes)
	}
}

// Committed counts a commit of the table, and the rows that it has made visible.
func (t *StreamTable) Committed(rows int64, took time.Duration) {
	if t != nil {
		t.rows.Add(rows)
		t.commits.Add(1)
		t.took.Add(int64(took))
		t.committed.Store(time.Now().UnixNano())
		t.stream.fresh.Add(rows)
	}
}

// Wrote counts what a commit has made at the sink: data files, and files that say
// which rows are deleted. One goroutine counts a table.
func (t *StreamTable) Wrote(files, bytes int64) {
	if t == nil {
		return
	}
	t.output.Store(t.output.Load().plus(&Output{files, bytes}))
}

// Failed counts an error of the table.
func (t *StreamTable) Failed(err error) {
	if t != nil {
		t.err.Store(&err)
		t.errors.Add(1)
	}
}
