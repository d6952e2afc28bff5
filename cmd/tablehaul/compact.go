package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/route"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// compactOptions are the command line of `tablehaul compact`.
type compactOptions struct {
	sink            string
	tables, exclude []string
	db              string // that patterns of a table alone are about
	beside          bool   // another run, which knows tables by their names at the source
	deletes         int
	keepFor         time.Duration
	keepLast        int
	orphanAge       time.Duration
	keepOrphans     bool
	targetFileSize  byteSize
	memory          byteSize
	sizeGiven       bool
	keepGiven       bool
	dryRun, json    bool
}

// defaultOrphanAge is longer than any program takes for a commit.
const defaultOrphanAge = 3 * 24 * time.Hour

func newCompact(run func(context.Context, compactOptions) error) *cobra.Command {
	o := compactOptions{deletes: 1, orphanAge: defaultOrphanAge, targetFileSize: 256 << 20, memory: 512 << 20}
	cmd := &cobra.Command{
		Use:   "compact SINK",
		Short: "Merge small files of a lake, apply deletes, forget old snapshots",
		Long: `Tend the tables of a lake that tablehaul has written, so that commits and readers
stay as fast as they were: data files that are small are merged, those that deletes
apply to are written anew without the rows, manifests are merged, snapshots that are
old are forgotten, and files that nothing names are removed.

Runs that write to the tables go on meanwhile, and so do readers: nobody is blocked,
and what goes is what nobody has needed for days. Where another program has changed the
same files, it is this one that gives way and says so. It may be stopped or killed at
any time, and be run again.`,
		Example: `  tablehaul compact iceberg:./lake --dry-run
  tablehaul compact iceberg+rest://catalog:8181 --tables 'shop.orders'
  tablehaul compact iceberg:./lake --keep-snapshots 24h --json`,
		Args: wantArgs("SINK"),
		Annotations: map[string]string{exitCodes: `  0 done, 1 failed, 2 wrong usage, 3 incomplete: some tables are as they should be
  and others are not, 130 interrupted`},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.sink = args[0]
		o.sizeGiven, o.keepGiven = cmd.Flags().Changed("target-file-size"), cmd.Flags().Changed("keep-snapshots")
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.tables, "tables", nil, "only these `patterns`: database.table; * and ? as in a shell; separated\nby commas or repeated")
	f.StringSliceVar(&o.exclude, "exclude", nil, "not these `patterns`")
	f.IntVar(&o.deletes, "deletes", o.deletes, "write a data file anew once so many `files` of deletes apply to it: more\nleave more to readers and take less time")
	f.Var(&o.targetFileSize, "target-file-size", "size of data files; those of less than three quarters are small\n(default the table's, else 256MiB)")
	f.Lookup("target-file-size").DefValue = ""
	f.DurationVar(&o.keepFor, "keep-snapshots", 0, "`time` for which snapshots stay; those that a branch or tag names stay\nwithout end (default the table's, else 120h)")
	f.IntVar(&o.keepLast, "keep-last", 0, "`snapshots` that stay whatever their age (default the table's, else 10)")
	f.DurationVar(&o.orphanAge, "orphans-after", o.orphanAge, "`time` since which a file has to have been there at least that is removed\nbecause nothing names it; other programs must not take longer for a commit")
	f.BoolVar(&o.keepOrphans, "keep-orphans", false, "remove no files but those of snapshots that are forgotten")
	f.Var(&o.memory, "memory", "memory to use, about")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what there is to do, and do nothing")
	f.BoolVar(&o.json, "json", false, "print JSON objects, one a line, on standard output")
	return cmd
}

// check finds what is wrong with the options without asking anybody.
func (o *compactOptions) check(given func(flag string) bool) error {
	if err := checkPatterns(o.tables, o.exclude, given); err != nil {
		return err
	}
	switch {
	case o.deletes < 1:
		return errors.New("--deletes must be at least 1")
	case o.keepFor < 0:
		return errors.New("--keep-snapshots must not be negative")
	case given("keep-last") && o.keepLast < 1:
		return errors.New("--keep-last must be at least 1")
	case o.orphanAge < time.Hour && !o.keepOrphans:
		return hint.Wrap(errors.New("--orphans-after must be at least 1h"), "a file that a program is about to commit is named by nothing yet")
	case o.targetFileSize < 1<<20:
		return errors.New("--target-file-size must be at least 1MiB")
	case o.memory < minMemory:
		return fmt.Errorf("--memory must be at least %s", byteSize(minMemory))
	}
	_, err := o.matcher()
	return err
}

