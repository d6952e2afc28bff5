package main

import (
	"fmt"
	"strings"
	"syscall"
)

// judge goes through the ends of all processes: see judgment.rate, which the other job
// has. Here nobody has an excuse but where a commit may have come late.
func (w *copyWorld) judge(exits []exit) (excused []string, n int) {
	j := judgment{rest: w.plan.store == rest || w.depot.served(), severed: w.severed, exits: exits}
	list, n, errs := goThrough(exits, j.rateCopy, func(x exit) {
		switch {
		case x.killed() && x.struck == syscall.SIGKILL:
			w.faults[string(kill)]++
		case x.killed():
			w.faults["at "+stepOf(x)]++
		case x.struck == syscall.SIGINT:
			w.faults[string(interrupt)]++
		}
	})
	w.errs = append(w.errs, errs...)
	if !w.clean && len(w.errs) == 0 {
		w.errs = append(w.errs, fmt.Errorf("the copy did not come to its end"))
	}
	return list.lines(), n
}

// rateCopy is rate for processes that end by themselves.
func (j *judgment) rateCopy(x exit) (excuse string, err error) {
	if excuse, known, err := rateSignal(x); known {
		return excuse, err
	}
	switch {
	case x.code == 0 || x.code == 130 && x.stopped():
		return "", nil
	case x.fenced() && j.late(x):
		return "a commit of a dead process may have come late", nil
	case x.code == 1 && len(x.steps) == 0 && j.cutOff(x):
		return "it lost what it talked to before it wrote", nil
	}
	return "", fmt.Errorf("ended without a cause: %v", x)
}

// stepOf is the step that a process was to die at.
func stepOf(x exit) string {
	step, _, _ := strings.Cut(x.step, ":")
	return step
}

// resumed counts the tables that processes say to have taken over.
func resumed(exits []exit) (n int) {
	for _, x := range exits {
		n += strings.Count(x.said, "taken over")
	}
	return n
}
