package progress

import (
	"io"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Status is a Printer that prints a run when it is asked to: see docs/json.md.
type Status struct {
	start Start
	run   *Run

	mu    sync.Mutex
	meter meter
}

// NewStatus tells of a run that was started so.
func NewStatus(s Start, r *Run) *Status { return &Status{start: s, run: r} }

// Show notes how fast the run is.
func (s *Status) Show(v View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter.add(v.Elapsed, v.Totals().Rows)
}

// Note does nothing.
func (*Status) Note(string) {}

// Close does nothing.
func (*Status) Close(View) error { return nil }

// ends are what a status tells of the command.
type ends struct {
	Version string `json:"version"`
	Command string `json:"command"`
	Source  string `json:"source"`
	Sink    string `json:"sink"`
}

// maxFailures is how many tables that failed a status names.
const maxFailures = 100

type failure struct {
	Table string `json:"table"`
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// runStatus is a progress event with what came before it.
type runStatus struct {
	progressEvent
	ends
	Phase    string    `json:"phase"`
	Position string    `json:"position"`
	Pace     Pace      `json:"pace"`
	Failures []failure `json:"failures"`
}

// Write prints one JSON object.
func (s *Status) Write(w io.Writer) error {
	v := s.run.View()
	s.mu.Lock()
	e := runStatus{
		progressEvent: progressOf("status", v, &s.meter),
		ends:          ends{s.start.Version, s.start.Command, s.start.Source, s.start.Sink},
		Phase:         v.Phase, Position: v.Position, Pace: v.Pace, Failures: []failure{},
	}
	s.mu.Unlock()
	for _, t := range v.Tables {
		if t.State == Failed && len(e.Failures) < maxFailures {
			e.Failures = append(e.Failures, failure{t.Name, tableCause(t), hint.Of(t.Err)})
		}
	}
	return writeJSON(w, e)
}
