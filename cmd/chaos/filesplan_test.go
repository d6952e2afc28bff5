package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestFilesPlanComesFromSeed(t *testing.T) {
	for seed := range uint64(100) {
		f := newFilesPlan(seed)
		if g := newFilesPlan(seed); !reflect.DeepEqual(f, g) {
			t.Fatalf("seed %d makes two plans:\n%+v\n%+v", seed, f, g)
		}
		for _, plan := range []func() any{
			func() any { return f.tailPlan(seed, true) },
			func() any { return f.topicPlan(seed, true) },
			func() any { return f.copyPlan(seed, firstSteps, allSteps) },
		} {
			if a, b := plan(), plan(); !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d makes two plans:\n%+v\n%+v", seed, a, b)
			}
		}
	}
}

// Every command, store, format and fault must come up in what a long test runs, and none
// that takes a catalog.
func TestFilesPlansCoverAll(t *testing.T) {
	seen := map[string]int{}
	count := func(flags, kills []string, timeline []event) {
		for _, k := range append(flags, kills...) {
			step, _, _ := strings.Cut(k, ":")
			seen[step]++
		}
		for _, e := range timeline {
			seen[string(e.fault)]++
			if slices.Contains(ofCatalogs, e.fault) {
				t.Errorf("fault %s of a catalog that is not there", e.fault)
			}
		}
	}
	for seed := range uint64(200) {
		f := newFilesPlan(seed)
		for _, word := range strings.Split(f.name(), ",") {
			seen[word]++
		}
		switch f.command {
		case "tail":
			p := f.tailPlan(seed, true)
			count(p.flags, p.kills, p.timeline)
		case "dump":
			p := f.topicPlan(seed, true)
			count(p.memberFlags, p.members[0].kills, p.timeline)
		default:
			p := f.copyPlan(seed, filesSteps, filesSteps)
			seen[p.mode]++
			for _, a := range p.attempts {
				count(p.flags, []string{a.step}, []event{{fault: a.fault}})
			}
		}
	}
	want := []string{
		"file", "s3", "hdfs", "snapshot", "tail", "tail --latest", "dump", "dump --latest", "parquet", "csv", "tsv.zstd", "jsonl.gzip", "dt=day(@commit)",
		"create", "replace", "--header", "--keyless", "--target-file-size", "pairs", string(kill), string(storeCut), string(storeFreeze), string(storeRefuse),
	}
	for _, w := range append(want, filesSteps...) {
		if seen[w] < 3 {
			t.Errorf("%q came up %d times in 200 plans, want at least 3", w, seen[w])
		}
	}
}
