package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// watchOptions say by what a run is watched.
type watchOptions struct {
	metrics, metricsFile string
	log                  string // "-" is standard error
	logFlag              string // by which that is given: a backfill's --log is another
	logFormat, logLevel  *oneOf
	all                  *pflag.FlagSet // the command's, for the log
}

func newWatchOptions() watchOptions {
	return watchOptions{logFlag: "log", logFormat: newOneOf("text", "json"), logLevel: newOneOf("info", "debug", "warn", "error")}
}

func (o *watchOptions) flags(f *pflag.FlagSet) {
	o.all = f
	f.StringVar(&o.metrics, "metrics", "", "serve Prometheus metrics, /status, /healthz and /readyz at this\n`address`, such as :9100 or 127.0.0.1:9100")
	f.StringVar(&o.metricsFile, "metrics-file", "", "write metrics to this `file` when the run has ended, for the\ntextfile collector of node_exporter")
	f.StringVar(&o.log, o.logFlag, "", "append a log of the run to this `file`; - is standard error, in place\nof the progress")
	f.Var(o.logFormat, "log-format", "of --"+o.logFlag)
	f.Var(o.logLevel, "log-level", "of --"+o.logFlag+", the least that is told")
}

// check finds what is wrong with the options without asking anybody.
func (o *watchOptions) check(given func(flag string) bool) error {
	for flag, value := range map[string]string{"metrics": o.metrics, "metrics-file": o.metricsFile, o.logFlag: o.log} {
		if given(flag) && value == "" {
			return fmt.Errorf("--%s is empty", flag)
		}
	}
	for _, flag := range []string{"log-format", "log-level"} {
		if given(flag) && o.log == "" {
			return hint.Wrap(fmt.Errorf("--%s is of no use without --%s", flag, o.logFlag), "--%s FILE, or --%[1]s - for standard error", o.logFlag)
		}
	}
	return checkAddress(o.metrics)
}

func (o *watchOptions) level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(o.logLevel.value)) // the flag takes no other words
	return l
}

// A runStart is a run's command and its two ends, without secrets.
type runStart struct{ command, source, sink string }

// A watch is all by which a run under way is watched, but its progress display.
type watch struct {
	p      *program
	log    *runLog
	server *metricsServer
	file   string
	pages  pages
	start  runStart
}

// watch opens the log, and serves metrics, before the run has done anything.
func (p *program) watch(ctx context.Context, o moveOptions, start runStart, pages pages) (*watch, error) {
	w := &watch{p: p, start: start, pages: pages}
	if o.dryRun {
		return w, nil
	}
	var err error
	if w.log, err = p.openLog(o.watch); err != nil {
		return nil, err
	}
	p.console.use(w.after())
	w.log.begin(start, o.watch.all)
	if w.file = o.watch.metricsFile; w.file != "" {
		if _, err := os.Stat(filepath.Dir(w.file)); err != nil {
			return nil, w.fail(ctx, fmt.Errorf("--metrics-file: %w", err))
		}
	}
	if o.watch.metrics != "" {
		if w.server, err = serveMetrics(o.watch.metrics, pages, p.hide, p.console.warn); err != nil {
			return nil, w.fail(ctx, err)
		}
		if !o.quiet {
			p.console.Note("tablehaul: metrics at http://" + w.server.addr + "/metrics")
		}
	}
	return w, nil
}

// after returns what notes go by once the progress display has ended: a log that
// has standard error to itself keeps it.
func (w *watch) after() noter {
	if w.log.onStderr() {
		return progress.NewLog(w.log.Logger, logEvery)
	}
	return nil
}

// fail ends the watch of a run that has not begun.
func (w *watch) fail(ctx context.Context, err error) error {
	if w.server != nil {
		w.server.close()
	}
	w.log.end(outcome(ctx, err), nil, w.p.console)
	return w.log.told(err)
}

// end writes what is written at the end, of a run that came out so, and returns
// err with what went wrong with that. attrs are the run's figures.
func (w *watch) end(ctx context.Context, err error, stopped bool, attrs []slog.Attr) error {
	if w.server != nil {
		w.server.close()
	}
	out := outcome(ctx, err)
	if w.file != "" {
		if e := w.writeFile(out); e != nil {
			err = errors.Join(err, fmt.Errorf("write metrics: %w", e))
			out = outcome(ctx, err)
		}
	}
	if stopped && err == nil {
		out.Status = "stopped"
	}
	w.log.end(out, attrs, w.p.console)
	return w.log.told(err)
}

// writeFile writes all metrics, and how the run ended, with labels that tell the
// runs of one machine apart.
func (w *watch) writeFile(out progress.Outcome) error {
	reg := prometheus.NewRegistry()
	labels := prometheus.Labels{"command": w.start.command, "source": w.start.source, "sink": w.start.sink}
	in := prometheus.WrapRegistererWith(labels, reg)
	in.MustRegister(append(w.pages.collectors, buildInfo(),
		gauge("run_exit_code", "The exit code of the run.", float64(out.Exit)),
		gauge("run_end_timestamp_seconds", "When the run ended.", float64(time.Now().UnixMilli())/1000),
	)...)
	return prometheus.WriteToTextfile(w.file, reg)
}
