package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/verify"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// verifyOptions are the command line of `tablehaul verify`.
type verifyOptions struct {
	moveOptions
	wait time.Duration
	most int
}

func newVerify(run func(context.Context, verifyOptions) error) *cobra.Command {
	o := verifyOptions{moveOptions: newMoveOptions(), wait: time.Minute, most: 20}
	cmd := &cobra.Command{
		Use:   "verify SOURCE SINK",
		Short: "Compare tables at the sink with the source, row by row",
		Long: `Compare all rows of tables at SINK with those of SOURCE: how many there are, and the
sums of their hashes, whatever the order; where these differ, which keys and which
columns do. All of it is read, in parallel, and nothing is written.

Tables may be written to, and tail or dump go on, meanwhile: SOURCE is read as of one
moment, and SINK later, so that it may be behind, or ahead of that moment. Rows that
differ are looked at again, until SINK has come to the moment and they differ still in
the same way, or --wait is over. Of a table that comes through topics the moment
cannot be told: there the whole of --wait is waited for if something differs.

SOURCE  mysql://user@host:3306/database or mariadb://…; without a database, all of them
SINK    as that of snapshot, tail and dump: Iceberg, plain files (with --latest), Doris

Routes and shaping have to be told as they were when the tables were brought there.

` + secretsHelp,
		Example: `  tablehaul verify mysql://app@db:3306/shop iceberg:./lake
  tablehaul verify mysql://app@db:3306/shop iceberg+rest://catalog:8181 --tables 'orders,user_*' --json
  tablehaul verify mysql://app@db:3306/shop doris://root@fe:8030/ods --wait 5m`,
		Args: wantArgs("SOURCE", "SINK"),
		Annotations: map[string]string{exitCodes: `  0 all tables are equal, 1 failed, 2 wrong usage, 3 some tables could not be
  compared, 4 a table differs, 130 interrupted`},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.takeEnds(args)
		switch {
		case o.wait < 0:
			return errors.New("--wait must not be negative")
		case o.most < 0:
			return errors.New("--rows must not be negative")
		}
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	o.login.register(f)
	o.selectFlags(f)
	o.route.flags(f)
	o.choose.whereFlag(f)
	o.choose.shapeFlags(f)
	f.DurationVar(&o.wait, "wait", o.wait, "`time` for which rows that differ are looked at again while SINK is\nbehind, or cannot tell whether it is")
	f.IntVar(&o.most, "rows", o.most, "tell so many differing `rows` of each table at most")
	f.IntVar(&o.parallel, "parallel", o.parallel, "read `N` parts of tables at once at each end\n(default 4, or twice the CPUs if that is less)")
	f.Lookup("parallel").DefValue = "0" // the machine's: told above
	o.choose.splitFlag(f)
	f.Var(&o.memory, "memory", "memory to use, about")
	f.Var(o.zeroDate, "zero-date", "what became of 0000-00-00 and other dates that no calendar holds")
	f.BoolVar(&o.json, "json", false, "print JSON objects, one a line, on standard output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no progress, and no result but that of --json")
	return cmd
}

// verify runs the command.
func (p *program) verify(ctx context.Context, o verifyOptions) error {
	if p.stores.isTopic(o.sink) {
		return &usageError{nil, errors.New("SINK is a topic, and verify compares tables: dump brings the topic to some")}
	}
	sources, err := p.checkEnds(&o.moveOptions)
	if err == nil && len(sources) > 0 {
		err = errors.New("verify takes one SOURCE")
	}
	if err != nil {
		return &usageError{nil, err}
	}
	keepWithin(o.memory)
	if err := p.logInAll(ctx, &o.moveOptions, sources); err != nil {
		return err
	}
	run := progress.NewRun()
	start := progress.Start{Version: versionNumber(), Command: "verify", Source: p.hide.redact(o.source), Sink: p.hide.redact(o.sink), Tables: o.tables, Exclude: o.exclude, Parallel: o.parallel, Memory: int64(o.memory)}
	shown := o.moveOptions
	shown.quiet, shown.json = o.quiet || o.json, false
	printer := p.printer(shown, start, nil)
	p.console.use(printer)
	stop := progress.Watch(run, printer)
	results, err := p.compareTables(ctx, o, run)
	_ = stop()
	p.console.use(nil)
	if e := p.writeVerified(o, results); e != nil {
		err = errors.Join(err, fmt.Errorf("write to standard output: %w", e))
	}
	return err
}

// compareTables opens both ends and compares them.
func (p *program) compareTables(ctx context.Context, o verifyOptions, run *progress.Run) (results []verify.Result, err error) {
	open, err := p.opens(&o.moveOptions)
	if err != nil {
		return nil, err
	}
	store := o.store(p)
	run.Phase("connecting to " + p.hide.redact(o.source))
	src, err := open.source(ctx, o.source, store)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()
	if src, err = o.choose.wrap(src); err != nil {
		return nil, err
	}
	run.Phase("listing tables")
	tables, err := o.list(ctx, src)
	if err != nil {
		return nil, err
	}
	if err := o.part.meet(ctx, tables, &o.route); err != nil {
		return nil, err
	}
	run.Phase("opening " + p.hide.redact(o.sink))
	store.existing, store.look = true, true
	sink, err := open.sink(ctx, o.sink, store)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	scanner, ok := sink.(writer.Scanner)
	if !ok {
		return nil, fmt.Errorf("%s cannot be read again", p.hide.redact(o.sink))
	}
	run.Phase("comparing")
	results, err = verify.Run(ctx, src, scanner, tables, verify.Options{
		Parallel: o.parallel, Wait: o.wait, Most: o.most, Memory: int64(o.memory) / 2,
		Reached: p.stores.reached, Same: p.stores.same, Progress: run,
	})
	if err != nil {
		return results, err
	}
	return results, verdict(results)
}

// errDiffers is that tables at the sink are not what the source has.
var errDiffers = errors.New("the sink differs from the source")

// verdict is the error that results come to.
func verdict(results []verify.Result) error {
	differ, behind := 0, false
	var failed []error
	for _, r := range results {
		if r.Err != nil {
			failed = append(failed, r.Err)
		}
		if r.Differs() {
			differ++
			behind = behind || r.Behind
		}
	}
	switch {
	case differ > 0:
		err := fmt.Errorf("%w: %d of %s", errDiffers, differ, count(len(results), "table", "tables"))
		if behind {
			err = hint.Wrap(err, "the sink is behind the source: once tail has brought it there, verify again, or give --wait more time")
		} else {
			err = hint.Wrap(err, "backfill redoes a table while everything else flows")
		}
		return errors.Join(append([]error{err}, failed...)...)
	case len(failed) > 0 && len(failed) < len(results):
		return fmt.Errorf("%w: %w", errNotCompared, errors.Join(failed...))
	}
	return errors.Join(failed...)
}

// errNotCompared is that of some tables nothing is known, and the others are equal.
var errNotCompared = errors.New("some tables could not be compared")
