package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// A runLog is what --log asks for. A nil *runLog is none.
type runLog struct {
	*slog.Logger
	file *logFile // nil: standard error
	done chan struct{}
}

// openLog begins a run's log, each record of which carries an id of the run.
func (p *program) openLog(o watchOptions) (*runLog, error) {
	if o.log == "" {
		return nil, nil
	}
	l := &runLog{done: make(chan struct{})}
	w := p.console.stderr
	if o.log != "-" {
		var err error
		if l.file, err = openLogFile(o.log); err != nil {
			return nil, hint.Wrap(fmt.Errorf("--log: %w", err), "the folder must be there, and the file be one that may be written")
		}
		w = p.hide.writer(l.file)
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id) // it never fails
	opts := &slog.HandlerOptions{Level: o.level(), ReplaceAttr: utc}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if o.logFormat.value == "json" {
		h = slog.NewJSONHandler(w, opts)
	}
	l.Logger = slog.New(h).With("run", hex.EncodeToString(id))
	go l.watch(p.console)
	return l, nil
}

// utc writes times as --json does.
func utc(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	}
	return a
}

// watch tells the operator that the log cannot be written, and the log that it
// can be again.
func (l *runLog) watch(con *console) {
	defer close(l.done)
	if l.file == nil {
		return
	}
	for n := range l.file.news {
		if n.err != nil {
			con.warn(fmt.Sprintf("the log cannot be written, and the run goes on without: %v", n.err))
		} else {
			l.Warn("log was interrupted", "records_lost", n.lost)
		}
	}
}

// onStderr reports whether the log has standard error for itself.
func (l *runLog) onStderr() bool { return l != nil && l.file == nil }

// A toldError has been told by the log on standard error.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

// told returns the error with which a run ends.
func (l *runLog) told(err error) error {
	if err != nil && l.onStderr() {
		return &toldError{err}
	}
	return err
}

// begin tells what the run was told to do, by the flags that were given.
func (l *runLog) begin(s runStart, flags *pflag.FlagSet) {
	if l == nil {
		return
	}
	var given []any
	flags.Visit(func(f *pflag.Flag) { given = append(given, slog.String(f.Name, f.Value.String())) })
	l.Info("start", "command", s.command, "version", versionNumber(), "source", s.source, "sink", s.sink, slog.Group("flags", given...))
}

// end tells how the run ended, and ends the log.
func (l *runLog) end(out progress.Outcome, attrs []slog.Attr, con *console) {
	if l == nil {
		return
	}
	level := slog.LevelInfo
	switch out.Status {
	case "failed", "incomplete":
		level = slog.LevelError
	case "interrupted":
		level = slog.LevelWarn
	}
	all := append([]slog.Attr{slog.String("status", out.Status), slog.Int("exit", out.Exit)}, attrs...)
	if out.Error != "" {
		all = append(all, progress.ErrorAttrs(out.Error, out.Hint)...)
	}
	l.LogAttrs(context.Background(), level, "end", all...)
	if l.file == nil {
		return
	}
	close(l.file.news)
	<-l.done
	if lost := l.file.close(); lost > 0 {
		con.warn(fmt.Sprintf("the log lacks %s", count(lost, "record", "records")))
	}
}

// logEvery is how often the log tells of the whole run.
const logEvery = 10 * time.Second
