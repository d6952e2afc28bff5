package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A gathering is the sources of one run, each of which is read by itself. Before anything is moved
// they wait for each other: what is wrong with one of them ends the run then, and what a command
// line says is looked at against the tables of all. Later on one that fails leaves the others be.
type gathering struct {
	parts   []part
	quiet   bool            // nothing is said of one that ends before the others
	endless bool            // a signal is the run's normal end
	all     chan struct{}   // closed once all are there
	ended   []chan struct{} // each closed when that one has ended

	mu      sync.Mutex
	come    int
	holders map[string][]holder   // of what each table at the sink is made
	named   []string              // tables, by the names that routes know them by
	missed  map[missedPattern]int // how many sources have no table for a pattern
	err     error
	failed  []error // of sources that have ended since
}

type missedPattern struct{ flag, pattern string }

// A part is one source of a run. The zero part is one that is alone.
type part struct {
	sourceEnd
	label string
	index int
	among *gathering // nil: it is alone
}

// prefix stands in front of the names of the tables where those of all sources are shown.
func (pt part) prefix() string {
	if pt.name == "" {
		return ""
	}
	return pt.name + "/"
}

// gather has so many sources form a run.
func gather(sources []sourceEnd, labels []string) *gathering {
	g := &gathering{all: make(chan struct{}), holders: map[string][]holder{}, missed: map[missedPattern]int{}}
	for i, s := range sources {
		g.parts = append(g.parts, part{s, labels[i], i, g})
		g.ended = append(g.ended, make(chan struct{}))
	}
	return g
}

// leastMemory is what each of several sources gets of --memory at least.
const leastMemory = 32 << 20

// of returns the options for one of the sources, which shares with the others what the run may use.
func (o moveOptions) of(pt part) moveOptions {
	n := len(pt.among.parts)
	o.part, o.source = pt, pt.url
	o.parallel, o.gentle.maxParallel = share(o.parallel, n), share(o.gentle.maxParallel, n)
	o.memory = max(o.memory/byteSize(n), leastMemory)
	o.gentle.control = "" // one socket is for all of them
	o.route.routes = o.route.routes.From(pt.name)
	o.choose.set.entries = slices.Clone(o.choose.set.entries)
	for i := range o.choose.set.entries {
		o.choose.set.entries[i].texts.missed = pt.among.miss
	}
	for _, p := range []*perTable{&o.choose.where, &o.choose.columns, &o.layout.partition, &o.layout.sort} {
		p.missed = pt.among.miss
	}
	return o
}

// miss notes that a source has no table for a pattern.
func (g *gathering) miss(flag, pattern string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missed[missedPattern{flag, pattern}]++
}

// missing is miss for --tables and --exclude; nil for a source that is alone.
func (pt part) missing() func([]string) {
	if pt.among == nil {
		return nil
	}
	return func(patterns []string) {
		for _, p := range patterns {
			pt.among.miss("tables", p)
		}
	}
}

// A holder is one of the tables that go to a table at the sink.
type holder struct {
	part   int
	named  string // as routes know it
	routed bool
}

// at returns where a table goes, and as what.
func (pt part) at(db, table string, routes *routeOptions) (target string, h holder) {
	toDB, to, routed := routes.routes.Target(db, table)
	if !routed {
		return db + "." + table, holder{pt.index, db + "." + table, false}
	}
	return toDB + "." + to, holder{pt.index, routes.routes.Named(db + "." + table), true}
}

// claim notes whose a table is, unless it is another source's. Two sources may have one of the same
// name only if routes tell them apart, and rows for the same one at the sink only as one source may.
func (pt part) claim(t *schema.Table, routes *routeOptions) error {
	if pt.among == nil {
		return nil
	}
	g := pt.among
	target, mine := pt.at(t.DB, t.Name, routes)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, other := range g.holders[target] {
		if other.part == pt.index {
			continue
		}
		label := g.parts[other.part].label
		switch {
		case other.named == mine.named:
			err := hint.Wrap(fmt.Errorf("it is in %s, and in %s too", label, pt.label),
				"name the sources, as in eu=mysql://…, and have a route take their tables elsewhere, as in --route '(.+)/%s -> ${1}.%s', or together, with --shard-columns (docs/routes.md)", strings.ReplaceAll(t.String(), ".", `\.`), t.Name)
			return &schema.TableError{Table: t.String(), Err: err}
		case !mine.routed || !other.routed:
			err := hint.Wrap(fmt.Errorf("a route takes %s to %s, and %s is a table of no route too", routedOf(mine, other), target, target), "name another target, or leave one of them out with --exclude")
			return &schema.TableError{Table: t.String(), Err: err}
		}
		if err := routes.routes.Tells(t, target, other.named); err != nil {
			return err
		}
	}
	if !slices.Contains(g.holders[target], mine) {
		g.holders[target] = append(g.holders[target], mine)
	}
	return nil
}

