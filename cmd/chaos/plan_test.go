package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestPlanComesFromSeed(t *testing.T) {
	for seed := range uint64(100) {
		if a, b := newPlan(seed, true), newPlan(seed, true); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d makes two plans:\n%+v\n%+v", seed, a, b)
		}
	}
}

// Every fault, step and form must come up in what a long test runs.
func TestPlansCoverAll(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		p := newPlan(seed, true)
		seen[p.sink()]++
		seen[string(p.form)]++
		for _, e := range p.timeline {
			seen[string(e.fault)]++
			if e.at < 0 || e.at > p.length {
				t.Errorf("seed %d: %v comes at %v of %v", seed, e.fault, e.at, p.length)
			}
		}
		for _, k := range p.kills {
			step, _, _ := strings.Cut(k, ":")
			seen[step]++
		}
		if !p.rest && p.has(replyLost, error500Late, error503Late, error500, error503, unsent, slow, late, foreign, catalogDown) {
			t.Errorf("seed %d: a fault of a catalog that is not there", seed)
		}
	}
	want := []string{string(keyed), string(appended), string(changelog), "folder,loose", "folder,small", "rest"}
	want = append(want, steps...)
	for _, f := range []fault{
		kill, interrupt, cut, freeze, refuse, mysqlKill, mysqlStop, rotate, twin, sleeper,
		replyLost, error500Late, error503Late, error500, error503, unsent, slow, late, foreign, catalogDown,
	} {
		want = append(want, string(f))
	}
	for _, w := range want {
		if seen[w] < 3 {
			t.Errorf("%q came up %d times in 200 plans, want at least 3", w, seen[w])
		}
	}
}
