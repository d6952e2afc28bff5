package progress

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Log tells of a run in records. docs/log.md is the contract of their messages
// and attributes. Begin and end of the run are the command's to tell.
type Log struct {
	log   *slog.Logger
	every time.Duration

	mu       sync.Mutex
	ended    ended
	begun    []int // tries of each table that have been told to have begun
	meter    meter
	next     time.Duration
	phase    string
	position string
	pace     paceNews
	paused   string
}

// NewLog tells l, how far the whole run is every so often.
func NewLog(l *slog.Logger, every time.Duration) *Log {
	return &Log{log: l, every: every, next: every}
}

// Show tells what is new.
func (l *Log) Show(v View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news(v)
	sum := v.Totals()
	l.meter.add(v.Elapsed, sum.Rows)
	if v.Elapsed < l.next {
		return
	}
	for l.next <= v.Elapsed {
		l.next += l.every
	}
	if sum.Left() > 0 {
		l.info("progress", l.progress(v, sum)...)
	}
}

// Note tells a line that was meant for a terminal.
func (l *Log) Note(line string) {
	level := slog.LevelInfo
	text := strings.TrimPrefix(strings.TrimSpace(line), "tablehaul: ")
	if warning, ok := strings.CutPrefix(text, "warning: "); ok {
		level, text = slog.LevelWarn, warning
	}
	l.log.Log(context.Background(), level, text)
}

// Close tells what is new.
func (l *Log) Close(v View) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news(v)
	return nil
}

func (l *Log) info(msg string, attrs ...slog.Attr) { l.tell(slog.LevelInfo, msg, attrs...) }

func (l *Log) tell(level slog.Level, msg string, attrs ...slog.Attr) {
	l.log.LogAttrs(context.Background(), level, msg, attrs...)
}

func (l *Log) news(v View) {
	if v.Phase != l.phase {
		l.phase = v.Phase
		l.info("phase", slog.String("phase", v.Phase))
	}
	if v.Position != l.position {
		l.position = v.Position
		l.info("position", slog.String("position", v.Position))
	}
	l.held(v)
	for i, t := range v.Tables {
		if i == len(l.begun) {
			l.begun = append(l.begun, 0)
		}
		if began := t.State == Working || t.Took > 0; began && l.begun[i] <= t.Tries {
			l.begun[i] = t.Tries + 1
			attrs := []slog.Attr{slog.String("table", t.Name), slog.Int64("rows_expected", t.Estimate)}
			l.info("table begun", append(attrs, resumedAttrs(t.Resumed)...)...)
		}
	}
	for _, t := range l.ended.news(v) {
		l.end(t)
	}
}

// held tells what holds the run back.
func (l *Log) held(v View) {
	if p := v.Pace; l.pace.news(p) {
		l.info("pace", slog.Int("parallel", p.Parallel), slog.Int("max_parallel", p.MaxParallel),
			slog.String("rate_limit", p.RateLimit), slog.String("max_load", p.MaxLoad), slog.String("max_lag", p.MaxLag))
	}
	switch why := strings.Join(v.Paused, "; "); {
	case why == l.paused:
		return
	case why != "":
		l.tell(slog.LevelWarn, "paused", slog.String("reason", why))
	default:
		l.info("resumed")
	}
	l.paused = strings.Join(v.Paused, "; ")
}

// end tells of a table that has ended.
func (l *Log) end(t TableView) {
	attrs := []slog.Attr{slog.String("table", t.Name)}
	if t.State == Skipped {
		l.info("table skipped", attrs...)
		return
	}
	attrs = append(attrs, slog.Int64("rows", t.Rows), slog.Int64("bytes", t.Bytes), slog.Float64("seconds", seconds(t.Took)))
	if t.State == Failed {
		l.tell(slog.LevelError, "table failed", append(attrs, ErrorAttrs(tableCause(t), hint.Of(t.Err))...)...)
		return
	}
	attrs = append(attrs, slog.Int64("rows_per_second", int64(t.Rate())))
	l.info("table done", append(attrs, append(outputAttrs(t.Output), resumedAttrs(t.Resumed)...)...)...)
}

func (l *Log) progress(v View, sum Totals) []slog.Attr {
	attrs := []slog.Attr{
		slog.Int64("rows", sum.Rows), slog.Int64("bytes", sum.Bytes), slog.Int64("rows_per_second", int64(l.meter.rate())),
		slog.Int("tables_left", sum.Left()), slog.Int("tables_failed", sum.Count[Failed]),
	}
	if sum.Expected > 0 {
		attrs = append(attrs, slog.Int64("rows_expected", sum.Expected))
	}
	if d, ok := l.meter.left(sum); ok {
		attrs = append(attrs, slog.Float64("seconds_left", seconds(d)))
	}
	return append(attrs, resumedAttrs(sum.Resumed)...)
}

// ErrorAttrs are what a record tells of an error: "hint" only if there is one.
func ErrorAttrs(text, hint string) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", text)}
	if hint != "" {
		attrs = append(attrs, slog.String("hint", hint))
	}
	return attrs
}

func outputAttrs(o *Output) []slog.Attr {
	if o == nil {
		return nil
	}
	return []slog.Attr{slog.Int64("files", o.Files), slog.Int64("bytes_written", o.Bytes)}
}

func resumedAttrs(rows int64) []slog.Attr {
	if rows == 0 {
		return nil
	}
	return []slog.Attr{slog.Int64("rows_resumed", rows)}
}

// Attrs are what the record of a run's end tells of it.
func (v View) Attrs() []slog.Attr {
	sum := v.Totals()
	attrs := []slog.Attr{
		slog.Float64("seconds", seconds(v.Elapsed)), slog.Int64("rows", sum.Rows), slog.Int64("bytes", sum.Bytes),
		slog.Int64("rows_per_second", int64(v.Rate())), slog.Int("tables_whole", sum.Count[Whole]),
		slog.Int("tables_skipped", sum.Count[Skipped]), slog.Int("tables_failed", sum.Count[Failed]), slog.Int("tables_left", sum.Left()),
	}
	return append(attrs, append(outputAttrs(sum.Output), resumedAttrs(sum.Resumed)...)...)
}