// routedOf is the one of two that a route is about.
func routedOf(a, b holder) string {
	if a.routed {
		return a.named
	}
	return b.named
}

// mine returns what reports whether a table that the sink holds is this source's, and no other one's:
// one that none of them has any more is whose asks first. It is nil for a source that is alone.
func (pt part) mine(routes *routeOptions) func(db, table string) bool {
	if pt.among == nil {
		return nil
	}
	g := pt.among
	return func(db, table string) bool {
		target, mine := pt.at(db, table, routes)
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, h := range g.holders[target] {
			if h.named == mine.named {
				return h.part == pt.index
			}
		}
		g.holders[target] = append(g.holders[target], mine)
		return true
	}
}

// meet tells the tables of a source, and waits for the other ones.
func (pt part) meet(ctx context.Context, tables []*schema.Table, routes *routeOptions) error {
	if pt.among == nil {
		return routes.routes.Unused(namedAll(tables, routes))
	}
	for _, t := range tables {
		if err := pt.claim(t, routes); err != nil {
			return err
		}
	}
	g := pt.among
	g.mu.Lock()
	g.named = append(g.named, namedAll(tables, routes)...)
	if g.come++; g.come == len(g.parts) {
		g.err = g.judge(routes)
		close(g.all)
	}
	g.mu.Unlock()
	select {
	case <-g.all:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// namedAll are tables as routes know them.
func namedAll(tables []*schema.Table, routes *routeOptions) []string {
	out := make([]string, len(tables))
	for i, t := range tables {
		out[i] = routes.routes.Named(t.String())
	}
	return out
}

// judge finds patterns and routes that are about no table of any source.
func (g *gathering) judge(routes *routeOptions) error {
	var unused []string
	for m, n := range g.missed {
		if n == len(g.parts) {
			unused = append(unused, "--"+m.flag+" "+m.pattern)
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		return hint.Wrap(fmt.Errorf("no source has a table for %s", strings.Join(unused, ", ")), "check the spelling, and that the user has SELECT on it: a table without grants is not seen")
	}
	slices.Sort(g.named)
	return routes.routes.Unused(g.named)
}

// together reports whether all sources have met.
func (g *gathering) together() bool {
	select {
	case <-g.all:
		return g.err == nil
	default:
		return false
	}
}

// turn waits until those before it have printed what they would do, and ended. It is for who has met
// the others.
func (pt part) turn(ctx context.Context) error {
	if pt.among == nil || pt.index == 0 {
		return nil
	}
	select {
	case <-pt.among.ended[pt.index-1]:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tends reports whether the tables of all are to be tended beside this source, which is so beside the
// first one that has not ended.
func (pt part) tends() bool {
	if pt.among == nil {
		return true
	}
	for _, ended := range pt.among.ended[:pt.index] {
		select {
		case <-ended:
		default:
			return false
		}
	}
	return true
}

// each has every source be read, and waits for all of them. One that ends by an error after they
// have met is told of, and the others go on.
func (p *program) each(ctx context.Context, g *gathering, run func(ctx context.Context, pt part) error) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(g.parts))
	var wait sync.WaitGroup
	for i, pt := range g.parts {
		wait.Go(func() {
			defer close(g.ended[i])
			err := run(inner, pt)
			if errs[i] = err; err == nil || isCancelled(err) && inner.Err() != nil {
				return
			}
			errs[i] = fmt.Errorf("%s: %w", pt.label, err)
			if inner.Err() != nil {
				return
			}
			if !g.together() {
				stop()
				return
			}
			g.mu.Lock()
			g.failed = append(g.failed, errs[i])
			left := len(g.parts) - len(g.failed)
			g.mu.Unlock()
			if left > 0 && !g.quiet {
				p.console.warn("a source has ended, the others go on: " + oneLine(errs[i]))
			}
		})
	}
	wait.Wait()
	return g.outcome(ctx, errs)
}

// outcome is what the run has come to.
func (g *gathering) outcome(ctx context.Context, errs []error) error {
	own := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil || isCancelled(err) })
	switch {
	case g.err != nil:
		return g.err
	case ctx.Err() != nil && len(g.failed) > 0 && g.endless:
		return &stoppedError{fmt.Errorf("%w: %w", move.ErrIncomplete, errors.Join(g.failed...))}
	case ctx.Err() != nil && len(own) > 0:
		return errors.Join(own...)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(own) == 0 || len(own) == len(errs) || !g.together():
		return errors.Join(own...)
	}
	return fmt.Errorf("%w: %d of %d sources: %w", move.ErrIncomplete, len(own), len(errs), errors.Join(own...))
}
