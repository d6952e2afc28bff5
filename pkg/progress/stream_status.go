package progress

import (
	"io"
	"strings"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A StreamStatus is a StreamPrinter that prints a stream when it is asked to: see
// docs/json.md.
type StreamStatus struct {
	start  StreamStart
	stream *Stream

	mu           sync.Mutex
	stock, meter meter
}

// NewStreamStatus tells of a stream that was started so.
func NewStreamStatus(s StreamStart, stream *Stream) *StreamStatus {
	return &StreamStatus{start: s, stream: stream}
}

// Show notes how fast the stream is.
func (s *StreamStatus) Show(v StreamView) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stock.add(v.Elapsed, v.Stock.Totals().Rows)
	s.meter.add(v.Elapsed, v.Staged)
}

// Note does nothing.
func (*StreamStatus) Note(string) {}

// Close does nothing.
func (*StreamStatus) Close(StreamView) error { return nil }

// streamStatus is a follow event with what came before it.
type streamStatus struct {
	followEvent
	ends
	Phase     string         `json:"phase"`
	Following bool           `json:"following"`
	Pace      Pace           `json:"pace"`
	Stock     *progressEvent `json:"stock,omitempty"`
	Commit    *commitEvent   `json:"last_commit,omitempty"`
	Retry     *retryEvent    `json:"retry,omitempty"`
	Failures  []failure      `json:"failures"`
}

// Write prints one JSON object.
func (s *StreamStatus) Write(w io.Writer) error {
	v := s.stream.View()
	s.mu.Lock()
	e := streamStatus{
		followEvent: followOf("status", v, &s.meter),
		ends:        ends{s.start.Version, s.start.Command, s.start.Source, s.start.Sink},
		Phase:       v.Stock.Phase, Following: v.Following, Pace: v.Stock.Pace, Failures: []failure{},
	}
	if v.copying() {
		p := progressOf("progress", v.Stock, &s.stock)
		e.Stock = &p
	}
	s.mu.Unlock()
	if v.Last.Seq > 0 {
		c := commitOf(v, v.Last.Rows)
		e.Commit = &c
	}
	if v.Retry.Now() {
		r := retryOf(v)
		e.Retry = &r
	}
	for _, t := range streamTables(s.stream, v) {
		if t.Err != nil && len(e.Failures) < maxFailures {
			e.Failures = append(e.Failures, failure{t.Name, strings.TrimPrefix(t.Err.Error(), t.Name+": "), hint.Of(t.Err)})
		}
	}
	return writeJSON(w, e)
}
