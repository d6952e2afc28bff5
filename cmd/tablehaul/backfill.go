package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// backfillOptions are what `tablehaul backfill` has beside a snapshot's.
type backfillOptions struct {
	followedBy
	follow bool
	abort  bool
	atOnce int // tables that are staged at a time
	part   partOptions
}

var errNoTables = hint.Wrap(errors.New("--tables is missing"), "it says which tables are to be redone; '*' is all of them")

func newBackfill(run func(context.Context, snapshotOptions) error) *cobra.Command {
	b := &backfillOptions{followedBy: newFollowedBy(), atOnce: 4}
	o := snapshotOptions{moveOptions: newMoveOptions(), mode: newOneOf(string(writer.Replace)), redo: b}
	o.watch.logFlag = "log-file"
	cmd := &cobra.Command{
		Use:   "backfill SOURCE SINK --tables TABLE",
		Short: "Redo tables while everything else flows",
		Long: `Copy tables anew that tail or dump brings to SINK: what they hold now from SOURCE, and
what has changed since from the log that they are followed by. Readers see the old
table until the new one is whole, and takes its place in one commit. The tail or dump
that follows the table goes on from there by itself, and may run meanwhile; a table
that none has brought yet is made.

--log names that log: the topics of a dump, or binlog for a table that tail follows
without topics. A run that was stopped, in whatever way, is finished by the same command,
or given up with --abort.

SOURCE  mysql://user@host:3306/database or mariadb://…; without a database, all of them
SINK    as that of the tail or dump: Iceberg, plain files (with --latest), Doris

--table is --tables.

` + secretsHelp,
		Example: `  tablehaul backfill mysql://app@db/shop iceberg:./lake --tables orders --log kafka://mq:9092/shop
  tablehaul backfill mysql://app@db/shop doris://fe:8030/ods --tables orders --log binlog
  tablehaul backfill mysql://app@db/shop iceberg:./lake --tables archive --log kafka://mq:9092/shop --follow`,
		Args: wantArgs("SOURCE", "SINK"),
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.takeEnds(args)
		given := cmd.Flags().Changed
		if !given("tables") {
			return errNoTables
		}
		switch {
		case b.atOnce < 1:
			return errors.New("--tables-at-once must be at least 1")
		case b.abort && b.follow:
			return errors.New("--abort and --follow exclude each other")
		case b.abort && o.dryRun:
			return errors.New("--abort and --dry-run exclude each other")
		}
		if err := b.part.take(&o.moveOptions); err != nil {
			return err
		}
		return o.check(given)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	b.followedBy.flags(f)
	f.BoolVar(&b.latest, "latest", false, "plain files are dumped with --latest")
	f.BoolVar(&b.follow, "follow", false, "go on as the tables' dump, or tail, until stopped")
	f.BoolVar(&b.abort, "abort", false, "give up what a run that was stopped has staged and kept of the tables, and\nredo none")
	f.IntVar(&b.atOnce, "tables-at-once", b.atOnce, "redo `N` tables at a time: the sink has to have room for their copies")
	o.login.register(f)
	o.selectFlags(f)
	o.route.flags(f)
	o.choose.whereFlag(f)
	b.part.flags(f)
	o.choose.shapeFlags(f)
	f.BoolVar(&o.restart, "restart", false, "begin tables again that an earlier run has left unfinished, instead of\ngoing on with them")
	o.storeFlags(f, fileFormatFlag)
	b.part.partitionFlag(f)
	o.outputFlags(f, "redone", "redo none")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "table" { // most often it is one
			name = "tables"
		}
		return pflag.NormalizedName(name)
	})
	return cmd
}

// checkRedo finds what is wrong with the options of a backfill without asking anybody.
func (p *program) checkRedo(o *snapshotOptions) error {
	b := o.redo
	if p.stores.isTopic(o.sink) {
		return errors.New("SINK is a topic: backfill redoes tables, and a topic is redone by making it anew")
	}
	if err := p.stores.checkLatest(o.sink, b.latest, false, o.layout.asked()); err != nil {
		return err
	}
	if p.stores.takesChanges(o.sink, b.latest) {
		return hint.Wrap(errors.New("plain files without --latest hold every change, and stock does not tell those of the past"), "backfill redoes tables of rows: give --latest if the tables are brought with it")
	}
	return b.followedBy.check(p)
}

// redo copies tables anew behind the log that they are followed by.
func (p *program) redo(ctx context.Context, o snapshotOptions, src source, sink writer.Sink, tables []*schema.Table, parts map[*schema.Table]*tablePart, opts move.SnapshotOptions) error {
	b := o.redo
	if b.abort {
		return move.Abandon(ctx, sink, tables, opts.Tell)
	}
	if b.log != logOfSource {
		opts.Progress.Phase("connecting to " + p.hide.redact(b.log))
	}
	feed, shape, err := b.open(ctx, p, &o.moveOptions, sink)
	if err != nil {
		return err
	}
	if feed != nil {
		defer feed.Close()
		if err := b.unbrought(ctx, p, tables, opts.Warn); err != nil {
			return err
		}
		opts.Abreast = b.abreast(p, o.source, src, tables, opts.Progress.Phase)
	}
	whole := slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool { return parts[t] != nil })
	for part := range slices.Chunk(whole, b.atOnce) {
		if err := move.Backfill(ctx, src, feed, sink, part, shape, opts); err != nil {
			return err
		}
	}
	return amend(ctx, o, src, feed, sink, tables, parts, shape, opts)
}

// plan adds to that of a run what it is to a backfill.
func (b *backfillOptions) plan(tables []plannedTable, all *runPlan) {
	all.Kept = all.Seconds
	for i := range tables {
		s := tables[i].Sink
		switch {
		case s == nil:
		case b.part.is[tables[i].Table]:
			b.part.planned(s)
		case len(b.part.shards) > 0 && s.Fate == string(writer.Replaced):
			s.Fate, s.Detail = string(writer.Amended), "the rows of this shard"
		}
	}
}

// backfill runs the command.
func (p *program) backfill(ctx context.Context, o snapshotOptions) error {
	b := o.redo
	if err := p.snapshot(ctx, o); err != nil || !b.follow || o.dryRun {
		return err
	}
	if b.log == logOfSource {
		t := newTailOptions()
		t.moveOptions, t.latest = o.moveOptions, b.latest
		return p.tail(ctx, t)
	}
	d := newDumpOptions()
	d.moveOptions, d.latest, d.format = o.moveOptions, b.latest, b.format
	d.source = b.log
	return p.dump(ctx, d)
}
