package main

import (
	"context"

	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/verify"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A repaired tells what became of tables that differed.
type repaired struct {
	rows  []progress.TableView // how many of each were exchanged
	after []verify.Result      // what was found then
}

// checkRepair finds what would keep tables from being repaired: a log that is another one, above all.
func (p *program) checkRepair(ctx context.Context, o verifyOptions, src source, sink writer.Sink, tables []*schema.Table) error {
	feed, _, err := o.by.open(ctx, p, &o.moveOptions, sink)
	if err != nil {
		return err
	}
	if feed != nil {
		defer feed.Close()
	}
	return move.FollowedBy(ctx, src, feed, sink, tables)
}

// repairTables has rows that differ be what the source has, and compares their tables again.
func (p *program) repairTables(ctx context.Context, o verifyOptions, found []verify.Result) (*repaired, error) {
	only := map[string]*verify.Result{}
	var left []verify.Result // of tables that are not repaired, and are not what they should be
	for i := range found {
		switch {
		case found[i].Err != nil:
			left = append(left, found[i])
		case found[i].Differs():
			only[found[i].Table] = &found[i]
		}
	}
	out, run := &repaired{}, progress.NewRun()
	err := p.atEnds(ctx, &o.moveOptions, run, false, func(src source, sink writer.Sink, tables []*schema.Table) error {
		feed, shape, err := o.by.open(ctx, p, &o.moveOptions, sink)
		if err != nil {
			return err
		}
		if feed != nil {
			defer feed.Close()
		}
		var redos []*verify.Redo
		var again []*schema.Table
		for _, t := range tables {
			// Rows of a table without a key cannot be told apart.
			if r := only[t.String()]; r != nil && len(t.Key) > 0 {
				redos, again = append(redos, &verify.Redo{Table: t, Part: t, Only: r.Only()}), append(again, t)
				delete(only, r.Table)
			}
		}
		for _, r := range only { // those without a key, or dropped since
			left = append(left, *r)
		}
		opts := move.SnapshotOptions{Parallel: o.parallel, Progress: run, Warn: o.warn(p), Step: p.step}
		if feed != nil {
			opts.Abreast = o.by.abreast(p, o.source, src, again, run.Phase)
		}
		err = amendAll(ctx, &o.moveOptions, src, feed, sink, redos, shape, opts)
		out.rows = run.View().Tables
		if err != nil {
			return err
		}
		if out.after, err = p.verifyTables(ctx, o, src, sink, again, progress.NewRun()); err != nil {
			return err
		}
		return verdict(append(left, out.after...))
	})
	return out, err
}
