package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/verify"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// verifyOptions are the command line of `tablehaul verify`.
type verifyOptions struct {
	moveOptions
	wait   time.Duration
	most   int
	sample percent
	repair bool
	by     followedBy
	seed   uint64 // of the sample
}

func newVerify(run func(context.Context, verifyOptions) error) *cobra.Command {
	o := verifyOptions{moveOptions: newMoveOptions(), wait: time.Minute, most: 20, sample: 1, seed: rand.Uint64(), by: newFollowedBy()}
	o.watch.logFlag = "log-file" // as backfill has it
	cmd := &cobra.Command{
		Use:   "verify SOURCE SINK",
		Short: "Compare tables at the sink with the source, row by row",
		Long: `Compare all rows of tables at SINK with those of SOURCE: how many there are, and the
sums of their hashes, whatever the order; where these differ, which keys and which
columns do. All of it is read, in parallel, and nothing is written. With --sample some
of the rows are compared, those of the same keys at both ends.

Tables may be written to, and tail or dump go on, meanwhile: SOURCE is read as of one
moment, and SINK later, so that it may be behind, or ahead of that moment. Rows that
differ are looked at again, until SINK has come to the moment and they differ still in
the same way, or --wait is over. Of a table that comes through topics the moment
cannot be told: there the whole of --wait is waited for if something differs.

SOURCE  mysql://user@host:3306/database or mariadb://…; without a database, all of them
SINK    as that of snapshot, tail and dump: Iceberg, plain files (with --latest), Doris

--repair then gives the rows that differ what SOURCE has, and compares again; --log names
the log by which the tables are followed, as for backfill.

Routes and shaping have to be told as they were when the tables were brought there.

` + secretsHelp,
		Example: `  tablehaul verify mysql://app@db:3306/shop iceberg:./lake
  tablehaul verify mysql://app@db:3306/shop iceberg+rest://catalog:8181 --tables 'orders,user_*' --json
  tablehaul verify mysql://app@db:3306/shop doris://root@fe:8030/ods --wait 5m
  tablehaul verify mysql://app@db:3306/shop iceberg:./lake --sample 1%
  tablehaul verify mysql://app@db:3306/shop iceberg:./lake --repair --log kafka://mq:9092/shop`,
		Args: wantArgs("SOURCE", "SINK"),
		Annotations: map[string]string{exitCodes: `  0 all tables are equal, 1 failed, 2 wrong usage, 3 some tables could not be
  compared, 4 a table differs, 130 interrupted`},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.takeEnds(args)
		given := cmd.Flags().Changed
		switch {
		case o.wait < 0:
			return errors.New("--wait must not be negative")
		case o.most < 0:
			return errors.New("--rows must not be negative")
		case given("log") && !o.repair:
			return errors.New("--log is for --repair: what is compared needs none")
		case o.repair && o.sample < 1:
			return errors.New("--repair and --sample exclude each other: all that differs is to be repaired")
		}
		return o.check(given)
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
	f.Var(&o.sample, "sample", "compare such a `share` of the rows alone (1%), other ones in each run;\nall are read still")
	f.BoolVar(&o.repair, "repair", false, "have rows that differ be what they are at SOURCE, and compare again")
	o.by.flags(f)
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
	if err == nil {
		err = o.by.check(p)
	}
	if err != nil {
		return &usageError{nil, err}
	}
	// Plain files that can be compared are such.
	o.by.latest = p.stores.takesChanges(o.sink, false)
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
	var fixed *repaired
	if o.repair && errors.Is(err, errDiffers) {
		fixed, err = p.repairTables(ctx, o, results)
	}
	_ = stop()
	p.console.use(nil)
	if e := p.writeVerified(o, results, fixed); e != nil {
		err = errors.Join(err, fmt.Errorf("write to standard output: %w", e))
	}
	return err
}

// compareTables compares all tables.
func (p *program) compareTables(ctx context.Context, o verifyOptions, run *progress.Run) (results []verify.Result, err error) {
	err = p.atEnds(ctx, &o.moveOptions, run, true, func(src source, sink writer.Sink, tables []*schema.Table) error {
		if o.repair { // what keeps it from that is not to be told once all is compared
			if err := p.checkRepair(ctx, o, src, sink, tables); err != nil {
				return err
			}
		}
		if results, err = p.verifyTables(ctx, o, src, sink, tables, run); err != nil {
			return err
		}
		return verdict(results)
	})
	return results, err
}

// atEnds opens both ends, one of them to be looked at alone perhaps, and lists the tables.
func (p *program) atEnds(ctx context.Context, o *moveOptions, run *progress.Run, look bool, do func(src source, sink writer.Sink, tables []*schema.Table) error) (err error) {
	open, err := p.opens(o)
	if err != nil {
		return err
	}
	store := o.store(p)
	run.Phase("connecting to " + p.hide.redact(o.source))
	src, err := open.source(ctx, o.source, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()
	if src, err = o.choose.wrap(src); err != nil {
		return err
	}
	run.Phase("listing tables")
	tables, err := o.list(ctx, src)
	if err != nil {
		return err
	}
	if err := o.part.meet(ctx, tables, &o.route); err != nil {
		return err
	}
	run.Phase("opening " + p.hide.redact(o.sink))
	store.existing, store.look = true, look
	sink, err := open.sink(ctx, o.sink, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	return do(src, sink, tables)
}

func (p *program) verifyTables(ctx context.Context, o verifyOptions, src source, sink writer.Sink, tables []*schema.Table, run *progress.Run) ([]verify.Result, error) {
	scanner, ok := sink.(writer.Scanner)
	if !ok {
		return nil, fmt.Errorf("%s cannot be read again", p.hide.redact(o.sink))
	}
	run.Phase("comparing")
	return verify.Run(ctx, src, scanner, tables, verify.Options{
		Parallel: o.parallel, Wait: o.wait, Most: o.most, Memory: int64(o.memory) / 2,
		Reached: p.stores.reached, Same: p.stores.same, Progress: run, Sample: o.share(), Seed: o.seed,
		Deleted: o.choose.softDelete, Ignore: o.choose.meta,
	})
}

// share is the share of the rows that are compared; 0 if that is all of them.
func (o *verifyOptions) share() float64 {
	if o.sample == 1 {
		return 0
	}
	return float64(o.sample)
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
			err = hint.Wrap(err, "--repair, with the --log that the tables are followed by, gives just these rows what the source has; backfill redoes a table")
		}
		return errors.Join(append([]error{err}, failed...)...)
	case len(failed) > 0 && len(failed) < len(results):
		return fmt.Errorf("%w: %w", errNotCompared, errors.Join(failed...))
	}
	return errors.Join(failed...)
}

// errNotCompared is that of some tables nothing is known, and the others are equal.
var errNotCompared = errors.New("some tables could not be compared")
