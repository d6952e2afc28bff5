package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A job is a command that is killed.
type job interface {
	// run does what a seed decides. An error is one of the harness.
	run(ctx context.Context, seed uint64) (*result, error)
	// sum writes what all runs come to. An error is what they should have come to.
	sum(w io.Writer) error
}

// jobs are the values of -job. Each has a folder in the cache and servers of its own,
// on ports that neither tests nor the bench use, so that two jobs can run at once.
var jobs = map[string]struct {
	folder string
	ports  map[string]string
	begin  func(context.Context, *env) (job, error)
}{
	"tail":     {"chaos", map[string]string{mysql: "23099", icebergREST: "28199"}, beginTail},
	"snapshot": {"chaos-snapshot", map[string]string{mysql: "23089", mariadb: "23119", icebergREST: "28198"}, beginCopy},
	"topic":    {"chaos-topic", map[string]string{mysql: "23139", kafka: "23160", icebergREST: "28197"}, beginTopic},
	"files":    {"chaos-files", map[string]string{mysql: "23079", kafka: "23170"}, beginFiles},
	// With -broker kfake.
	"topic-kfake": {"chaos-kfake", map[string]string{mysql: "23149", kafka: "23150", icebergREST: "28196"}, beginTopic},
}

var errFailed = errors.New("not all runs went well")

// A result is what became of one run.
type result struct {
	seed     uint64
	sink     string // what the seed chose, in short
	verdict  verdict
	faults   map[string]int // that did happen
	starts   int
	excused  []string // ends of processes that are no failures, and why
	gaveUp   int      // how many these are
	resumed  int      // tables that a process has taken over from another
	done     int64
	messages int // changes seen in topics
	seconds  float64
	failures []error // what did not end well
	exits    []exit
	dir      string
}

func (r *result) failed() bool {
	v := r.verdict
	return len(r.failures) > 0 || v.Lost+v.Doubled+v.Torn+v.Orphans > 0 || len(v.Findings) > 0
}

func (r *result) String() string {
	var faults []string
	for _, k := range slices.Sorted(maps.Keys(r.faults)) {
		faults = append(faults, fmt.Sprintf("%s×%d", k, r.faults[k]))
	}
	word := "ok"
	if r.failed() {
		word = fmt.Sprintf("FAILED: lost %d, doubled %d, torn %d, orphans %d, ended badly %d", r.verdict.Lost, r.verdict.Doubled, r.verdict.Torn, r.verdict.Orphans, len(r.failures))
	}
	seen := ""
	if r.messages > 0 {
		seen = fmt.Sprintf(" messages=%d", r.messages)
	}
	return fmt.Sprintf("seed=%d %s [%s] transactions=%d%s commits=%d starts=%d gave-up=%d resumed=%d snapshots=%d pairs=%d orphans=%d held=%d dropped=%d %.1fs %s",
		r.seed, r.sink, strings.Join(faults, " "), r.done, seen, r.verdict.Commits, r.starts, r.gaveUp, r.resumed,
		r.verdict.Snapshots, r.verdict.Pairs, r.verdict.Orphans, r.verdict.Held, r.verdict.Dropped, r.seconds, word)
}
