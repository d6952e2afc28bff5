package progress

import (
	"log/slog"
	"time"
)

// A StreamLog tells of a stream in records, as a Log does of a run.
type StreamLog struct {
	stock *Log
	every time.Duration
	meter meter

	next    time.Duration // when it is told next how far the stream is
	seq     int64         // of the commit last told
	rows    int64         // committed, as last told
	at      time.Time     // when a commit was last told
	retry   int64
	failing bool
}

// NewStreamLog tells l, how far the stream is every so often, and at most one
// commit a second.
func NewStreamLog(l *slog.Logger, every time.Duration) *StreamLog {
	return &StreamLog{stock: NewLog(l, every), every: every}
}

// Show tells what is new.
func (l *StreamLog) Show(v StreamView) {
	l.stock.Show(v.Stock)
	l.stock.mu.Lock()
	defer l.stock.mu.Unlock()
	l.news(v, false)
	if !v.Following {
		l.next = v.Elapsed
		return
	}
	l.meter.add(v.Elapsed, v.Staged)
	if v.Elapsed < l.next {
		return
	}
	for l.next <= v.Elapsed {
		l.next += l.every
	}
	l.stock.info("following",
		slog.Int64("rows_per_second", int64(l.meter.rate())), slog.Float64("lag_seconds", seconds(v.Lag)), slog.String("position", v.Position),
		slog.Int64("queue_bytes", v.Queued), slog.Int64("rows", v.Rows), slog.Int64("commits", v.Last.Seq), slog.Int64("errors", v.Errors))
}

// Note tells a line that was meant for a terminal.
func (l *StreamLog) Note(line string) { l.stock.Note(line) }

// Close tells what is new.
func (l *StreamLog) Close(v StreamView) error {
	l.stock.mu.Lock()
	l.news(v, true)
	l.stock.mu.Unlock()
	return l.stock.Close(v.Stock)
}

// news tells of commits and failures. Commits that follow each other closely are
// told together, but for the last.
func (l *StreamLog) news(v StreamView, last bool) {
	if r := v.Retry; r.Seq > l.retry {
		l.retry, l.failing = r.Seq, true
		attrs := append(ErrorAttrs(oneLine(r.Err), ""), slog.Float64("wait_seconds", seconds(r.Wait)),
			slog.Float64("failing_seconds", seconds(v.Now.Sub(r.Since))), slog.Int64("errors", v.Errors))
		l.stock.tell(slog.LevelWarn, "retry", attrs...)
	}
	if l.failing && v.Retry.Over {
		l.failing = false
		l.stock.info("recovered", slog.Float64("failing_seconds", seconds(v.Now.Sub(v.Retry.Since))))
	}
	c := v.Last
	if c.Seq == l.seq || !last && v.Now.Sub(l.at) < betweenCommits {
		return
	}
	l.stock.info("commit", slog.String("position", c.Position), slog.Int64("commits", c.Seq), slog.Int("tables", c.Tables),
		slog.Int64("rows", v.Rows-l.rows), slog.Float64("seconds", seconds(c.Took)), slog.Float64("lag_seconds", seconds(v.Lag)))
	l.seq, l.rows, l.at = c.Seq, v.Rows, v.Now
}

// Attrs are what the record of a stream's end tells of it.
func (v StreamView) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.Float64("seconds", seconds(v.Elapsed)), slog.Int64("stock_rows", v.Stock.Totals().Staged()), slog.Int64("rows", v.Rows),
		slog.Int64("bytes", v.Bytes), slog.Int64("commits", v.Last.Seq), slog.Int64("errors", v.Errors), slog.String("position", v.committed()),
	}
}
