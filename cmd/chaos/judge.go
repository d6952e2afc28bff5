package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A span is when something was the case.
type span struct{ from, to time.Time }

// sever does what takes from processes what they talk to, and notes when.
func (w *world) sever(do func() error) error {
	s := span{from: time.Now()}
	err := do()
	s.to = time.Now()
	w.severed = append(w.severed, s)
	return err
}

// A judgment is made of the ends of all processes, which may excuse each other.
type judgment struct {
	rest    bool
	severed []span
	exits   []exit
}

// judge goes through the ends of all processes: each was ours to bring about,
// or has an excuse, or fails the run. It returns the excused ones in short, and
// how many they are.
func (w *world) judge(exits []exit) (excused []string, n int) {
	j := judgment{rest: w.served(), severed: w.severed, exits: exits}
	if w.rest != nil {
		for f, n := range w.rest.struck {
			w.faults[string(f)] += n
		}
		j.severed = slices.Concat(j.severed, w.rest.severed)
	}
	list, n, errs := goThrough(exits, j.rate, func(x exit) {
		if x.killed() && x.struck != syscall.SIGKILL {
			w.faults["at "+stepOf(x)]++
		}
	})
	w.errs = append(w.errs, errs...)
	fences := 0
	for _, x := range exits {
		if x.role == ends && x.fenced() {
			fences++
		}
	}
	if fences > 1 {
		w.errs = append(w.errs, fmt.Errorf("the last run was fenced %d times", fences))
	}
	for _, p := range w.product.pairs {
		if w.depot != nil {
			break // tables are committed one by one there: each of the two may be ahead with another
		}
		if err := j.pair(p[0].exit, p[1].exit); err != nil {
			w.errs = append(w.errs, err)
		}
	}
	if !w.clean && len(w.errs) == 0 {
		w.errs = append(w.errs, fmt.Errorf("the last run did not go well"))
	}
	return list.lines(), n
}

// goThrough rates ends. It returns those with an excuse and how many they are, and the
// failures; note is told of the others.
func goThrough(exits []exit, rate func(exit) (string, error), note func(exit)) (list excuses, n int, errs []error) {
	for _, x := range exits {
		why, err := rate(x)
		switch {
		case err != nil:
			errs = append(errs, err)
		case why != "":
			list.add(x, why)
			n++
		default:
			note(x)
		}
	}
	return list, n, errs
}

// rateSignal is rate for processes that a signal has ended, or a crash.
func rateSignal(x exit) (excuse string, known bool, err error) {
	switch {
	case x.crashed():
		return "", true, fmt.Errorf("crashed: %v", x)
	case x.killed() && (x.struck == syscall.SIGKILL || x.step != ""):
		// Nothing is printed at a step. The other signals that end a process, and
		// all that it does itself, are told from this one; the kernel's own, for
		// want of memory, is not.
		return "", true, nil
	case x.newborn():
		return "died of the signal before it took notice", true, nil
	case x.signal != 0:
		return "", true, fmt.Errorf("killed by nobody known: %v", x)
	}
	return "", false, nil
}

// rate tells why an end that is no failure came about, if it takes telling. An
// error is a failure.
func (j *judgment) rate(x exit) (excuse string, err error) {
	if excuse, known, err := rateSignal(x); known {
		return excuse, err
	}
	switch {
	case x.code == 0 && (x.role == ends || x.role == copies || x.stopped()):
		return "", nil
	case x.code == 0:
		return "", fmt.Errorf("ended by itself: %v", x)
	case x.code == 3 && x.stopped() && x.emptied():
		return "had left behind the table that was emptied while it was copied", nil
	}
	if why := j.excuse(x); why != "" {
		return why, nil
	}
	return "", fmt.Errorf("ended without a cause: %v", x)
}

// excuse is the cause that a process had to end with an error: another one that
// was ahead, a TRUNCATE for as long as it copied, or nobody to talk to when it
// began. Once it follows, it has to sit out everything but another one. The last
// run has nobody beside it and nothing in its way.
func (j *judgment) excuse(x exit) string {
	switch {
	case x.code != 1 && x.code != 3:
		return ""
	case x.fenced() && x.paired:
		return "the other of two at once was ahead"
	case x.fenced() && !x.followed() && j.late(x):
		return "a commit of a dead process may have come late"
	case x.fenced(), x.followed(), x.role == ends:
		return ""
	case x.emptied():
		return "a table was emptied while it was copied"
	case x.code == 1 && j.cutOff(x):
		return "it lost what it talked to before it followed"
	}
	return ""
}

// late reports whether a commit may have reached the catalog after its process
// was gone, and before x ended. A folder has no server that could be late.
func (j *judgment) late(x exit) bool {
	return j.rest && slices.ContainsFunc(j.exits, func(o exit) bool { return o.killed() && o.ended.Before(x.ended) })
}

// cutOff reports whether something was taken from a process while it was there.
func (j *judgment) cutOff(x exit) bool {
	return slices.ContainsFunc(j.severed, func(s span) bool { return x.began.Before(s.to) && x.ended.After(s.from) })
}

// pair judges two processes that ran at once: one has to go on.
func (j *judgment) pair(first, second exit) error {
	if first.fenced() && second.fenced() && first.struck == 0 && second.struck == 0 && !j.late(first) {
		return fmt.Errorf("of two processes at once both gave way: %v; %v", first, second)
	}
	return nil
}

// excuses are ends that are told in one line where they are alike.
type excuses []struct {
	text string
	logs []string
}

// passing is what differs between ends that are alike.
var passing = regexp.MustCompile(`\d+(\.\d+)*`)

func (e *excuses) add(x exit, why string) {
	log := filepath.Base(x.log)
	code := fmt.Sprintf("exit %d", x.code)
	if x.signal != 0 {
		code = x.signal.String()
	}
	text := fmt.Sprintf("%s, %s: %.160s", why, code, passing.ReplaceAllString(x.last(), "#"))
	for i, o := range *e {
		if o.text == text {
			(*e)[i].logs = append(o.logs, log)
			return
		}
	}
	*e = append(*e, struct {
		text string
		logs []string
	}{text, []string{log}})
}

func (e excuses) lines() []string {
	var out []string
	for _, o := range e {
		logs := strings.Join(o.logs, " ")
		if n := len(o.logs); n > 4 {
			logs = fmt.Sprintf("%s … %s (%d)", o.logs[0], o.logs[n-1], n)
		}
		out = append(out, logs+": "+o.text)
	}
	return out
}
