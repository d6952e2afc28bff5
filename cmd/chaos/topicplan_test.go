package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/message"
)

func TestTopicPlanComesFromSeed(t *testing.T) {
	for seed := range uint64(100) {
		if a, b := newTopicPlan(seed, true), newTopicPlan(seed, true); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d makes two plans:\n%+v\n%+v", seed, a, b)
		}
	}
}

// Every fault, step, format and form must come up in what a long test runs.
func TestTopicPlansCoverAll(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		p := newTopicPlan(seed, true)
		for word := range strings.SplitSeq(p.sink()+","+string(p.form), ",") {
			seen[word]++
		}
		for _, e := range p.timeline {
			seen[string(e.fault)]++
			if e.at < 0 || e.at > p.length || e.who >= len(p.members) {
				t.Errorf("seed %d: %v comes at %v of %v to %d of %d members", seed, e.fault, e.at, p.length, e.who, len(p.members))
			}
			if e.fault == zombie && !p.group {
				t.Errorf("seed %d: a zombie of no group", seed)
			}
		}
		kills := p.kills
		for _, m := range p.members {
			kills = append(kills, m.kills...)
		}
		for _, k := range kills {
			step, _, _ := strings.Cut(k, ":")
			seen[step]++
		}
	}
	want := []string{
		string(keyed), string(appended), string(changelog), "folder", "rest", "small", "alone", "topics", "lasting",
		"1p", "5p", "1m", "2m", "3m", "snapshot", "earliest", "place",
	}
	want = append(append(append(want, steps...), sinkSteps...), message.Formats...)
	for _, f := range []fault{
		kill, interrupt, sleeper, memberKill, leave, zombie, nap, brokerKill, brokerStop, brokerCut, brokerFreeze, brokerRefuse,
		cut, freeze, refuse, mysqlKill, mysqlStop, rotate,
		replyLost, error500Late, error503Late, error500, error503, unsent, slow, late, catalogDown,
	} {
		want = append(want, string(f))
	}
	for _, w := range want {
		if seen[w] < 3 {
			t.Errorf("%q came up %d times in 200 plans, want at least 3", w, seen[w])
		}
	}
}
