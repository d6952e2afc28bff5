package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// besideShare is the part of --memory that upkeep beside a run may have for itself.
const besideShare = 8

// compactEveryFlag is of the commands beside which upkeep can go on.
func compactEveryFlag(f *pflag.FlagSet, every *time.Duration) {
	f.DurationVar(every, "compact-every", 0, "tend the tables so often, as 'tablehaul compact' does, beside the run\n(docs/compact.md)")
}

// checkCompactEvery finds out whether --compact-every means anything.
func (s stores) checkCompactEvery(sink string, every time.Duration) error {
	tends := func(k sinkKind) bool { return k.tended }
	if every > 0 && !tends(s.sinks[scheme(sink)]) {
		return s.unfit("compact-every", sink, tends)
	}
	return nil
}

// besideOptions are what upkeep of a run's tables is to do.
func besideOptions(sel reader.Selection) compactOptions {
	return compactOptions{tables: sel.Include, exclude: sel.Exclude, db: sel.DB, beside: true, deletes: 1, orphanAge: defaultOrphanAge}
}

// tending has the sink's tables tended every so often, if that is due then, until the
// returned function is called, which waits. It uses a sink of its own: what it does
// delays no commit, and nothing that goes wrong ends the run.
func (p *program) tending(ctx context.Context, every time.Duration, due func() bool, url string, open openSink, store storeOptions, sel compactOptions) (end func()) {
	if every <= 0 {
		return func() {}
	}
	store.memory, store.parallel, store.existing, store.look = max(store.memory/besideShare, minMemory/4), 1, false, false
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if !due() {
					continue
				}
				if err := p.tendOnce(ctx, url, open, store, sel); err != nil && ctx.Err() == nil {
					p.console.warn("--compact-every: " + progress.Printable(oneLine(err)))
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (p *program) tendOnce(ctx context.Context, url string, open openSink, store storeOptions, sel compactOptions) (err error) {
	sink, err := open(ctx, url, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(url), err)
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	_, err = compactTables(ctx, sink, sel.upkeep(), &sel, func(c writer.Compacted) error {
		for _, left := range c.Left {
			p.console.warn("--compact-every: " + c.Name + ": " + left)
		}
		if c.Err != nil && ctx.Err() == nil {
			p.console.warn("--compact-every: " + progress.Printable(oneLine(c.Err)))
		}
		return nil
	})
	return err
}
