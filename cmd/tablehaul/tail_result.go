package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// A shown is what is told of a run that follows a log.
type shown struct {
	moveOptions
	watch   *watch
	start   progress.StreamStart
	stream  *progress.Stream
	status  *progress.StreamStatus
	bounded bool // it has an end of its own
}

// show has run follow a log, prints how that goes, and tells how it ended.
func (p *program) show(ctx context.Context, s shown, run func() error) error {
	printer := append(p.streamPrinter(s.moveOptions, s.start, s.watch.log), s.status)
	p.console.use(printer)
	stop := progress.WatchStream(s.stream, printer)
	err := run()
	written := stop()
	p.console.use(s.watch.after())

	stopped := err != nil && !s.bounded && errors.Is(context.Cause(ctx), errInterrupted) && isCancelled(err)
	if stopped {
		err = leftBehind(s.stream)
		p.console.Note("tablehaul: stopped" + stoppedAt(s.stream.View()))
	}
	if written == nil && (!s.dryRun || err != nil) {
		written = p.writeTailResult(ctx, s.moveOptions, s.start, s.stream, err, stopped)
	}
	if written != nil {
		err = errors.Join(err, fmt.Errorf("write to standard output: %w", written))
	}
	return s.watch.end(ctx, err, stopped, s.stream.View().Attrs())
}

// A stoppedError is what became of tables before a signal ended the run, which
// is the normal end of one without bounds.
type stoppedError struct{ error }

func (e *stoppedError) Unwrap() error { return e.error }

// leftBehind tells of tables that failed on their own account, as the engine
// does at the end of a bounded run.
func leftBehind(s *progress.Stream) error {
	tables := s.Tables()
	var errs []error
	for _, t := range tables {
		if t.Err != nil {
			errs = append(errs, t.Err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &stoppedError{fmt.Errorf("%w: %d of %d tables were left behind: %w", move.ErrIncomplete, len(errs), len(tables), errors.Join(errs...))}
}

func stoppedAt(v progress.StreamView) string {
	switch {
	case v.Last.Seq > 0:
		return " at " + progress.ShortPosition(v.Last.Position) + "; the same command goes on from there"
	case v.Following:
		return " with nothing new; the same command goes on"
	}
	return " before the log was followed; the same command goes on"
}

// writeTailResult prints how the run ended, on standard output.
func (p *program) writeTailResult(ctx context.Context, o moveOptions, s progress.StreamStart, stream *progress.Stream, err error, stopped bool) error {
	switch {
	case o.json:
		out := outcome(ctx, err)
		if stopped && err == nil {
			out.Status = "stopped"
		}
		return progress.WriteStreamSummary(p.stdout, s, stream, out)
	case o.quiet:
		return nil
	default:
		return progress.WriteStreamText(p.stdout, stream)
	}
}
