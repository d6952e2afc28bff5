package main

import (
	"io"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tablehaul/tablehaul/pkg/progress"
)

// How often the printers that write lines tell of the whole run.
const (
	linesEvery  = 5 * time.Second
	jsonEvery   = time.Second
	streamEvery = 10 * time.Second
)

// printer chooses how the run is shown. A log that is on standard error takes the
// place of all that would be printed there.
func (p *program) printer(o moveOptions, s progress.Start, log *runLog) progress.All {
	w := p.console.stderr
	if log.onStderr() {
		w = io.Discard
	}
	var all progress.All
	switch {
	case o.quiet || o.dryRun:
		all = append(all, progress.Quiet{W: w})
	case o.json:
		all = append(all, progress.NewJSON(p.stdout, w, jsonEvery, s))
	case log.onStderr():
	case p.isTerminal():
		all = append(all, progress.NewBar(w, p.terminal()))
	default:
		all = append(all, progress.NewLines(w, linesEvery))
	}
	if log != nil {
		all = append(all, progress.NewLog(log.Logger, logEvery))
	}
	return all
}

// streamPrinter chooses how a run that follows a log is shown.
func (p *program) streamPrinter(o moveOptions, s progress.StreamStart, log *runLog) progress.AllStream {
	w := p.console.stderr
	if log.onStderr() {
		w = io.Discard
	}
	var all progress.AllStream
	switch {
	case o.quiet || o.dryRun:
		all = append(all, progress.QuietStream{Quiet: progress.Quiet{W: w}})
	case o.json:
		all = append(all, progress.NewStreamJSON(p.stdout, w, streamEvery, s))
	case log.onStderr():
	case p.isTerminal():
		all = append(all, progress.NewStreamBar(w, p.terminal()))
	default:
		all = append(all, progress.NewStreamLines(w, streamEvery))
	}
	if log != nil {
		all = append(all, progress.NewStreamLog(log.Logger, logEvery))
	}
	return all
}

func (p *program) isTerminal() bool {
	return term.IsTerminal(int(p.stderrFile.Fd())) && p.getenv("TERM") != "dumb"
}

func (p *program) terminal() progress.Terminal {
	fd := int(p.stderrFile.Fd())
	return progress.Terminal{
		Size: func() (columns, lines int) {
			columns, lines, err := term.GetSize(fd)
			if err != nil {
				return 0, 0
			}
			return columns, lines
		},
		Color:   p.getenv("NO_COLOR") == "",
		Unicode: unicodeLocale(p.getenv),
	}
}

// unicodeLocale reports whether the locale's characters are UTF-8, by the
// variable that counts: the first that is set.
func unicodeLocale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

func defaultParallel() int { return min(4, 2*runtime.NumCPU()) }
