package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// snapshotOptions are the command line of `tablehaul snapshot`.
type snapshotOptions struct {
	source, sink    string
	tables, exclude []string
	parallel        int
	memory          byteSize
	mode, zeroDate  *oneOf
	codec           *oneOf
	targetFileSize  byteSize
	dryRun          bool
	quiet, json     bool
}

// minMemory is what the program needs for itself and one small table.
const minMemory = 64 << 20

func newSnapshot(run func(context.Context, snapshotOptions) error) *cobra.Command {
	o := snapshotOptions{
		parallel: defaultParallel(), memory: 512 << 20, targetFileSize: 256 << 20,
		mode:     newOneOf(string(writer.Create), string(writer.Append), string(writer.Replace)),
		zeroDate: newOneOf("null", "epoch", "fail"),
		codec:    newOneOf("zstd", "snappy", "none"),
	}
	cmd := &cobra.Command{
		Use:   "snapshot SOURCE SINK",
		Short: "Copy tables, or a whole database, as of one moment",
		Long: `Copy what tables hold now, all of them as of one moment, and while they are
written to. Each table appears at the sink in one commit, once it is whole.

SOURCE  mysql://user@host:3306/database or mariadb://…; without a database, all of them
SINK    iceberg:FOLDER                  a lake in a folder, with its own catalog
        iceberg+rest://host:8181        a REST catalog (iceberg+rests:// with TLS)
        iceberg+sql:FILE?warehouse=…    a catalog in SQLite, files in a folder or on s3://
        iceberg://NAME                  a catalog of your .iceberg-go.yaml

A table lands in a namespace named as its database, unless SINK names one. A run
that was stopped is finished by the same command: whole tables are left alone.

Secrets come from the environment: the password from TABLEHAUL_PASSWORD or
MYSQL_PWD, those of catalogs and stores from ICEBERG_REST_TOKEN,
ICEBERG_REST_CREDENTIAL and AWS_….`,
		Example: `  tablehaul snapshot mysql://app@db:3306/shop iceberg:./lake
  tablehaul snapshot mysql://app@db:3306/shop iceberg:./lake --tables 'orders,user_*'
  tablehaul snapshot mysql://app@db:3306 iceberg+rest://catalog:8181 --exclude 'test.*' --json`,
		Args: wantArgs("SOURCE", "SINK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.source, o.sink = args[0], args[1]
			if err := o.check(cmd.Flags().Changed); err != nil {
				return &usageError{cmd, err}
			}
			err := run(cmd.Context(), o)
			var u *usageError
			if errors.As(err, &u) && u.cmd == nil {
				u.cmd = cmd
			}
			return err
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.tables, "tables", nil, "only these `patterns`: database.table, or table where SOURCE names a\ndatabase; * and ? as in a shell; separated by commas or repeated")
	f.StringSliceVar(&o.exclude, "exclude", nil, "not these `patterns`")
	f.Var(o.mode, "mode", "what to do with tables that are there: create refuses those it did\nnot make, append adds to them, replace exchanges their content")
	f.IntVar(&o.parallel, "parallel", o.parallel, "read `N` parts of tables at once, each on a connection of its own\n(default 4, or twice the CPUs if that is less)")
	f.Lookup("parallel").DefValue = "0" // the machine's: told above
	f.Var(&o.memory, "memory", "memory to use, about")
	f.Var(o.zeroDate, "zero-date", "what becomes of 0000-00-00 and other dates that no calendar\nholds")
	f.Var(o.codec, "codec", "compression of data files")
	f.Var(&o.targetFileSize, "target-file-size", "size of data files")
	f.BoolVar(&o.dryRun, "dry-run", false, "print which tables would be copied, and copy none")
	f.BoolVar(&o.json, "json", false, "print JSON objects, one a line, on standard output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no progress, and no result but that of --json")
	return cmd
}

// check finds what is wrong with the options without asking anybody.
func (o *snapshotOptions) check(given func(flag string) bool) error {
	for _, list := range []struct {
		flag     string
		patterns []string
	}{{"tables", o.tables}, {"exclude", o.exclude}} {
		// An empty variable of a script must not mean "every table".
		if given(list.flag) && len(list.patterns) == 0 {
			return fmt.Errorf("--%s is empty", list.flag)
		}
		for i, p := range list.patterns {
			list.patterns[i] = strings.TrimSpace(p)
			if list.patterns[i] == "" {
				return fmt.Errorf("--%s holds an empty pattern", list.flag)
			}
		}
	}
	switch {
	case o.parallel < 1:
		return errors.New("--parallel must be at least 1")
	case o.memory < minMemory:
		return fmt.Errorf("--memory must be at least %s", byteSize(minMemory))
	case o.targetFileSize < 1<<20:
		return errors.New("--target-file-size must be at least 1MiB")
	}
	return nil
}

// snapshot runs the command.
func (p *program) snapshot(ctx context.Context, o snapshotOptions) error {
	open, err := p.stores.find(o.source, o.sink)
	if err != nil {
		return &usageError{nil, err}
	}
	debug.SetMemoryLimit(int64(o.memory))
	start := progress.Start{
		Version: versionNumber(), Command: "snapshot",
		Source: p.hide.redact(o.source), Sink: p.hide.redact(o.sink),
		Tables: o.tables, Exclude: o.exclude,
		Mode: o.mode.value, Parallel: o.parallel, Memory: int64(o.memory),
	}
	run := progress.NewRun()
	printer := p.printer(o, start)
	p.console.use(printer)
	stop := progress.Watch(run, printer)
	err = p.copyTables(ctx, o, open, run)
	written := stop()
	p.console.use(nil)
	if written == nil && (!o.dryRun || err != nil) {
		written = p.writeResult(ctx, o, start, run, err)
	}
	if written != nil {
		err = errors.Join(err, fmt.Errorf("write to standard output: %w", written))
	}
	return err
}

// copyTables opens both ends and moves.
func (p *program) copyTables(ctx context.Context, o snapshotOptions, open ends, run *progress.Run) (err error) {
	run.Phase("connecting to " + p.hide.redact(o.source))
	src, err := open.source(ctx, o.source, o, p.warn)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()

	run.Phase("listing tables")
	tables, err := src.Tables(ctx, reader.Selection{Include: o.tables, Exclude: o.exclude, DB: src.DB()})
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	if len(tables) == 0 {
		return hint.Wrap(errors.New("no table is selected"),
			"check the database's name, --tables and --exclude, and what the user may see")
	}
	if o.dryRun {
		return writePlan(p.stdout, o.json, tables)
	}

	run.Phase("opening " + p.hide.redact(o.sink))
	sink, err := open.sink(ctx, o.sink, o)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() {
		if e := sink.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", p.hide.redact(o.sink), e)
		}
	}()
	return move.Snapshot(ctx, src, sink, tables, move.SnapshotOptions{
		Mode: writer.Mode(o.mode.value), Parallel: o.parallel, Progress: run,
	})
}

// warn tells the operator of something that need not stop the run.
func (p *program) warn(msg string) { p.console.Note("tablehaul: warning: " + progress.Printable(msg)) }

// writeResult prints how the run ended, on standard output.
func (p *program) writeResult(ctx context.Context, o snapshotOptions, s progress.Start, run *progress.Run, err error) error {
	switch v := run.View(); {
	case o.json:
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
		return progress.WriteSummary(p.stdout, s, v, out)
	case o.quiet:
		return nil
	default:
		return progress.WriteText(p.stdout, v)
	}
}
