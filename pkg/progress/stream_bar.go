package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// StreamBar draws one line for a stream, in place, and a second one while
// something fails. While stock is read it is a Bar.
type StreamBar struct {
	bar     *Bar
	meter   meter
	notes   retryNotes
	copying bool
}

// NewStreamBar draws on w.
func NewStreamBar(w io.Writer, t Terminal) *StreamBar { return &StreamBar{bar: NewBar(w, t)} }

// Show draws a frame over the last one.
func (b *StreamBar) Show(v StreamView) {
	if line := b.notes.news(v); line != "" {
		b.bar.Note(line)
	}
	if b.copying && !v.copying() {
		_ = b.bar.Close(v.Stock) // leaves a line of its own; it never fails
	}
	if b.copying = v.copying(); b.copying {
		b.bar.Show(v.Stock)
		return
	}
	b.bar.mu.Lock()
	defer b.bar.mu.Unlock()
	if !v.Following {
		b.bar.show(func() []string { return []string{b.bar.spinner(v.Stock) + " " + v.Stock.Phase} })
		return
	}
	b.meter.add(v.Elapsed, v.Staged)
	b.bar.show(func() []string { return b.frame(v) })
}

// Note prints a line above the frame, where it stays.
func (b *StreamBar) Note(line string) { b.bar.Note(line) }

// Close leaves nothing on the screen but the notes, and the stock's line if it
// was being read: the summary tells the rest.
func (b *StreamBar) Close(v StreamView) error {
	if b.copying {
		return b.bar.Close(v.Stock)
	}
	b.bar.mu.Lock()
	defer b.bar.mu.Unlock()
	b.bar.draw("", nil)
	return nil
}

func (b *StreamBar) frame(v StreamView) []string {
	lines := append([]string{b.line(v)}, v.Stock.held()...)
	if r := v.Retry; r.Now() {
		text := "trying again"
		if left := r.Until.Sub(v.Now); left >= time.Second {
			text += " in " + Clock(left)
		}
		lines = append(lines, fmt.Sprintf("  %s, failing for %s: %s", text, Clock(v.Now.Sub(r.Since)), Printable(r.Err.Error())))
	}
	return lines
}

// line is as much of the stream's state as fits. What tells least goes first.
func (b *StreamBar) line(v StreamView) string {
	rate, lag := Count(int64(b.meter.rate()))+" rows/s", "lag "+lagText(v.Lag)
	age, what := lastCommit(v)
	commit, full := age, age
	if what != "" {
		commit = age + ": " + what
		full = commit + " in " + Seconds(v.Last.Took)
	}
	pos, rows := ShortPosition(v.Position), Plural(v.Rows, "row")
	room := b.bar.columns() - 1
	spin := b.bar.spinner(v.Stock) + " "
	for _, parts := range [][]string{
		{rate, lag, pos, full, rows}, {rate, lag, pos, commit, rows}, {rate, lag, pos, commit}, {rate, lag, pos, age}, {rate, lag, age}, {rate, lag}, {lag},
	} {
		if text := strings.TrimRight(spin+joined(parts), " "); width(text) <= room {
			return text
		}
	}
	return lag
}
