package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// moveOptions are what the commands that move rows have in common.
type moveOptions struct {
	source, sink    string   // source is "" if there are several
	sources         []string // as they were given
	part            part
	tables, exclude []string
	parallel        int
	gentle          gentleOptions
	choose          chooseOptions
	route           routeOptions
	memory          byteSize
	zeroDate        *oneOf
	layout          layoutOptions
	keepEvery       time.Duration
	dryRun          bool
	printDDL        bool // and nothing else
	quiet, json     bool
	login           sourceFlags
	watch           watchOptions
}

// minMemory is what the program needs for itself and one small table.
const minMemory = 64 << 20

// programSize is about what the program's own pages take, which the runtime does not count.
const programSize = 48 << 20

// keepWithin has the process keep to that much memory, as far as the runtime can.
func keepWithin(memory byteSize) {
	debug.SetMemoryLimit(int64(max(memory-programSize, memory/2)))
	if os.Getenv("GOGC") == "" {
		// Much less is in use mostly, and short-lived: to collect it with each doubling costs
		// a sixth of what writing to HDFS does.
		debug.SetGCPercent(400)
	}
}

func newMoveOptions() moveOptions {
	return moveOptions{
		parallel: defaultParallel(), gentle: newGentleOptions(), memory: 512 << 20, layout: newLayoutOptions(), keepEvery: 30 * time.Second,
		zeroDate: newOneOf("null", "epoch", "fail"),
		watch:    newWatchOptions(),
	}
}

// endsHelp tells what SOURCE and SINK can be.
const endsHelp = `SOURCE  mysql://user@host:3306/database or mariadb://…; without a database, all of them
        several of them, NAME=URL, or @FILE with one a line (docs/routes.md)
SINK    iceberg:FOLDER                  a lake in a folder, with its own catalog
        iceberg+rest://host:8181        a REST catalog (iceberg+rests:// with TLS)
        iceberg+sql:FILE?warehouse=…    a catalog in SQLite, files in a folder or on s3://
        iceberg://NAME                  a catalog of your .iceberg-go.yaml
        file:FOLDER                     plain files: Parquet, CSV, TSV or JSON lines, in a folder,
        hdfs://host:8020/PATH           on HDFS
        s3://BUCKET/PREFIX              or in an object store (docs/files.md)
        kafka://host:9092/TOPIC         topics; {db} and {table} may stand in TOPIC (docs/topics.md)
        doris://user@fe:8030/DATABASE   Doris, by Stream Load (docs/doris.md)`

// secretsHelp tells where secrets come from.
const secretsHelp = `The source's password comes from TABLEHAUL_PASSWORD, --password-file,
--ask-password, --login-path, --defaults-file, ~/.my.cnf or MYSQL_PWD
(docs/source-mysql.md); secrets of catalogs and stores from ICEBERG_REST_TOKEN,
ICEBERG_REST_CREDENTIAL, AWS_… and TABLEHAUL_DORIS_PASSWORD.`

func (o *moveOptions) selectFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.tables, "tables", nil, "only these `patterns`: database.table, or table where SOURCE names a\ndatabase; * and ? as in a shell; separated by commas or repeated")
	f.StringSliceVar(&o.exclude, "exclude", nil, "not these `patterns`")
	o.choose.columnFlag(f)
}

// storeFlags has the format of files under a name that the command leaves to it.
func (o *moveOptions) storeFlags(f *pflag.FlagSet, format string) {
	f.IntVar(&o.parallel, "parallel", o.parallel, "read `N` parts of tables at once, each on a connection of its own\n(default 4, or twice the CPUs if that is less)")
	f.Lookup("parallel").DefValue = "0" // the machine's: told above
	o.choose.splitFlag(f)
	o.gentle.flags(f)
	f.Var(&o.memory, "memory", "memory to use, about")
	f.Var(o.zeroDate, "zero-date", "what becomes of 0000-00-00 and other dates that no calendar\nholds")
	o.layout.flags(f, format)
	f.DurationVar(&o.keepEvery, "checkpoint-interval", o.keepEvery, "keep what has been read of tables so often, for a run that goes on\nif this one is stopped; short intervals make small files")
}

