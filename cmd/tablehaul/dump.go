package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/shape"
)

// dumpOptions are the command line of `tablehaul dump`.
type dumpOptions struct {
	moveOptions
	format         *oneOf
	log            logOptions
	start, until   string
	group          string
	badMessage     string
	idleExit       time.Duration
	commitInterval time.Duration
	commitSize     byteSize
	keyless        *oneOf
	changelog      bool
	latest         bool
	changes        bool // each change becomes a row of its own, as the sink has it
	refuseKeyless  bool // even so
	onPurged       *oneOf
	retryTime      time.Duration
	compactEvery   time.Duration
}

func newDumpOptions() dumpOptions {
	return dumpOptions{
		moveOptions: newMoveOptions(), start: "earliest", badMessage: "fail",
		format:         newOneOf("auto", "canal-json", "debezium-json", "maxwell-json", "arrow", "json", "csv"),
		commitInterval: 10 * time.Second, commitSize: 256 << 20, retryTime: 10 * time.Minute,
		keyless: newOneOf("refuse", "append"), onPurged: newOneOf("fail", "earliest"),
	}
}

func newDump(run func(context.Context, dumpOptions) error) *cobra.Command {
	o := newDumpOptions()
	cmd := &cobra.Command{
		Use:   "dump SOURCE SINK",
		Short: "Bring the changes that topics hold to the sink's tables",
		Long: `Read topics that hold changes of tables, from 'tablehaul tail', Canal, TiCDC,
Debezium or Maxwell, and apply them: the sink's tables are made of what the messages
say, take new columns on as these turn up, and hold each change once. How far the
partitions are through is committed with the data: a run that was stopped, in
whatever way, goes on with the same command, whatever a consumer group remembers.

SOURCE  kafka://host:9092,host:9092/TOPIC,TOPIC   * and ? may stand in TOPIC
SINK    iceberg:FOLDER                  a lake in a folder, with its own catalog
        iceberg+rest://host:8181        a REST catalog (iceberg+rests:// with TLS)
        iceberg+sql:FILE?warehouse=…    a catalog in SQLite, files in a folder or on s3://
        iceberg://NAME                  a catalog of your .iceberg-go.yaml
        file:FOLDER                     plain files: Parquet, CSV, TSV or JSON lines (--file-format), in a
        hdfs://host:8020/PATH           folder, on HDFS
        s3://BUCKET/PREFIX              or in an object store (docs/files.md)
        doris://user@fe:8030/DATABASE   Doris, by Stream Load (docs/doris.md)

Without --until and --idle-exit it runs until it is stopped by SIGINT, SIGTERM or SIGHUP,
which is then its normal end. What may pass by itself, such as a connection that
was cut, is tried again.

Passwords of brokers come from TABLEHAUL_KAFKA_PASSWORD and TABLEHAUL_KAFKA_TOKEN, or
files that the URL names (docs/topics.md); secrets of catalogs and stores from
ICEBERG_REST_TOKEN, ICEBERG_REST_CREDENTIAL, AWS_… and TABLEHAUL_DORIS_PASSWORD.`,
		Example: `  tablehaul dump kafka://mq:9092/shop iceberg:./lake
  tablehaul dump kafka://mq:9092/shop iceberg:./lake --until end
  tablehaul dump 'kafka://mq:9092/shop.*' iceberg+rest://catalog:8181 --group lake --metrics :9100`,
		Args: wantArgs("SOURCE", "SINK"),
		Annotations: map[string]string{exitCodes: `  0 done, or stopped by a signal without --until and --idle-exit, 1 failed,
  2 wrong usage, 3 incomplete: some tables were left behind, 130 interrupted
  before --until or --idle-exit was reached`},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.source, o.sink = args[0], args[1]
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.tables, "tables", nil, "only these `patterns`: database.table or table; * and ? as in a\nshell; separated by commas or repeated")
	f.StringSliceVar(&o.exclude, "exclude", nil, "not these `patterns`")
	o.route.flags(f)
	o.choose.columnFlag(f)
	o.choose.whereFlag(f)
	o.choose.shapeFlags(f)
	f.Var(messageFormat{o.format}, "format", "how messages are written; auto has each topic's messages tell; json\nand csv are lines that are no changes of tables (docs/topics.md)")
	o.log.register(f)
	f.StringVar(&o.start, "start", o.start, "`place` where partitions start that no table has a position in:\nearliest, latest, time:RFC3339 or\noffsets:TOPIC/PARTITION=OFFSET,…")
	f.StringVar(&o.until, "until", "", "end: `where` the partitions end when the run begins")
	f.DurationVar(&o.idleExit, "idle-exit", 0, "end once no table has changed for this `time`")
	f.StringVar(&o.group, "group", "", "consumer group whose members share the partitions: several dumps\nof one `name` are one job")
	f.StringVar(&o.badMessage, "bad-message", o.badMessage, "what becomes of messages that cannot be read: fail, skip, or\ntopic:NAME for a copy of them")
	f.DurationVar(&o.commitInterval, "commit-interval", o.commitInterval, "`time` that a change waits at most for its commit")
	f.Var(&o.commitSize, "commit-size", "commit earlier once so much is staged")
	f.Var(o.keyless, "keyless", "tables without a primary key: append writes each of their changes\nas a row of its own with _op, _ts, _gtid and _pos, as is done in plain\nfiles without --latest unless refuse is given")
	f.BoolVar(&o.changelog, "changelog", false, "write each change of every table as a row of its own")
	f.BoolVar(&o.latest, "latest", false, "write to plain files the rows that changes leave, the newest of each key,\nby writing files anew; without it each change is a row of its own there")
	f.Var(o.onPurged, "on-purged", "when a topic no longer holds what follows a table's position:\nearliest goes on with what it holds")
	f.DurationVar(&o.retryTime, "retry-time", o.retryTime, "`time` for which errors that may pass are met by trying again;\n0 ends the run at the first one")
	f.Lookup("retry-time").DefValue = "10m"
	f.IntVar(&o.parallel, "parallel", o.parallel, "write `N` files at once (default 4, or twice the CPUs if that is less)")
	f.Lookup("parallel").DefValue = "0" // the machine's: told above
	compactEveryFlag(f, &o.compactEvery)
	f.Var(&o.memory, "memory", "memory to use, about")
	o.layout.flags(f, fileFormatFlag)
	f.BoolVar(&o.json, "json", false, "print JSON objects, one a line, on standard output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no progress, and no result but that of --json")
	o.watch.flags(f)
	return cmd
}

