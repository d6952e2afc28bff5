package progress

import (
	"encoding/json"
	"io"
	"math"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// docs/json.md is the contract of the types below: names are never changed or
// removed, only added.

// A Start is the first event: what the run was told to do.
type Start struct {
	Version  string   `json:"version"`
	Command  string   `json:"command"`
	Source   string   `json:"source"`
	Sink     string   `json:"sink"`
	Tables   []string `json:"tables,omitempty"`
	Exclude  []string `json:"exclude,omitempty"`
	Mode     string   `json:"mode"`
	Parallel int      `json:"parallel"`
	Memory   int64    `json:"memory"`
}

// event heads every line.
type event struct {
	Event string `json:"event"`
	Time  string `json:"time"`
}

type counts struct {
	Waiting int `json:"waiting"`
	Working int `json:"working"`
	Whole   int `json:"whole"`
	Skipped int `json:"skipped"`
	Failed  int `json:"failed"`
}

type progressEvent struct {
	event
	Seconds float64  `json:"seconds"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`
	Rate    float64  `json:"rows_per_second"`
	Expect  *int64   `json:"rows_expected"`
	Left    *float64 `json:"seconds_left"`
	Tables  counts   `json:"tables"`
	AtWork  []string `json:"at_work"`
	Paused  []string `json:"paused,omitempty"`
	Resumed int64    `json:"rows_resumed,omitempty"`
}

type tableReport struct {
	Table   string  `json:"table"`
	State   string  `json:"state"`
	Rows    int64   `json:"rows"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Rate    int64   `json:"rows_per_second"`
	outputReport
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// An outputReport is what a table or a run has beside the rows of this run.
type outputReport struct {
	Files   *int64 `json:"files,omitempty"`
	Written *int64 `json:"bytes_written,omitempty"`
	Resumed int64  `json:"rows_resumed,omitempty"`
}

func reportOutput(o *Output, resumed int64) outputReport {
	r := outputReport{Resumed: resumed}
	if o != nil {
		r.Files, r.Written = &o.Files, &o.Bytes
	}
	return r
}

// JSON prints one JSON object a line, as docs/json.md lays down.
type JSON struct {
	w     io.Writer
	note  io.Writer
	every time.Duration

	mu       sync.Mutex
	err      error
	ended    ended
	meter    meter
	next     time.Duration
	position string
	pace     paceNews
}

// NewJSON prints the start event to w, then all others, progress every so
// often. Notes are for people and go to notes as they are.
func NewJSON(w, notes io.Writer, every time.Duration, s Start) *JSON {
	j := &JSON{w: w, note: notes, every: every, next: every}
	j.print(struct {
		event
		Start
	}{head("start", time.Now()), s})
	return j
}

// Show prints what is new.
func (j *JSON) Show(v View) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.news(v)
	sum := v.Totals()
	j.meter.add(v.Elapsed, sum.Rows)
	if v.Elapsed < j.next {
		return
	}
	for j.next <= v.Elapsed {
		j.next += j.every
	}
	j.print(progressOf("progress", v, &j.meter))
}

// progressOf is how far the run is, by the name of an event.
func progressOf(name string, v View, m *meter) progressEvent {
	sum := v.Totals()
	e := progressEvent{
		event: head(name, v.Now), Seconds: seconds(v.Elapsed),
		Rows: sum.Rows, Bytes: sum.Bytes, Rate: math.Round(m.rate()),
		Tables: count(sum), AtWork: []string{}, Paused: v.Paused, Resumed: sum.Resumed,
	}
	if sum.Expected > 0 {
		e.Expect = &sum.Expected
	}
	if d, ok := m.left(sum); ok {
		left := seconds(d)
		e.Left = &left
	}
	for _, t := range v.Tables {
		if t.State == Working {
			e.AtWork = append(e.AtWork, t.Name)
		}
	}
	return e
}

// Note prints the line.
func (j *JSON) Note(line string) { Quiet{j.note}.Note(line) }

// Close prints what is new. The summary is WriteSummary's.
func (j *JSON) Close(v View) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.news(v)
	return j.err
}

func (j *JSON) news(v View) {
	if v.Position != j.position {
		j.position = v.Position
		j.print(struct {
			event
			Position string `json:"position"`
		}{head("position", v.Now), v.Position})
	}
	if j.pace.news(v.Pace) {
		j.print(struct {
			event
			Pace
		}{head("pace", v.Now), v.Pace})
	}
	for _, t := range j.ended.news(v) {
		j.print(struct {
			event
			tableReport
		}{head("table", v.Now), report(t)})
	}
}

func (j *JSON) print(line any) {
	if err := writeJSON(j.w, line); err != nil && j.err == nil {
		j.err = err
	}
}

// writeJSON writes the line in one Write.
func writeJSON(w io.Writer, line any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // URLs stay readable
	return e.Encode(line)
}

func head(name string, at time.Time) event {
	return event{name, at.UTC().Format("2006-01-02T15:04:05.000Z07:00")}
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

func count(t Totals) counts {
	c := t.Count
	return counts{c[Waiting], c[Working], c[Whole], c[Skipped], c[Failed]}
}

func report(t TableView) tableReport {
	r := tableReport{
		Table: t.Name, State: t.State.String(), Rows: t.Rows, Bytes: t.Bytes, Seconds: seconds(t.Took),
		Rate: int64(t.Rate()), outputReport: reportOutput(t.Output, t.Resumed),
	}
	if t.Err != nil {
		r.Error, r.Hint = tableCause(t), hint.Of(t.Err)
	}
	return r
}
