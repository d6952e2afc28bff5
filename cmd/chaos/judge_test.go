package main

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	fencedText   = "tablehaul: commit b.accounts: another run has committed to the table: one that began at noon\n  hint: let only one run write\n"
	lagText      = "[0:00] 0 rows/s, lag 0.2 s, at binlog.000181:505864; no commit yet; 0 rows committed\n"
	emptiedText  = "tablehaul: stopped at x\ntablehaul: incomplete: 1 of 5 tables were left behind: b.scratch: ERROR 1412 (HY000): Table definition has changed\n    hint: run again\n"
	connectText  = "tablehaul: connect to 127.0.0.1:3: connection refused\n"
	retriedEmpty = "tablehaul: b.scratch: ERROR 1412 (HY000): changed; trying again in 1 s\n"
)

func TestExitTellsWhatWasSaid(t *testing.T) {
	for _, test := range []struct {
		code                     int
		said                     string
		last                     string
		fenced, crashed, emptied bool
	}{
		{1, fencedText, "tablehaul: commit b.accounts: another run has committed to the table: one that began at noon", true, false, false},
		{1, fencedText + connectText, strings.TrimSpace(connectText), false, false, false},
		{2, "panic: runtime error\n\ngoroutine 1 [running]:\n", "panic: runtime error", false, true, false},
		{3, emptiedText, "tablehaul: incomplete: 1 of 5 tables were left behind: b.scratch: ERROR 1412 (HY000): Table definition has changed", false, false, true},
		{1, retriedEmpty + connectText, strings.TrimSpace(connectText), false, false, false},
		{3, strings.ReplaceAll(emptiedText, ".scratch", ".accounts"), "tablehaul: incomplete: 1 of 5 tables were left behind: b.accounts: ERROR 1412 (HY000): Table definition has changed", false, false, false},
		{0, "", "", false, false, false},
	} {
		x := exit{code: test.code, said: test.said}
		if x.last() != test.last || x.fenced() != test.fenced || x.crashed() != test.crashed || x.emptied() != test.emptied {
			t.Errorf("%q: last %q, fenced %v, crashed %v, emptied %v", test.said, x.last(), x.fenced(), x.crashed(), x.emptied())
		}
	}
}

func TestJudge(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	died := func(sig syscall.Signal, x exit) exit { x.code, x.signal = -1, sig; return x }
	killedBefore := died(syscall.SIGKILL, exit{role: follows, struck: syscall.SIGKILL, began: at(-9), ended: at(-1)})
	folder, rest := judgment{}, judgment{rest: true}
	down := judgment{severed: []span{{at(1), at(2)}}}
	const (
		fine = iota
		excused
		failed
	)
	for _, test := range []struct {
		name string
		j    judgment
		x    exit
		want int
	}{
		{"killed by us", folder, died(syscall.SIGKILL, exit{struck: syscall.SIGKILL}), fine},
		{"killed at a step", folder, died(syscall.SIGKILL, exit{step: "tidied:1"}), fine},
		{"killed by nobody", folder, died(syscall.SIGKILL, exit{}), failed},
		{"another signal at a step", folder, died(syscall.SIGSEGV, exit{step: "tidied:1"}), failed},
		{"a step that was not reached", folder, exit{code: 1, step: "tidied:1", said: connectText}, failed},
		{"a crash that we did", folder, died(syscall.SIGKILL, exit{struck: syscall.SIGKILL, said: "WARNING: DATA RACE\n"}), failed},
		{"a crash of the second of two", folder, exit{code: 2, role: twins, paired: true, said: "panic: no\n"}, failed},
		{"a crash of the copy", folder, exit{code: 2, role: copies, said: "fatal error: all goroutines are asleep\n"}, failed},
		{"stopped", folder, exit{struck: syscall.SIGTERM, said: lagText}, fine},
		{"stopped with 130", folder, exit{code: 130, struck: syscall.SIGINT, said: lagText}, failed},
		{"stopped at birth", folder, died(syscall.SIGINT, exit{struck: syscall.SIGINT}), excused},
		{"dead of the signal later", folder, died(syscall.SIGINT, exit{struck: syscall.SIGINT, said: lagText}), failed},
		{"stopped without scratch", folder, exit{code: 3, struck: syscall.SIGTERM, said: lagText + emptiedText}, excused},
		{"stopped without another table", folder, exit{code: 3, struck: syscall.SIGTERM, said: strings.ReplaceAll(emptiedText, ".scratch", ".ledger")}, failed},
		{"ended without scratch while it follows", folder, exit{code: 3, said: lagText + emptiedText}, failed},
		{"ended by itself", folder, exit{}, failed},
		{"ended by itself after SIGKILL", folder, exit{struck: syscall.SIGKILL}, failed},
		{"the last run", folder, exit{role: ends}, fine},
		{"the copy", folder, exit{role: copies}, fine},
		{"the copy of a table that was emptied", folder, exit{role: copies, code: 3, said: emptiedText}, excused},
		{"no server", down, exit{code: 1, said: connectText, began: at(0), ended: at(3)}, excused},
		{"no server for a follower", down, exit{code: 1, said: lagText + connectText, began: at(0), ended: at(3)}, failed},
		{"no server for the last run", down, exit{role: ends, code: 1, said: connectText, began: at(0), ended: at(3)}, failed},
		{"no server, long after", down, exit{code: 1, said: connectText, began: at(3), ended: at(4)}, failed},
		{"no server and an odd exit", down, exit{code: 2, said: connectText, began: at(0), ended: at(3)}, failed},
		{"fenced by a twin", folder, exit{code: 1, paired: true, said: lagText + fencedText}, excused},
		{"fenced by nobody", folder, exit{code: 1, said: fencedText}, failed},
		{"fenced by nobody, where a dead one could", rest, exit{code: 1, said: fencedText}, failed},
		{"fenced by a dead one", judgment{rest: true, exits: []exit{killedBefore}}, exit{code: 1, said: fencedText, ended: at(1)}, excused},
		{"the last run fenced by a dead one", judgment{rest: true, exits: []exit{killedBefore}}, exit{role: ends, code: 1, said: fencedText, ended: at(1)}, excused},
		{"fenced by a dead one while it follows", judgment{rest: true, exits: []exit{killedBefore}}, exit{code: 1, said: lagText + fencedText, ended: at(1)}, failed},
		{"fenced by a dead one in a folder", judgment{exits: []exit{killedBefore}}, exit{code: 1, said: fencedText, ended: at(1)}, failed},
	} {
		if test.x.role == "" {
			test.x.role = follows
		}
		why, err := test.j.rate(test.x)
		got := fine
		switch {
		case err != nil:
			got = failed
		case why != "":
			got = excused
		}
		if got != test.want {
			t.Errorf("%s: %d (%s, %v), want %d", test.name, got, why, err, test.want)
		}
	}
}

