package progress

import (
	"io"
	"math"
	"time"
)

// docs/json.md is the contract of the types below, too.

// A StreamStart is the first event: what the command was told to do.
type StreamStart struct {
	Version        string   `json:"version"`
	Command        string   `json:"command"`
	Source         string   `json:"source"`
	Sink           string   `json:"sink"`
	Tables         []string `json:"tables,omitempty"`
	Exclude        []string `json:"exclude,omitempty"`
	Start          string   `json:"start"`
	Until          string   `json:"until,omitempty"`
	IdleExit       float64  `json:"idle_exit,omitempty"`
	CommitInterval float64  `json:"commit_interval"`
	CommitSize     int64    `json:"commit_size"`
	Keyless        string   `json:"keyless"`
	Changelog      bool     `json:"changelog"`
	OnPurged       string   `json:"on_purged"`
	Parallel       int      `json:"parallel"`
	Memory         int64    `json:"memory"`
}

type followEvent struct {
	event
	Seconds  float64        `json:"seconds"`
	Rate     float64        `json:"rows_per_second"`
	Lag      float64        `json:"lag_seconds"`
	Position string         `json:"position"`
	Sources  []sourceReport `json:"sources,omitempty"`
	Queued   int64          `json:"queue_bytes"`
	Rows     int64          `json:"rows"`
	Commits  int64          `json:"commits"`
	Errors   int64          `json:"errors"`
	Refused  int64          `json:"messages_refused,omitempty"`

	Paused []string `json:"paused,omitempty"`
}

type commitEvent struct {
	event
	Position string  `json:"position"`
	At       string  `json:"source_time,omitempty"`
	Commits  int64   `json:"commits"`
	Tables   int     `json:"tables"`
	Rows     int64   `json:"rows"`
	Seconds  float64 `json:"seconds"`
	Lag      float64 `json:"lag_seconds"`
}

type retryEvent struct {
	event
	Error   string  `json:"error"`
	Wait    float64 `json:"wait_seconds"`
	Failing float64 `json:"failing_seconds"`
	Errors  int64   `json:"errors"`
}

// StreamJSON prints one JSON object a line, as docs/json.md lays down.
type StreamJSON struct {
	stock *JSON
	every time.Duration
	meter meter

	next  time.Duration // when the next follow event is due
	seq   int64         // of the commit last told
	rows  int64         // committed, as last told
	at    time.Time     // when a commit was last told
	retry int64
}

// betweenCommits is how often commits are told at most; rows of those between
// are counted with the next.
const betweenCommits = time.Second

// NewStreamJSON prints the start event to w, then all others: a follow event
// every so often, the stock's progress every second. Notes are for people and
// go to notes as they are.
func NewStreamJSON(w, notes io.Writer, every time.Duration, s StreamStart) *StreamJSON {
	j := &StreamJSON{stock: &JSON{w: w, note: notes, every: time.Second, next: time.Second}, every: every, next: every}
	j.stock.print(struct {
		event
		StreamStart
	}{head("start", time.Now()), s})
	return j
}

// Show prints what is new.
func (j *StreamJSON) Show(v StreamView) {
	if v.copying() {
		j.stock.Show(v.Stock)
	}
	j.stock.mu.Lock()
	defer j.stock.mu.Unlock()
	j.stock.news(v.Stock)
	if v.Now.Sub(j.at) >= betweenCommits {
		j.commit(v)
	}
	if v.Retry.Seq > j.retry {
		j.retry = v.Retry.Seq
		j.stock.print(retryOf(v))
	}
	if !v.Following {
		j.next = v.Elapsed
		return
	}
	j.meter.add(v.Elapsed, v.Staged)
	if v.Elapsed < j.next {
		return
	}
	for j.next <= v.Elapsed {
		j.next += j.every
	}
	j.stock.print(followOf("follow", v, &j.meter))
}

// followOf is how far the stream is, by the name of an event.
func followOf(name string, v StreamView, m *meter) followEvent {
	return followEvent{
		event: head(name, v.Now), Seconds: seconds(v.Elapsed), Rate: math.Round(m.rate()), Lag: seconds(v.Lag),
		Position: v.Position, Sources: sourceReports(v.Sources), Queued: v.Queued, Rows: v.Rows, Commits: v.Last.Seq, Errors: v.Errors, Refused: v.Refused, Paused: v.Stock.Paused,
	}
}

func retryOf(v StreamView) retryEvent {
	return retryEvent{
		event: head("retry", v.Now), Error: oneLine(v.Retry.Err), Wait: seconds(v.Retry.Wait),
		Failing: seconds(v.Now.Sub(v.Retry.Since)), Errors: v.Errors,
	}
}

// commitOf is the last commit, which together with those not told yet has made
// so many rows visible.
func commitOf(v StreamView, rows int64) commitEvent {
	c := v.Last
	e := commitEvent{
		event: head("commit", c.Time), Position: c.Position, Commits: c.Seq, Tables: c.Tables, Rows: rows,
		Seconds: seconds(c.Took), Lag: seconds(v.Lag),
	}
	if !c.At.IsZero() {
		e.At = head("", c.At).Time
	}
	return e
}

func (j *StreamJSON) commit(v StreamView) {
	if v.Last.Seq == j.seq {
		return
	}
	e := commitOf(v, v.Rows-j.rows)
	j.seq, j.rows, j.at = v.Last.Seq, v.Rows, v.Now
	j.stock.print(e)
}

// Note prints the line.
func (j *StreamJSON) Note(line string) { j.stock.Note(line) }

// Close prints what is new. The summary is WriteStreamSummary's.
func (j *StreamJSON) Close(v StreamView) error {
	j.stock.mu.Lock()
	j.commit(v)
	j.stock.mu.Unlock()
	return j.stock.Close(v.Stock)
}

func oneLine(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