// check finds what is wrong with the options without asking anybody.
func (o *dumpOptions) check(given func(flag string) bool) error {
	if err := o.moveOptions.check(given); err != nil {
		return err
	}
	for _, d := range []struct {
		flag         string
		value, least time.Duration
	}{{"idle-exit", o.idleExit, time.Millisecond}, {"commit-interval", o.commitInterval, time.Millisecond}, {"retry-time", o.retryTime, 0}, {"compact-every", o.compactEvery, time.Second}} {
		if given(d.flag) && d.value < d.least {
			return fmt.Errorf("--%s must be at least %s", d.flag, d.least)
		}
	}
	switch {
	case o.commitSize < 1<<20:
		return errors.New("--commit-size must be at least 1MiB")
	case given("until") && o.until != "end":
		return hint.Wrap(fmt.Errorf("--until %s is not known", o.until), "want end")
	case given("group") && o.group == "":
		return errors.New("--group is empty")
	}
	return o.log.check(given, o.format.value)
}

// decoder returns what reads a topic's messages.
func (o *dumpOptions) decoder(topic string, to message.Target) (message.Decoder, error) {
	if isLog(o.format.value) {
		return o.log.decoder(o.format.value, topic, to)
	}
	return message.NewDecoder(o.format.value, to)
}

// named is the format that messages of changes were said to have, if any.
func (o *dumpOptions) named() string {
	if f := o.format.value; f != message.Auto && !isLog(f) {
		return f
	}
	return ""
}

// bounded reports whether the run has an end of its own.
func (o *dumpOptions) bounded() bool { return o.until != "" || o.idleExit > 0 }

// dump runs the command.
func (p *program) dump(ctx context.Context, o dumpOptions) error {
	open, err := p.stores.findFeed(o)
	if err == nil {
		err = p.stores.checkCompactEvery(o.sink, o.compactEvery)
	}
	if err == nil {
		err = p.stores.checkLatest(o.sink, o.latest, o.changelog, o.layout.asked())
	}
	if err != nil {
		return &usageError{nil, err}
	}
	open.sink = o.route.open(open.sink)
	o.changes, o.refuseKeyless = p.stores.takesChanges(o.sink, o.latest), p.stores.refusesKeyless(o.sink, o.keyless)
	keepWithin(o.memory)
	stream := progress.NewStream()
	start := progress.StreamStart{
		Version: versionNumber(), Command: "dump",
		Source: p.hide.redact(o.source), Sink: p.hide.redact(o.sink),
		Tables: o.tables, Exclude: o.exclude,
		Start: o.start, Until: o.until, IdleExit: o.idleExit.Seconds(),
		CommitInterval: o.commitInterval.Seconds(), CommitSize: int64(o.commitSize),
		Keyless: o.keyless.value, Changelog: o.changelog, OnPurged: o.onPurged.value,
		Parallel: o.parallel, Memory: int64(o.memory),
	}
	status := progress.NewStreamStatus(start, stream)
	w, err := p.watch(ctx, o.moveOptions, runStart{start.Command, start.Source, start.Sink}, tailPages(stream, status, o.commitInterval))
	if err != nil {
		return err
	}
	return p.show(ctx, shown{o.moveOptions, w, start, stream, status, o.bounded()}, func() error { return p.drain(ctx, o, open, stream) })
}