// outputFlags says of dry runs what would be done: "copied".
func (o *moveOptions) outputFlags(f *pflag.FlagSet, done, none string) {
	f.BoolVar(&o.dryRun, "dry-run", false, "print which tables would be "+done+", and "+none)
	f.BoolVar(&o.printDDL, "print-ddl", false, "print the statements by which Hive declares plain files, or Spark makes\nthe tables of a lake, and "+none)
	f.BoolVar(&o.json, "json", false, "print JSON objects, one a line, on standard output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no progress, and no result but that of --json")
	o.watch.flags(f)
}

// checkPatterns trims the patterns of --tables and --exclude, and refuses those that are empty.
func checkPatterns(tables, exclude []string, given func(flag string) bool) error {
	for _, list := range []struct {
		flag     string
		patterns []string
	}{{"tables", tables}, {"exclude", exclude}} {
		// An empty variable of a script must not mean "every table".
		if given(list.flag) && len(list.patterns) == 0 {
			return fmt.Errorf("--%s is empty", list.flag)
		}
		for i, p := range list.patterns {
			if list.patterns[i] = strings.TrimSpace(p); list.patterns[i] == "" {
				return fmt.Errorf("--%s holds an empty pattern", list.flag)
			}
		}
	}
	return nil
}

// check finds what is wrong with the options without asking anybody.
func (o *moveOptions) check(given func(flag string) bool) error {
	if err := checkPatterns(o.tables, o.exclude, given); err != nil {
		return err
	}
	if err := errors.Join(o.login.check(given, o.source), o.watch.check(given)); err != nil {
		return err
	}
	o.dryRun = o.dryRun || o.printDDL
	switch {
	case o.parallel < 1:
		return errors.New("--parallel must be at least 1")
	case o.memory < minMemory:
		return fmt.Errorf("--memory must be at least %s", byteSize(minMemory))
	case o.keepEvery <= 0:
		return errors.New("--checkpoint-interval must be more than 0")
	}
	if err := errors.Join(o.choose.check(given), o.route.check(given)); err != nil {
		return err
	}
	if err := o.layout.check(given); err != nil {
		return err
	}
	return o.gentle.check(o.parallel, given)
}

// store returns what sources and sinks are to be told.
func (o *moveOptions) store(p *program) storeOptions {
	size := o.layout.targetFileSize
	if !o.layout.sizeGiven {
		size = 0 // the table's own, or that
	}
	return storeOptions{
		zeroDate: o.zeroDate.value, codec: string(o.layout.compression), spillSize: int64(o.layout.spillSize),
		files:  o.layout.asked(),
		memory: int64(o.memory), parallel: o.gentle.maxParallel, targetFileSize: int64(size), keepEvery: o.keepEvery,
		splitRows: o.choose.splitRows, replicas: o.gentle.replicas, lockWait: o.gentle.lockWait,
		warn: o.warn(p), step: p.step, login: o.login.found,
	}
}

// warn is how the operator is told of something: with the source, if there are several.
func (o *moveOptions) warn(p *program) func(string) {
	label := o.part.label
	if label == "" {
		return p.console.warn
	}
	return func(msg string) { p.console.warn(label + ": " + msg) }
}

// terms are what rows of the same tables differ by, for move.SnapshotOptions.
func (o *moveOptions) terms() string {
	terms := "zero-date=" + o.zeroDate.value
	if columns := o.choose.columns.String(); columns != "" {
		terms += " columns=" + columns
	}
	terms += o.choose.shapeOptions.terms()
	return terms
}

// selection is by which tables are selected.
func (o *moveOptions) selection(db string) reader.Selection {
	return reader.Selection{Include: o.tables, Exclude: o.exclude, DB: db, Missed: o.part.missing()}
}

// list asks the source for the tables that are selected.
func (o *moveOptions) list(ctx context.Context, src source) ([]*schema.Table, error) {
	tables, err := src.Tables(ctx, o.selection(src.DB()))
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	if len(tables) == 0 {
		return nil, hint.Wrap(errors.New("no table is selected"),
			"check the database's name, --tables and --exclude, and that the user may SELECT from the tables")
	}
	if err := o.choose.apply(ctx, src, tables); err != nil {
		return nil, err
	}
	return tables, nil
}

// checked returns a command's RunE: what check complains of is wrong usage of
// this command, as is a usageError of run that names none.
func checked(check func(cmd *cobra.Command, args []string) error, run func(context.Context) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{cmd, err}
		}
		err := run(cmd.Context())
		var u *usageError
		if errors.As(err, &u) && u.cmd == nil {
			u.cmd = cmd
		}
		return err
	}
}
