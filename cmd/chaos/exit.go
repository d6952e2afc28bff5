package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A role is what a process was started for.
type role string

const (
	follows role = "follows" // the supervised one, until it is stopped
	twins   role = "twin"    // the second of two at once
	ends    role = "ends"    // the last run, --until now
	copies  role = "copies"  // `tablehaul snapshot`, to its end
)

// An exit tells how a process ended.
type exit struct {
	role         role
	log          string
	began, ended time.Time
	code         int            // -1: of a signal
	signal       syscall.Signal // that it died of; 0: none
	step         string         // that it was to die at
	steps        []string       // that it has passed
	struck       syscall.Signal // that we have sent; 0: none
	paired       bool           // it was one of two at once
	said         string
}

// One of fenceWords stands in the error of a run that another one has overtaken.
var fenceWords = []string{
	"another run has committed to the table", "another run has moved the table's position",
	"another run of the job ", "a transaction of the job ", // of topics
}

// crashWords are those of Go's runtime and of the race detector.
var crashWords = []string{"panic:", "fatal error:", "DATA RACE"}

func (x exit) killed() bool  { return x.signal == syscall.SIGKILL }
func (x exit) stopped() bool { return x.struck == syscall.SIGINT || x.struck == syscall.SIGTERM }

func (x exit) crashed() bool { return contains(x.said, crashWords) }
func (x exit) fenced() bool {
	return (x.code == 1 || x.code == 3) && contains(x.complaint(), fenceWords)
}

func contains(text string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// emptied reports whether it has left a table behind, or ended, because of a
// TRUNCATE while the table was copied, and because of nothing else. Only scratch
// is ever emptied.
func (x exit) emptied() bool {
	text := x.complaint()
	return (x.code == 1 || x.code == 3) && strings.Contains(text, ".scratch") && strings.Contains(text, "ERROR 1412") &&
		!contains(text, []string{".accounts", ".ledger", ".idle", ".pairs", ".loose"})
}

// complaint is the error that it ended with: the text from the last line on that
// begins with the program's name.
func (x exit) complaint() string {
	const head = "\ntablehaul: "
	text := "\n" + x.said
	return text[max(strings.LastIndex(text, head), 0):]
}

// followed reports whether it has reached the log, as far as its log tells: the
// line of its progress has the lag from then on.
func (x exit) followed() bool {
	return contains(x.said, []string{", lag ", "tablehaul: read the log: "})
}

// newborn reports whether it died of the signal that was sent before it could
// take notice of any.
func (x exit) newborn() bool {
	return x.stopped() && x.signal == x.struck && strings.TrimSpace(x.said) == ""
}

// last is the last thing it said, or what it crashed of.
func (x exit) last() string {
	lines := strings.Split(strings.TrimSpace(x.said), "\n")
	for _, line := range lines {
		if contains(line, crashWords) {
			return line
		}
	}
	for i := len(lines) - 1; i > 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" && !strings.HasPrefix(line, "hint:") {
			return line
		}
	}
	return lines[0]
}

func (x exit) String() string {
	how := fmt.Sprintf("exit %d", x.code)
	if x.signal != 0 {
		how = "death by " + x.signal.String()
	}
	if x.struck != 0 && x.struck != x.signal {
		how += " after " + x.struck.String()
	}
	return fmt.Sprintf("%s of %s: %.300s", how, filepath.Base(x.log), x.last())
}