// drain opens both ends and brings what the topics hold to the sink.
func (p *program) drain(ctx context.Context, o dumpOptions, open feedEnds, stream *progress.Stream) (err error) {
	store := o.store(p)
	store.layout = o.layout.each("")
	refused := &refusals{warn: p.console.warn, policy: o.badMessage, stream: stream}
	defer refused.total()
	stream.Phase("connecting to " + p.hide.redact(o.source))
	feed, err := open.feed(ctx, o.source, store, feedOptions{
		decoder: o.decoder, format: o.named(), start: o.start, untilEnd: o.until == "end", group: o.group,
		purged: o.onPurged.value == "earliest", badMessage: o.badMessage, refused: refused.add,
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer feed.Close()
	if feed, err = o.choose.wrapFeed(feed); err != nil {
		return err
	}
	stream.Phase("opening " + p.hide.redact(o.sink))
	sink, err := open.sink(ctx, o.sink, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() {
		if e := sink.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", p.hide.redact(o.sink), e)
		}
	}()
	retryTime := o.retryTime
	if retryTime == 0 {
		retryTime = -1 // not at all
	}
	tables, err := newTopicTables(reader.Selection{Include: o.tables, Exclude: o.exclude})
	if err != nil {
		return err
	}
	defer p.tending(ctx, o.compactEvery, part{}.tends, o.sink, open.sink, store, besideOptions(reader.Selection{Include: o.tables, Exclude: o.exclude}))()
	merged, err := p.newMergedGuard(ctx, sink)
	if err != nil {
		return err
	}
	err = move.Dump(ctx, feed, sink, move.DumpOptions{
		Match: tables.match, Shape: func(t *schema.Table) (*schema.Table, error) { return o.shape(feed, t, merged) }, Shared: o.group != "",
		IdleExit: o.idleExit, CommitInterval: o.commitInterval, CommitSize: int64(o.commitSize),
		RetryTime: retryTime, Memory: int64(o.memory) / queueShare,
		Progress: stream, Warn: p.console.warn,
	})
	if text := tables.unused(); text != "" && (err == nil || isCancelled(err)) {
		p.console.warn(text)
	}
	if err == nil && stream.View().Last.Seq == 0 && (o.start == "latest" || strings.HasPrefix(o.start, "time:")) {
		p.console.warn("nothing has come, and no table holds a position: --start " + o.start + " counts anew in the next run")
	}
	return err
}

// shape gives a table that has turned up the form that it is to have at the sink.
func (o *dumpOptions) shape(feed reader.Feed, t *schema.Table, merged *mergedGuard) (*schema.Table, error) {
	if err := errors.Join(o.layout.clash("", t), merged.check(t)); err != nil {
		return nil, err
	}
	if f, ok := feed.(*shape.Feed); ok {
		var err error
		if t, err = o.made(f, t); err != nil {
			return nil, err
		}
	}
	keyless, log := len(t.Key) == 0, isLog(o.format.value)
	refused := keyless && !log && o.refuseKeyless
	switch {
	case !refused && (o.changelog || o.changes && !log || keyless && o.keyless.value == "append"):
		return schema.Changelog(t)
	case log:
	case keyless:
		err := errors.New("it has no primary key: changes cannot be matched with rows")
		return nil, &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "--keyless append writes its changes as rows of a log; --exclude leaves it out")}
	}
	return t, nil
}

// refusals tell of messages that could not be read: of the first ones each, and how many
// there were.
type refusals struct {
	warn   func(string)
	policy string
	stream *progress.Stream // which counts them
}

// toldRefusals is how many of them are told one by one.
const toldRefusals = 5

func (r *refusals) add(_ string, why error) {
	switch n := r.stream.Refused(); {
	case n <= toldRefusals:
		r.warn("a message is left out (--bad-message " + r.policy + "): " + progress.Printable(why.Error()))
	case n == toldRefusals+1:
		r.warn("more messages are left out: how many is told at the end")
	}
}

func (r *refusals) total() {
	if n := r.stream.View().Refused; n > 0 {
		r.warn(count(int(n), "message was left out, as it", "messages were left out, as they") + " could not be read (--bad-message " + r.policy + ")")
	}
}
