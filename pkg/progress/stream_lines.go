package progress

import (
	"fmt"
	"io"
	"time"
)

// StreamLines prints plain lines for a stream, for a pipe or a log: one every
// few seconds while something changes, one a minute while nothing does.
type StreamLines struct {
	lines *Lines
	every time.Duration
	notes retryNotes

	meter  meter
	next   time.Duration
	staged int64 // as last printed
	seq    int64
	at     time.Duration
}

// quietly is how often a line is printed while nothing changes.
const quietly = time.Minute

// NewStreamLines prints to w, the stream's line every so often.
func NewStreamLines(w io.Writer, every time.Duration) *StreamLines {
	return &StreamLines{lines: NewLines(w, every), every: every, next: every}
}

// Show prints what is new.
func (l *StreamLines) Show(v StreamView) {
	if line := l.notes.news(v); line != "" {
		l.lines.Note(line)
	}
	if v.copying() || !v.Following {
		l.lines.Show(v.Stock)
		l.next = v.Elapsed // then the stream's own line is due
		return
	}
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	l.lines.news(v.Stock)
	l.meter.add(v.Elapsed, v.Staged)
	if v.Elapsed < l.next {
		return
	}
	for l.next <= v.Elapsed {
		l.next += l.every
	}
	if l.at > 0 && v.Staged == l.staged && v.Last.Seq == l.seq && v.Elapsed-l.at < quietly {
		return
	}
	l.staged, l.seq, l.at = v.Staged, v.Last.Seq, v.Elapsed
	l.lines.print(v.Stock, l.status(v))
}

// Note prints the line.
func (l *StreamLines) Note(line string) { l.lines.Note(line) }

// Close prints what is new of the stock. The result is the command's to print.
func (l *StreamLines) Close(v StreamView) error { return l.lines.Close(v.Stock) }

func (l *StreamLines) status(v StreamView) string {
	age, what := lastCommit(v)
	if what != "" {
		age += ": " + what
	}
	paused := v.Stock.pause()
	if paused != "" {
		paused += "; "
	}
	return paused + fmt.Sprintf("%s rows/s, lag %s, at %s; %s; %s committed",
		Count(int64(l.meter.rate())), lagText(v.Lag), ShortPosition(v.Position), age, Plural(v.Rows, "row"))
}