// What one process did wrong makes the run fail.
func TestJudgeFailsRun(t *testing.T) {
	fenced := exit{role: follows, code: 1, paired: true, said: fencedText}
	ended := func(x exit) *process {
		s := &process{done: make(chan struct{}), exit: x}
		close(s.done)
		return s
	}
	last := exit{role: ends}
	for _, test := range []struct {
		name     string
		clean    bool
		exits    []exit
		pairs    int // the first two are one
		failures int
		excused  int
	}{
		{"nothing", true, []exit{last}, 0, 0, 0},
		{"an end without a cause", true, []exit{{role: follows, code: 1, said: connectText}, last}, 0, 1, 0},
		{"one of two", true, []exit{fenced, {role: twins, code: -1, signal: syscall.SIGKILL, struck: syscall.SIGKILL}, last}, 1, 0, 1},
		{"both of two", true, []exit{fenced, fenced, last}, 1, 1, 2},
		{"a last run that failed", false, []exit{{role: ends, code: 3, said: emptiedText}}, 0, 1, 0},
		{"no last run", false, nil, 0, 1, 0},
	} {
		w := &world{faults: map[string]int{}, clean: test.clean, product: &product{}}
		for _, x := range test.exits {
			w.product.all = append(w.product.all, ended(x))
		}
		if test.pairs > 0 {
			w.product.pairs = [][2]*process{{w.product.all[0], w.product.all[1]}}
		}
		_, n := w.judge(w.product.exits())
		if len(w.errs) != test.failures || n != test.excused {
			t.Errorf("%s: %d failures, %d excused; want %d and %d: %v", test.name, len(w.errs), n, test.failures, test.excused, w.errs)
		}
		if r := (&result{failures: w.errs}); r.failed() != (test.failures > 0) {
			t.Errorf("%s: failed %v", test.name, r.failed())
		}
	}
}

// Ends that are alike are told in one line.
func TestExcusesAreShort(t *testing.T) {
	var e excuses
	for range 6 {
		e.add(exit{code: 1, log: "/x/03.log", said: connectText}, "nobody there")
	}
	e.add(exit{code: 1, log: "/x/04.log", said: fencedText}, "behind")
	got := e.lines()
	want := "03.log … 03.log (6): nobody there, exit 1: tablehaul: connect to #:#: connection refused"
	if len(got) != 2 || got[0] != want {
		t.Errorf("got %q, want first %q", got, want)
	}
}

func TestProcessKeepsWhatEndedIt(t *testing.T) {
	p := &product{dir: t.TempDir(), argv: []string{"sh", "-c", "echo up; exec sleep 60"}}
	for _, test := range []struct {
		send         []syscall.Signal
		struck, died syscall.Signal
	}{
		{[]syscall.Signal{syscall.SIGKILL, syscall.SIGINT}, syscall.SIGKILL, syscall.SIGKILL},
		{[]syscall.Signal{syscall.SIGTERM}, syscall.SIGTERM, syscall.SIGTERM},
		{[]syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}, 0, 0}, // either
	} {
		s, err := p.follow(follows, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, sig := range test.send {
			s.send(sig)
		}
		<-s.done
		if test.died == 0 {
			test.struck, test.died = s.exit.signal, s.exit.signal
		}
		if x := s.exit; x.struck != test.struck || x.signal != test.died || x.code != -1 || x.role != follows {
			t.Errorf("after %v: %+v", test.send, x)
		}
	}
	p.argv = []string{"/nowhere/at/all"}
	if _, err := p.follow(ends, ""); err == nil {
		t.Error("a program that is not there was started")
	}
	if all := p.exits(); len(all) != 4 || all[3].code != 1 || all[3].role != ends {
		t.Errorf("exits %v, want four, the last one failed", all)
	}
}
