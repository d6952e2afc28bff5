package main

import (
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tablehaul/tablehaul/pkg/progress"
)

// How often the printers that write lines tell of the whole run.
const (
	linesEvery = 5 * time.Second
	jsonEvery  = time.Second
)

// printer chooses how the run is shown.
func (p *program) printer(o snapshotOptions, s progress.Start) progress.Printer {
	w := p.console.stderr
	fd := int(p.stderrFile.Fd())
	switch {
	case o.quiet || o.dryRun:
		return progress.Quiet{W: w}
	case o.json:
		return progress.NewJSON(p.stdout, w, jsonEvery, s)
	case term.IsTerminal(fd) && p.getenv("TERM") != "dumb":
		return progress.NewBar(w, progress.Terminal{
			Size: func() (columns, lines int) {
				columns, lines, err := term.GetSize(fd)
				if err != nil {
					return 0, 0
				}
				return columns, lines
			},
			Color:   p.getenv("NO_COLOR") == "",
			Unicode: unicodeLocale(p.getenv),
		})
	default:
		return progress.NewLines(w, linesEvery)
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
