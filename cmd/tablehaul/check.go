package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// checkOptions are the command line of `tablehaul check`.
type checkOptions struct {
	moveOptions
	purpose, mode, keyless *oneOf
	changelog, latest      bool
	serverID               uint32
}

func newCheck(run func(context.Context, checkOptions) error) *cobra.Command {
	o := checkOptions{
		moveOptions: newMoveOptions(), purpose: newOneOf("both", "snapshot", "tail"), keyless: newOneOf("refuse", "append"),
		mode: newOneOf(string(writer.Create), string(writer.Append), string(writer.Evolve), string(writer.Replace)),
	}
	cmd := &cobra.Command{
		Use:   "check SOURCE... [SINK]",
		Short: "Look for what would keep tables from being copied or followed",
		Long: `Look at SOURCE, and at SINK if it is given, for what would keep tables from being
copied or followed, or would have their copies differ: grants, settings of the log,
versions, time zones, types, keys, foreign keys, space. Nothing is changed, and
nothing is left behind. Each finding comes with a remedy to be pasted.

snapshot and tail do the part of it that they need by themselves: an error ends
them before anything is copied, warnings are printed.

` + endsHelp + `

` + secretsHelp,
		Example: `  tablehaul check mysql://app@db:3306/shop iceberg:./lake
  tablehaul check mysql://app@db:3306/shop --for tail --json`,
		Annotations: map[string]string{exitCodes: `  0 no errors were found, 1 the check could not be done, 2 wrong usage, 3 errors
  were found, 130 interrupted`},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{cmd, errors.New("SOURCE is missing")}
			}
			return nil
		},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		if n := len(args); n == 1 || isSource(args[n-1]) {
			args = append(args, "")
		}
		o.takeEnds(args)
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(o.purpose, "for", "what is going to be done")
	o.selectFlags(f)
	o.route.flags(f)
	o.choose.whereFlag(f)
	o.choose.shapeFlags(f)
	o.login.register(f)
	f.Var(o.mode, "mode", "that of the snapshot")
	f.Var(o.keyless, "keyless", "that of the tail")
	f.BoolVar(&o.changelog, "changelog", false, "the tail's, too")
	f.BoolVar(&o.latest, "latest", false, "likewise")
	f.Uint32Var(&o.serverID, "server-id", 0, "that of the tail, a `number`")
	f.IntVar(&o.parallel, "parallel", o.parallel, "read `N` parts of tables at once (default 4, or twice the CPUs if that is less)")
	f.Lookup("parallel").DefValue = "0" // the machine's: told above
	f.Var(o.zeroDate, "zero-date", "what becomes of dates that no calendar holds")
	f.BoolVar(&o.json, "json", false, "print one JSON object on standard output")
	return cmd
}

// tails reports whether the log is going to be followed.
func (o *checkOptions) tails() bool { return o.purpose.value != "snapshot" }

// errFound says that a check has found errors, which have been printed.
var errFound = errors.New("what was asked for would fail")

// checkAll runs the command.
func (p *program) checkAll(ctx context.Context, o checkOptions) error {
	sources, err := p.several(&o.moveOptions)
	if err != nil {
		return &usageError{nil, err}
	}
	if err := p.logInAll(ctx, &o.moveOptions, sources); err != nil {
		return err
	}
	if len(sources) == 0 {
		return p.checkOne(ctx, o)
	}
	g := gather(sources, p.labels(sources))
	g.quiet = true
	return p.each(ctx, g, func(ctx context.Context, pt part) error {
		one := o
		one.moveOptions = o.moveOptions.of(pt)
		return p.checkOne(ctx, one)
	})
}

