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
	parts []part
	quiet bool            // nothing is said of one that ends before the others
	all   chan struct{}   // closed once all are there
	ended []chan struct{} // each closed when that one has ended

	mu     sync.Mutex
	come   int
	owners map[string]string     // the source of each table, by the names that tables have at the sink
	named  []string              // tables, by the names that routes know them by
	missed map[missedPattern]int // how many sources have no table for a pattern
	err    error
	failed []error // of sources that have ended since
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
	g := &gathering{all: make(chan struct{}), owners: map[string]string{}, missed: map[missedPattern]int{}}
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
	o.parallel = max(1, o.parallel/n)
	o.gentle.maxParallel = max(o.parallel, o.gentle.maxParallel/n)
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

// claim notes whose a table is. Two sources may have one of the same name only if routes tell
// them apart.
func (pt part) claim(t *schema.Table, routes *routeOptions) error {
	if pt.among == nil {
		return nil
	}
	g := pt.among
	name := t.String()
	if _, _, routed := routes.routes.Target(t.DB, t.Name); routed {
		name = routes.routes.Named([]*schema.Table{t})[0]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	other, ok := g.owners[name]
	g.owners[name] = pt.label
	if !ok || other == pt.label {
		return nil
	}
	err := hint.Wrap(fmt.Errorf("it is in %s, and in %s too", other, pt.label),
		"name the sources, as in eu=mysql://…, and have a route take their tables elsewhere, as in --route '(.+)/%s -> ${1}.%s', or together, with --shard-columns (docs/routes.md)", strings.ReplaceAll(t.String(), ".", `\.`), t.Name)
	return &schema.TableError{Table: t.String(), Err: err}
}

// meet tells the tables of a source, and waits for the other ones.
func (pt part) meet(ctx context.Context, tables []*schema.Table, routes *routeOptions) error {
	if pt.among == nil {
		return routes.routes.Unused(routes.routes.Named(tables))
	}
	for _, t := range tables {
		if err := pt.claim(t, routes); err != nil {
			return err
		}
	}
	g := pt.among
	g.mu.Lock()
	g.named = append(g.named, routes.routes.Named(tables)...)
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
			if errs[i] = err; err == nil || inner.Err() != nil {
				return
			}
			errs[i] = fmt.Errorf("%s: %w", pt.label, err)
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
	case ctx.Err() != nil && len(g.failed) > 0:
		return &stoppedError{fmt.Errorf("%w: %w", move.ErrIncomplete, errors.Join(g.failed...))}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(own) == 0 || len(own) == len(errs) || !g.together():
		return errors.Join(own...)
	}
	return fmt.Errorf("%w: %d of %d sources: %w", move.ErrIncomplete, len(own), len(errs), errors.Join(own...))
}
