package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// snapshotOptions are the command line of `tablehaul snapshot`.
type snapshotOptions struct {
	moveOptions
	mode    *oneOf
	restart bool
	redo    *backfillOptions // of a backfill; nil: what is there is copied, and no more
}

func newSnapshot(run func(context.Context, snapshotOptions) error) *cobra.Command {
	o := snapshotOptions{
		moveOptions: newMoveOptions(),
		mode:        newOneOf(string(writer.Create), string(writer.Append), string(writer.Evolve), string(writer.Replace)),
	}
	cmd := &cobra.Command{
		Use:   "snapshot SOURCE... SINK",
		Short: "Copy tables, or a whole database, as of one moment",
		Long: `Copy what tables hold now, all of them as of one moment, and while they are
written to. Each table appears at the sink in one commit, once it is whole.

` + endsHelp + `

A table lands in a namespace named as its database, unless SINK names one. A run
that was stopped, in whatever way, is finished by the same command: whole tables
are left alone, others go on with the parts that had not been read. These are read
as of a later moment, and the log is applied from the first moment on, so that the
table is whole as of one moment again; if the log cannot be read or was purged, or
a table has no key, or the sink is of plain files, it is begun again.

` + secretsHelp,
		Example: `  tablehaul snapshot mysql://app@db:3306/shop iceberg:./lake
  tablehaul snapshot mysql://app@db:3306/shop iceberg:./lake --tables 'orders,user_*'
  tablehaul snapshot mysql://app@db:3306 iceberg+rest://catalog:8181 --exclude 'test.*' --json`,
		Args: wantSources,
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.takeEnds(args)
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	o.login.register(f)
	o.selectFlags(f)
	o.route.flags(f)
	o.choose.whereFlag(f)
	o.choose.shapeFlags(f)
	f.Var(o.mode, "mode", "what to do with tables that are there: create refuses those it did\nnot make, append adds to them, evolve does too and adapts their\ncolumns first, replace exchanges their content and columns")
	f.BoolVar(&o.restart, "restart", false, "begin tables again that an earlier run has left unfinished, instead of\ngoing on with them")
	o.storeFlags(f, formatFlag)
	o.outputFlags(f, "copied", "copy none")
	return cmd
}

// snapshot runs the command.
func (p *program) snapshot(ctx context.Context, o snapshotOptions) error {
	sources, err := p.checkEnds(&o.moveOptions)
	if err == nil && o.redo != nil {
		err = p.checkRedo(&o)
	}
	if err != nil {
		return &usageError{nil, err}
	}
	keepWithin(o.memory)
	start := progress.Start{
		Version: versionNumber(), Command: o.command(),
		Source: p.sourceText(o.moveOptions, sources), Sink: p.hide.redact(o.sink),
		Tables: o.tables, Exclude: o.exclude,
		Mode: o.mode.value, Parallel: o.parallel, Memory: int64(o.memory),
	}
	run := progress.NewRun()
	status := progress.NewStatus(start, run)
	w, err := p.watch(ctx, o.moveOptions, runStart{start.Command, start.Source, start.Sink}, snapshotPages(run, status))
	if err != nil {
		return err
	}
	if err := p.logInAll(ctx, &o.moveOptions, sources); err != nil {
		return w.fail(ctx, err)
	}
	runs := []*progress.Run{run}
	g := gather(sources, p.labels(sources))
	for i, pt := range g.parts {
		runs = append(runs[:i], run.Part(pt.label, pt.prefix()))
	}
	throttles, end, err := p.throttle(o.moveOptions, runs)
	if err != nil {
		return w.fail(ctx, err)
	}
	defer end()
	printer := append(p.printer(o.moveOptions, start, w.log), status)
	p.console.use(printer)
	stop := progress.Watch(run, printer)
	if len(sources) == 0 {
		err = p.copyTables(ctx, o, run, throttles[0])
	} else {
		err = p.each(ctx, g, func(ctx context.Context, pt part) error {
			one := o
			one.moveOptions = o.moveOptions.of(pt)
			return p.copyTables(ctx, one, runs[pt.index], throttles[pt.index])
		})
	}
	written := stop()
	p.console.use(w.after())
	if written == nil && (!o.dryRun || err != nil) {
		written = p.writeResult(ctx, o, start, run, err)
	}
	if written != nil {
		err = errors.Join(err, fmt.Errorf("write to standard output: %w", written))
	}
	return w.end(ctx, err, false, run.View().Attrs())
}

// copyTables opens both ends and moves.
func (p *program) copyTables(ctx context.Context, o snapshotOptions, run *progress.Run, throttle *move.Throttle) (err error) {
	open, err := p.opens(&o.moveOptions)
	if err != nil {
		return err
	}
	run.Phase("connecting to " + p.hide.redact(o.source))
	src, err := open.source(ctx, o.source, o.store(p))
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()

	o.choose.changes = p.stores.isTopic(o.sink)
	if src, err = o.choose.wrap(src); err != nil {
		return err
	}
	run.Phase("listing tables")
	tables, err := o.list(ctx, src)
	if err != nil {
		return err
	}
	listed := tables
	if p.stores.isTopic(o.sink) {
		if tables, err = changelogs(tables); err != nil {
			return err
		}
	}
	if err := o.part.meet(ctx, tables, &o.route); err != nil {
		return err
	}
	store := o.store(p)
	store.existing = o.redo != nil && o.redo.abort
	if store.layout, err = o.route.layout(&o.layout, src.DB(), tables); err != nil {
		return err
	}
	var parts map[*schema.Table]*tablePart
	if o.redo != nil {
		if tables, parts, err = o.redo.part.of(ctx, src, tables); err != nil {
			return err
		}
	}
	if o.dryRun {
		if err := o.part.turn(ctx); err != nil {
			return err
		}
		return p.snapshotPlan(ctx, o, store, src, open.sink, stocks(tables, parts))
	}
	purpose := finding.Purpose{Snapshot: true, Before: true, Parallel: o.parallel}
	if err := p.checkBefore(ctx, o.source, src, listed, purpose); err != nil {
		return err
	}

	run.Phase("opening " + p.hide.redact(o.sink))
	sink, err := open.sink(ctx, o.sink, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() {
		if e := sink.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", p.hide.redact(o.sink), e)
		}
	}()
	if err := p.checkSinkBefore(ctx, o.sink, sink, tables, writer.Mode(o.mode.value), purpose); err != nil {
		return err
	}
	opts := move.SnapshotOptions{
		Mode: writer.Mode(o.mode.value), Parallel: o.gentle.maxParallel, Progress: run, Throttle: throttle,
		Terms: o.terms(), Restart: o.restart, Warn: o.warn(p),
		Tell: func(msg string) { p.console.Note("tablehaul: " + msg) },
	}
	if o.redo != nil {
		opts.Step = p.step
		return p.redo(ctx, o, src, sink, tables, parts, opts)
	}
	return move.Snapshot(ctx, src, sink, tables, opts)
}

func (o *snapshotOptions) command() string {
	if o.redo != nil {
		return "backfill"
	}
	return "snapshot"
}

// changelogs gives all tables the shape in which a topic takes them.
func changelogs(tables []*schema.Table) ([]*schema.Table, error) {
	shaped := make([]*schema.Table, len(tables))
	var errs []error
	for i, t := range tables {
		var err error
		if shaped[i], err = schema.Changelog(t); err != nil {
			errs = append(errs, err)
		}
	}
	return shaped, errors.Join(errs...)
}

// writeResult prints how the run ended, on standard output.
func (p *program) writeResult(ctx context.Context, o snapshotOptions, s progress.Start, run *progress.Run, err error) error {
	switch v := run.View(); {
	case o.json:
		return progress.WriteSummary(p.stdout, s, v, outcome(ctx, err))
	case o.quiet:
		return nil
	default:
		return progress.WriteText(p.stdout, v)
	}
}

// outcome tells how a run ended as --json does.
func outcome(ctx context.Context, err error) progress.Outcome {
	out := progress.Outcome{Exit: exitCode(ctx, err), Status: "failed"}
	switch out.Exit {
	case exitDone:
		out.Status = "done"
	case exitIncomplete:
		out.Status = "incomplete"
	case exitInterrupted:
		out.Status = "interrupted"
	}
	if err != nil {
		out.Error, out.Hint = oneLine(err), hint.Of(err)
	}
	if out.Exit == exitInterrupted {
		out.Error, out.Hint = errInterrupted.Error(), "" // whatever the run died of then
	}
	return out
}
