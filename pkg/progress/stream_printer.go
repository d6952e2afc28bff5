package progress

import (
	"fmt"
	"time"
)

// A StreamPrinter shows a Stream while it lasts, as a Printer does a Run.
type StreamPrinter interface {
	Show(v StreamView)
	Note(line string)
	Close(v StreamView) error
}

// WatchStream shows the stream on p until stop is called, which closes p. Only
// the first stop does anything.
func WatchStream(s *Stream, p StreamPrinter) (stop func() error) {
	return watch(func() { p.Show(s.View()) }, func() error { return p.Close(s.View()) })
}

// QuietStream prints notes and nothing else.
type QuietStream struct{ Quiet }

// Show does nothing.
func (QuietStream) Show(StreamView) {}

// Close does nothing.
func (QuietStream) Close(StreamView) error { return nil }

// copying reports whether stock is being read.
func (v StreamView) copying() bool { return v.Stock.Totals().Left() > 0 }

// retryNotes turns failures into lines for the operator: one when something
// begins to fail, or fails in another way, one a minute while it does, and one
// when it goes on.
type retryNotes struct {
	seen int64
	text string
	at   time.Time
	told bool
}

// news returns the line that is due, or "".
func (n *retryNotes) news(v StreamView) string {
	r := v.Retry
	if n.told && r.Over {
		n.told, n.text = false, ""
		return "tablehaul: going on, after " + Seconds(v.Now.Sub(r.Since))
	}
	if r.Seq == n.seen || r.Err == nil {
		return ""
	}
	n.seen = r.Seq
	text := Printable(r.Err.Error())
	if text == n.text && v.Now.Sub(n.at) < time.Minute {
		return ""
	}
	n.text, n.at, n.told = text, v.Now, !r.Over
	if r.Wait == 0 {
		return fmt.Sprintf("tablehaul: %s; trying again", text)
	}
	return fmt.Sprintf("tablehaul: %s; trying again in %s", text, Seconds(r.Wait))
}

// lagText writes a lag: 0.4 s, 12 s, 4:05.
func lagText(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return Clock(d)
}

// lastCommit tells of the last commit in two parts: when, and what.
func lastCommit(v StreamView) (age, what string) {
	if v.Last.Seq == 0 {
		return "no commit yet", ""
	}
	age = "commit " + Age(v.Now.Sub(v.Last.Time)) + " ago"
	return age, Plural(int64(v.Last.Tables), "table") + ", " + Plural(v.Last.Rows, "row")
}
