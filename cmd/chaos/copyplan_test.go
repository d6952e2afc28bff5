package main

import (
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

var firstSteps, allSteps = []string{"stock kept", "commit sent"}, []string{"stock kept", "commit sent", "kept stock taken over"}

func TestCopyPlanComesFromSeed(t *testing.T) {
	for seed := range uint64(100) {
		if a, b := newCopyPlan(seed, firstSteps, allSteps), newCopyPlan(seed, firstSteps, allSteps); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d makes two plans:\n%+v\n%+v", seed, a, b)
		}
	}
}

// Every store, server, mode, step and flag must come up in what a long test runs.
func TestCopyPlansCoverAll(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		p := newCopyPlan(seed, firstSteps, allSteps)
		for _, word := range strings.Split(p.name(), ",") {
			seen[word]++
		}
		for _, flag := range p.flags {
			seen[flag]++
		}
		if len(p.attempts) > 4 {
			t.Errorf("seed %d: %d attempts", seed, len(p.attempts))
		}
		for i, a := range p.attempts {
			step, _, _ := strings.Cut(a.step, ":")
			seen[step]++
			seen[string(a.fault)]++
			if i == 0 && step == "kept stock taken over" {
				t.Errorf("seed %d: a first copy dies at a step that it cannot come to", seed)
			}
		}
		if p.adds() && (!p.quiet || p.loose) {
			t.Errorf("seed %d: rows are added while the source changes: %s", seed, p.name())
		}
	}
	for _, w := range append(allSteps, "", "kill", "interrupt", mysql, mariadb, string(folder), string(rest), string(s3), "create", "replace", "append",
		"evolve", "loose", "quiet", "still", "slow", "layout", "--memory", "--partition", "--sort", "--format-version", "--exclude", "1ns", "1s") {
		if seen[w] < 3 {
			t.Errorf("%q came up %d times in 200 plans, want at least 3", w, seen[w])
		}
	}
}

func TestRateCopy(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	dead := exit{role: copies, code: -1, signal: syscall.SIGKILL, struck: syscall.SIGKILL, ended: noon}
	folder, rest := judgment{exits: []exit{dead}}, judgment{rest: true, exits: []exit{dead}}
	later := noon.Add(time.Second)
	cut := judgment{severed: []span{{noon, later}}}
	for _, test := range []struct {
		name           string
		j              judgment
		x              exit
		excused, fails bool
	}{
		{"done", folder, exit{}, false, false},
		{"killed by us", folder, dead, false, false},
		{"killed at a step", folder, exit{code: -1, signal: syscall.SIGKILL, step: "tidied:1"}, false, false},
		{"killed by nobody", folder, exit{code: -1, signal: syscall.SIGKILL}, false, true},
		{"another signal", folder, exit{code: -1, signal: syscall.SIGSEGV, step: "tidied:1"}, false, true},
		{"a crash", folder, exit{code: 2, said: "panic: no\n"}, false, true},
		{"interrupted", folder, exit{code: 130, struck: syscall.SIGINT, said: lagText}, false, false},
		{"130 of its own", folder, exit{code: 130, said: lagText}, false, true},
		{"interrupted at birth", folder, exit{code: -1, signal: syscall.SIGINT, struck: syscall.SIGINT}, true, false},
		{"an error", folder, exit{code: 1, said: connectText, ended: later}, false, true},
		{"incomplete", rest, exit{code: 3, said: emptiedText, ended: later}, false, true},
		{"fenced by a dead one", rest, exit{code: 1, said: fencedText, ended: later}, true, false},
		{"fenced in a folder", folder, exit{code: 1, said: fencedText, ended: later}, false, true},
		{"cut off at the beginning", cut, exit{code: 1, said: connectText, began: noon, ended: later}, true, false},
		{"cut off behind that", cut, exit{code: 1, said: connectText, began: noon, ended: later, steps: []string{"rows written"}}, false, true},
	} {
		why, err := test.j.rateCopy(test.x)
		if (why != "") != test.excused || (err != nil) != test.fails {
			t.Errorf("%s: excused %q, failed of %v", test.name, why, err)
		}
	}
}

// Where processes have died is told step by step, and a step that many kills have
// missed fails the job.
func TestStepsAreCounted(t *testing.T) {
	s := stepTable{names: []string{"a", "b"}, at: map[string]int{}, after: map[string]int{}}
	at := exit{code: -1, signal: syscall.SIGKILL, step: "a:2", steps: []string{"a", "a"}}
	after := exit{code: -1, signal: syscall.SIGKILL, struck: syscall.SIGKILL, steps: []string{"a", "c"}}
	early := exit{code: -1, signal: syscall.SIGKILL, struck: syscall.SIGKILL}
	s.count([]exit{at, after, early, {steps: []string{"b"}}})
	j := &copyJob{steps: s}
	var out strings.Builder
	if err := j.sum(&out); err != nil {
		t.Errorf("few kills: %v", err)
	}
	const want = "3 kills\nstep killed at and after\n(none yet) 1\na 1 0\nb 0 0\nc 0 1\n"
	if got := squeezed(out.String()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	j.steps.kills = enough
	if err := j.sum(&out); err == nil || !strings.HasSuffix(err.Error(), ": b, c") {
		t.Errorf("got %v, want b and c missed", err)
	}
}

// squeezed has single blanks.
func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n") + "\n"
}