func (o *compactOptions) matcher() (*reader.Matcher, error) {
	return reader.Selection{Include: o.tables, Exclude: o.exclude, DB: o.db}.Matcher()
}

// upkeep is what the sink is to do.
func (o *compactOptions) upkeep() writer.Upkeep {
	u := writer.Upkeep{DryRun: o.dryRun, Deletes: o.deletes, KeepFor: o.keepFor, KeepLast: o.keepLast, OrphanAge: o.orphanAge}
	if o.keepGiven {
		u.KeepFor = max(u.KeepFor, time.Millisecond) // 0 is the default
	}
	if o.keepOrphans {
		u.OrphanAge = -1
	}
	return u
}

// store returns what the sink is to be told.
func (o *compactOptions) store(p *program) storeOptions {
	store := storeOptions{memory: int64(o.memory), parallel: 1, existing: true, look: o.dryRun, warn: p.console.warn, step: p.step}
	if o.sizeGiven {
		store.targetFileSize = int64(o.targetFileSize)
	}
	return store
}

// compact runs the command.
func (p *program) compact(ctx context.Context, o compactOptions) (err error) {
	open, err := p.stores.findSink(o.sink, "compact takes a SINK alone")
	if err != nil {
		return &usageError{nil, err}
	}
	keepWithin(o.memory)
	sink, err := open(ctx, o.sink, o.store(p))
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() {
		if e := sink.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", p.hide.redact(o.sink), e)
		}
	}()
	tended, err := compactTables(ctx, sink, o.upkeep(), &o, func(c writer.Compacted) error { return p.printCompacted(o, c) })
	if errors.Is(err, errors.ErrUnsupported) {
		return &usageError{nil, fmt.Errorf("SINK: tables of %s need no upkeep: it is for Iceberg", scheme(o.sink))}
	}
	if err != nil {
		return err
	}
	return p.endCompact(o, tended)
}

// compactTables has the sink tend the tables that are selected, and tells of each.
func compactTables(ctx context.Context, sink writer.Sink, u writer.Upkeep, o *compactOptions, tell func(writer.Compacted) error) (tended []writer.Compacted, err error) {
	c, ok := sink.(writer.Compactor)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	m, err := o.matcher()
	if err != nil {
		return nil, err
	}
	var told error
	err = c.Compact(ctx, func(h writer.Held) bool {
		// Of a table that routes have made, any that goes there will do; all are asked for, as each
		// may be the one that a pattern is about.
		names := route.Expand([]writer.Held{h})
		if h.Position.Merged() {
			names = append(names, h)
		}
		picked := false
		for _, one := range names {
			picked = selects(m, one, !o.beside) || picked
		}
		return picked
	}, u, func(c writer.Compacted) {
		tended = append(tended, c)
		if err := tell(c); err != nil && told == nil {
			told = err
		}
	})
	if unused := m.Unused(); len(unused) > 0 && err == nil && !o.beside {
		err = hint.Wrap(fmt.Errorf("no table of the sink matches %s", strings.Join(unused, ",")), "tablehaul status tells which there are")
	}
	return tended, errors.Join(err, told)
}

// selects reports whether a table is selected, by its name at the source or, if that is to
// do, by that at the sink. Any dot may be the one that parts database and table.
func selects(m *reader.Matcher, h writer.Held, either bool) bool {
	return matches(m, h.Source) || either && matches(m, h.Name)
}

func matches(m *reader.Matcher, name string) bool {
	for at := range name {
		if name[at] == '.' && m.Match(name[:at], name[at+1:]) {
			return true
		}
	}
	return false
}

// endCompact tells how it went altogether.
func (p *program) endCompact(o compactOptions, tended []writer.Compacted) error {
	var bad []string
	var first error
	for _, c := range tended {
		if c.Err != nil {
			bad = append(bad, c.Name)
			if first == nil {
				first = c.Err
			}
		}
	}
	if err := p.printCompactedTotal(o, tended); err != nil {
		return err
	}
	switch {
	case first == nil:
		return nil
	case len(bad) == len(tended):
		return first
	}
	err := fmt.Errorf("%w: %d of %d tables are as they should be: %s: %w", move.ErrIncomplete, len(tended)-len(bad), len(tended), progress.Some(bad), first)
	return hint.Wrap(err, "%s", hint.Of(first))
}