// checkOne looks at one source, and at the sink as it would be for that.
func (p *program) checkOne(ctx context.Context, o checkOptions) error {
	openSource, err := p.stores.findSource(o.source, has(p.stores.sinks, o.source), sourceFirst)
	if err != nil {
		return &usageError{nil, err}
	}
	var openSink openSink
	if o.sink != "" {
		if openSink, err = p.stores.findSink(o.sink, sourceFirst); err == nil {
			err = o.route.takes(p, o.sink)
		}
		if err != nil {
			return &usageError{nil, err}
		}
		openSink = o.route.open(openSink)
	}
	if err := p.stores.checkLatest(o.sink, o.latest, o.changelog, o.layout.asked()); err != nil {
		return &usageError{nil, err}
	}
	store := o.store(p)
	store.serverID, store.look = o.serverID, true
	src, err := openSource(ctx, o.source, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()
	topic := p.stores.isTopic(o.sink)
	o.choose.follows = o.tails()
	o.choose.changes = topic || o.tails() && (o.changelog || p.stores.takesChanges(o.sink, o.latest))
	src, tables, err := o.wrapped(ctx, src)
	if err != nil {
		return err
	}
	if err := o.part.meet(ctx, tables, &o.route); err != nil {
		return err
	}
	purpose := finding.Purpose{Snapshot: o.purpose.value != "tail", Tail: o.tails(), Parallel: o.parallel, AsIs: p.stores.sinks[scheme(o.sink)].asIs}
	found, err := checkSource(ctx, src, tables, purpose)
	if err != nil {
		return err
	}
	tables, more, err := p.asFollowed(o, tables)
	if found = append(found, more...); err != nil {
		return err
	}
	if openSink != nil {
		tables := seenWhole(tables, found)
		more, err := p.checkSinkAt(ctx, o, openSink, store, tables, purpose)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	finding.Sort(found)
	if err := o.part.turn(ctx); err != nil {
		return err
	}
	if err := writeFindings(p.stdout, o.json, p.hide.redact(o.source), p.hide.redact(o.sink), len(tables), found); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	if n := finding.Count(found, finding.Error); n > 0 {
		return fmt.Errorf("%w: %s", errFound, progress.Plural(int64(n), "error"))
	}
	return nil
}

// asFollowed gives tables the form that they are to have at the sink, and tells which cannot be
// followed.
func (p *program) asFollowed(o checkOptions, tables []*schema.Table) (shaped []*schema.Table, found []finding.Finding, err error) {
	switch {
	case o.tails():
		t := tailOptions{moveOptions: o.moveOptions, keyless: o.keyless, latest: o.latest, changelog: o.changelog || p.stores.takesChanges(o.sink, o.latest), refuseKeyless: p.stores.refusesKeyless(o.sink, o.keyless)}
		return t.shape(tables)
	case p.stores.isTopic(o.sink):
		shaped, err = changelogs(tables)
		return shaped, nil, err
	}
	return tables, nil, nil
}

// seenWhole leaves out tables whose columns the user does not all see: the sink would
// find them of another shape than they have.
func seenWhole(tables []*schema.Table, found []finding.Finding) []*schema.Table {
	var hidden []string
	for _, f := range found {
		if f.Check == "grant-select" {
			hidden = append(hidden, f.Tables...)
		}
	}
	return slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool { return slices.Contains(hidden, t.String()) })
}

// checkSinkAt opens the sink only to look at it.
func (p *program) checkSinkAt(ctx context.Context, o checkOptions, open openSink, store storeOptions, tables []*schema.Table, purpose finding.Purpose) ([]finding.Finding, error) {
	sink, err := open(ctx, o.sink, store)
	if err != nil {
		return []finding.Finding{{
			Level: finding.Error, Check: "sink", Thing: "the sink cannot be opened", Why: err.Error(), Remedy: hint.Of(err),
		}}, ctx.Err()
	}
	defer sink.Close()
	mode := writer.Mode(o.mode.value)
	if !purpose.Snapshot {
		mode = writer.Follow
	}
	return p.checkSink(ctx, o.sink, sink, tables, mode, purpose)
}

// checkSource asks the source, if it can tell.
func checkSource(ctx context.Context, src reader.Stock, tables []*schema.Table, p finding.Purpose) ([]finding.Finding, error) {
	c, ok := src.(reader.Checker)
	if !ok {
		return nil, nil
	}
	found, err := c.Check(ctx, tables, p)
	if err != nil {
		return nil, fmt.Errorf("check the source: %w", err)
	}
	return found, nil
}

// checkSink asks the sink, if it can tell.
func (p *program) checkSink(ctx context.Context, url string, sink writer.Sink, tables []*schema.Table, mode writer.Mode, purpose finding.Purpose) ([]finding.Finding, error) {
	tables = slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool { return t.Unfit != nil })
	found, err := p.checkMerged(ctx, url, sink, tables)
	if err != nil || finding.Count(found, finding.Error) > 0 {
		return found, err // what the sink says of these would lead astray
	}
	c, ok := sink.(writer.Checker)
	if !ok {
		return found, nil
	}
	more, err := c.Check(ctx, tables, mode, purpose)
	if err != nil {
		return nil, fmt.Errorf("check the sink: %w", err)
	}
	return append(found, more...), nil
}
