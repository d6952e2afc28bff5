package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// tailOptions are the command line of `tablehaul tail`.
type tailOptions struct {
	moveOptions
	start, until   string
	idleExit       time.Duration
	commitInterval time.Duration
	commitSize     byteSize
	serverID       uint32
	heartbeat      time.Duration
	keyless        *oneOf
	changelog      bool
	refuseKeyless  bool // whatever becomes of the others' changes
	latest         bool
	onPurged       *oneOf
	schemaChange   *oneOf
	onDrop         *oneOf
	retryTime      time.Duration
	compactEvery   time.Duration
}

func newTailOptions() tailOptions {
	return tailOptions{
		moveOptions: newMoveOptions(), start: move.StartSnapshot,
		commitInterval: 10 * time.Second, commitSize: 256 << 20, retryTime: 10 * time.Minute, heartbeat: 2 * time.Second,
		keyless: newOneOf("refuse", "append"), onPurged: newOneOf("fail", "snapshot"), schemaChange: newOneOf("evolve", "additive", "ignore", "fail"), onDrop: newOneOf("keep", "drop"),
	}
}

func newTail(run func(context.Context, tailOptions) error) *cobra.Command {
	o := newTailOptions()
	cmd := &cobra.Command{
		Use:   "tail SOURCE... SINK",
		Short: "Follow what changes, and keep the sink's tables equal to the source's",
		Long: `Copy what tables hold now, then follow the source's log and apply every change:
the sink's tables are kept equal to the source's, whole transactions at a time,
nothing lost and nothing twice. The position is committed with the data: a run
that was stopped, in whatever way, goes on with the same command. Tables that
'tablehaul snapshot' has copied go on from where that was.

` + endsHelp + `

Without --until and --idle-exit it runs until it is stopped by SIGINT, SIGTERM or SIGHUP,
which is then its normal end. What may pass by itself, such as a connection that
was cut, is tried again.

` + secretsHelp,
		Example: `  tablehaul tail mysql://app@db:3306/shop iceberg:./lake
  tablehaul tail mysql://app@db:3306/shop iceberg:./lake --until now
  tablehaul tail mysql://app@db:3306 iceberg+rest://catalog:8181 --exclude 'test.*' --metrics :9100 --json`,
		Args: wantSources,
		Annotations: map[string]string{exitCodes: `  0 done, or stopped by a signal without --until and --idle-exit, 1 failed,
  2 wrong usage, 3 incomplete: some tables were left behind, 130 interrupted
  before --until or --idle-exit was reached`},
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
	f.StringVar(&o.start, "start", o.start, "`place` where tables start that hold no position yet: snapshot (the\ndefault) copies them first; now, earliest, gtid:SET, file:NAME:POS\nand time:RFC3339 are places in the log: older rows are left out")
	f.Lookup("start").DefValue = ""
	f.StringVar(&o.until, "until", "", "end once all before this `place` is committed: now, gtid:SET,\nfile:NAME:POS or time:RFC3339")
	f.DurationVar(&o.idleExit, "idle-exit", 0, "end once no table has changed for this `time`")
	f.DurationVar(&o.commitInterval, "commit-interval", o.commitInterval, "`time` that a change waits at most for its commit")
	f.Var(&o.commitSize, "commit-size", "commit earlier once so much is staged")
	f.Var(o.keyless, "keyless", "tables without a primary key: append writes each of their changes\nas a row of its own with _op, _ts, _gtid and _pos, as is done in plain\nfiles without --latest unless refuse is given")
	f.BoolVar(&o.changelog, "changelog", false, "write each change of every table as a row of its own")
	f.BoolVar(&o.latest, "latest", false, "write to plain files the rows that changes leave, the newest of each key,\nby writing files anew; without it each change is a row of its own there")
	f.Var(o.schemaChange, "schema-change", "tables that are altered, made or swapped: evolve follows them, and copies those\nanew that the log cannot bring to what they are now; additive takes columns that come\nand types that grow, and copies none anew; ignore keeps the sink's columns as\nthey are; fail leaves such tables behind")
	f.Var(o.onDrop, "on-drop", "tables that are dropped at the source: keep leaves their copies as they\nare then, drop removes them, or their rows from a merged table")
	f.Var(o.onPurged, "on-purged", "when the log no longer holds what follows a table's position:\nsnapshot copies the table anew")
	f.DurationVar(&o.retryTime, "retry-time", o.retryTime, "`time` for which errors that may pass are met by trying again;\n0 ends the run at the first one")
	f.Lookup("retry-time").DefValue = "10m"
	compactEveryFlag(f, &o.compactEvery)
	f.Uint32Var(&o.serverID, "server-id", 0, "`number` to be known by as a replica of the source, which nobody else\nmay have (default one that is free)")
	f.DurationVar(&o.heartbeat, "heartbeat", o.heartbeat, "`time` after which a source without news is to give a sign of life;\nits connection is lost if three are missing")
	o.storeFlags(f, formatFlag)
	o.outputFlags(f, "followed", "follow none")
	return cmd
}

// check finds what is wrong with the options without asking anybody.
func (o *tailOptions) check(given func(flag string) bool) error {
	if err := o.moveOptions.check(given); err != nil {
		return err
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"idle-exit", o.idleExit, time.Millisecond},
		{"commit-interval", o.commitInterval, time.Millisecond},
		{"retry-time", o.retryTime, 0},
		{"heartbeat", o.heartbeat, time.Millisecond},
		{"compact-every", o.compactEvery, time.Second},
	} {
		if given(d.flag) && d.value < d.least {
			return fmt.Errorf("--%s must be at least %s", d.flag, d.least)
		}
	}
	switch {
	case o.commitSize < 1<<20:
		return errors.New("--commit-size must be at least 1MiB")
	case given("server-id") && o.serverID == 0:
		return errors.New("--server-id must be at least 1")
	case given("until") && o.until == "":
		return errors.New("--until is empty")
	}
	if o.start != move.StartSnapshot {
		if err := checkPlace("start", o.start, move.StartSnapshot, "now", "earliest"); err != nil {
			return err
		}
		if t, err := time.Parse(time.RFC3339, strings.TrimPrefix(o.start, "time:")); err == nil && time.Until(t) > time.Minute {
			return hint.Wrap(fmt.Errorf("--start %s lies in the future", o.start), "every change until then would be left out: --until is where to end")
		}
	}
	if o.until != "" {
		if err := checkPlace("until", o.until, "now"); err != nil {
			return err
		}
	}
	return nil
}

// checkPlace looks at a place in a log as far as it can be judged here.
func checkPlace(flag, place string, words ...string) error {
	for _, w := range words {
		if place == w {
			return nil
		}
	}
	kind, rest, ok := strings.Cut(place, ":")
	switch {
	case ok && rest == "":
	case kind == "gtid" && ok:
		return nil
	case kind == "file" && ok:
		name, pos, found := strings.Cut(rest, ":")
		if _, err := strconv.ParseUint(pos, 10, 64); err != nil || !found || name == "" {
			return hint.Wrap(fmt.Errorf("--%s %s names no place", flag, place), "want file:NAME:POS, such as file:binlog.000007:4")
		}
		return nil
	case kind == "time" && ok:
		if _, err := time.Parse(time.RFC3339, rest); err != nil {
			return hint.Wrap(fmt.Errorf("--%s %s names no time", flag, place), "want time: and a time such as 2026-07-01T12:00:00Z")
		}
		return nil
	}
	err := fmt.Errorf("--%s: unknown place %q", flag, place)
	if s := hint.Nearest(place, words); s != "" {
		return didYouMean(err, s)
	}
	return hint.Wrap(err, "want %s", orList(append(words, "gtid:SET", "file:NAME:POS", "time:RFC3339")))
}

func checkAddress(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return hint.Wrap(fmt.Errorf("--metrics: %q is no address", addr), "want :PORT for all of the machine's addresses, or HOST:PORT; ports go up to 65535")
	}
	return nil
}

// bounded reports whether the run has an end of its own.
func (o *tailOptions) bounded() bool { return o.until != "" || o.idleExit > 0 }

// tail runs the command.
func (p *program) tail(ctx context.Context, o tailOptions) (err error) {
	sources, err := p.checkEnds(&o.moveOptions)
	if err == nil {
		err = p.stores.checkCompactEvery(o.sink, o.compactEvery)
	}
	if err == nil && len(sources) > 0 {
		err = o.checkSeveral()
	}
	if err == nil {
		err = p.stores.checkLatest(o.sink, o.latest, o.changelog, o.layout.asked())
	}
	if err == nil && o.drops() && p.stores.isTopic(o.sink) {
		err = p.stores.unfit("on-drop", o.sink, func(k sinkKind) bool { return k.takes != changesAlone })
	}
	if err != nil {
		return &usageError{nil, err}
	}
	o.choose.lenient = !o.dryRun
	keepWithin(o.memory)
	stream := progress.NewStream()
	start := progress.StreamStart{
		Version: versionNumber(), Command: "tail",
		Source: p.sourceText(o.moveOptions, sources), Sink: p.hide.redact(o.sink),
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
	if err := p.logInAll(ctx, &o.moveOptions, sources); err != nil {
		return w.fail(ctx, err)
	}
	streams, runs := []*progress.Stream{stream}, []*progress.Run{stream.Stock()}
	g := gather(sources, p.labels(sources))
	g.endless = !o.bounded()
	for i, pt := range g.parts {
		streams = append(streams[:i], stream.Part(pt.label, pt.prefix()))
		runs = append(runs[:i], streams[i].Stock())
	}
	throttles, end, err := p.throttle(o.moveOptions, runs)
	if err != nil {
		return w.fail(ctx, err)
	}
	defer end()
	return p.show(ctx, shown{o.moveOptions, w, start, stream, status, o.bounded()}, func() error {
		if len(sources) == 0 {
			return p.follow(ctx, o, stream, throttles[0])
		}
		return p.each(ctx, g, func(ctx context.Context, pt part) error {
			return p.follow(ctx, o.of(pt), streams[pt.index], throttles[pt.index])
		})
	})
}

// of returns the options for one of several sources.
func (o tailOptions) of(pt part) tailOptions {
	o.moveOptions = o.moveOptions.of(pt)
	if o.serverID != 0 {
		o.serverID += uint32(pt.index) // two sources may be one server
	}
	return o
}

// checkSeveral refuses places that are of one source's log alone.
func (o *tailOptions) checkSeveral() error {
	for _, f := range [][2]string{{"start", o.start}, {"until", o.until}} {
		if kind, _, _ := strings.Cut(f[1], ":"); kind == "gtid" || kind == "file" {
			return hint.Wrap(fmt.Errorf("--%s %s is a place in the log of one source, and there are several", f[0], f[1]), "time:RFC3339 is one in those of all")
		}
	}
	return nil
}

// follow opens both ends and follows the log.
func (p *program) follow(ctx context.Context, o tailOptions, stream *progress.Stream, throttle *move.Throttle) (err error) {
	open, err := p.opens(&o.moveOptions)
	if err != nil {
		return err
	}
	store := o.store(p)
	store.serverID, store.heartbeat, store.evolve = o.serverID, o.heartbeat, o.evolves(p)
	store.drops = o.drops()
	store.extent, store.narrow = o.extent(), p.stores.sinks[scheme(o.sink)].narrow
	stream.Phase("connecting to " + p.hide.redact(o.source))
	src, err := open.source(ctx, o.source, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()
	o.changelog = o.changelog || p.stores.takesChanges(o.sink, o.latest)
	o.choose.follows, o.choose.changes = true, o.changelog
	if src, err = o.choose.wrap(src); err != nil {
		return err
	}
	log, ok := src.(logSource)
	if !ok {
		return fmt.Errorf("%s has no log that could be followed", p.hide.redact(o.source))
	}
	stream.Phase("listing tables")
	o.refuseKeyless = p.stores.refusesKeyless(o.sink, o.keyless)
	purpose := finding.Purpose{Tail: true, Snapshot: o.start == move.StartSnapshot, Before: true, Parallel: o.parallel}
	tables, err := p.toFollow(ctx, o, src, purpose)
	if err != nil {
		return err
	}
	if store.layout, err = o.route.layout(&o.layout, src.DB(), tables); err != nil {
		return err
	}
	// What cannot be followed is told before anything is made.
	if _, err := log.Locate(ctx, "now"); err != nil {
		return fmt.Errorf("look at the log of %s: %w", p.hide.redact(o.source), err)
	}
	store.look = o.dryRun
	stream.Phase("opening " + p.hide.redact(o.sink))
	sink, err := open.sink(ctx, o.sink, store)
	if o.dryRun {
		if err := o.part.turn(ctx); err != nil {
			if sink != nil {
				err = errors.Join(err, sink.Close())
			}
			return err
		}
		return p.tailPlan(ctx, o, src, sink, err, tables)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() {
		if e := sink.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", p.hide.redact(o.sink), e)
		}
	}()
	mode := writer.Follow
	if store.evolve {
		mode = writer.Extend
	}
	if err := p.checkSinkBefore(ctx, o.sink, sink, tables, mode, purpose); err != nil {
		return err
	}
	sel := o.selection(src.DB())
	tended := sel
	if o.part.among != nil {
		tended.DB = "" // the other ones' as well
	}
	defer p.tending(ctx, o.compactEvery, o.part.tends, o.sink, open.sink, store, besideOptions(tended))()
	retryTime := o.retryTime
	if retryTime == 0 {
		retryTime = -1 // not at all
	}
	return move.Tail(ctx, log, sink, tables, move.TailOptions{
		Start: o.start, Until: o.until, IdleExit: o.idleExit,
		CommitInterval: o.commitInterval, CommitSize: int64(o.commitSize),
		Evolve: store.evolve, Extent: store.extent, Drops: store.drops, Selection: sel, Mine: o.part.mine(&o.route), Form: o.former(src), Beside: p.beside(o, open, store), Resnapshot: o.onPurged.value == "snapshot", RetryTime: retryTime,
		Parallel: o.gentle.maxParallel, Memory: int64(o.memory) / queueShare,
		Progress: stream, Throttle: throttle, Warn: o.warn(p), Terms: o.terms(),
	})
}

// toFollow returns the tables that are to be followed, in the form that they are to have at the sink,
// once all sources are found well.
func (p *program) toFollow(ctx context.Context, o tailOptions, src source, purpose finding.Purpose) ([]*schema.Table, error) {
	tables, err := o.list(ctx, src)
	if err != nil {
		return nil, err
	}
	tables = p.withoutGhosts(o, tables)
	shaped, refused, err := o.shape(tables)
	if err == nil {
		err = p.report(p.hide.redact(o.source), refused)
	}
	if err != nil {
		return nil, err
	}
	if !o.dryRun { // whose plan has it all
		if err := p.checkBefore(ctx, o.source, src, tables, purpose); err != nil {
			return nil, err
		}
	}
	return shaped, o.part.meet(ctx, shaped, &o.route)
}

// evolves reports whether tables are followed through statements that alter them.
func (o *tailOptions) evolves(p *program) bool {
	return o.schemaChange.value != "fail" && !p.stores.isTopic(o.sink)
}

// drops reports whether the copies of tables go that are dropped.
func (o *tailOptions) drops() bool { return o.onDrop.value == "drop" }

// extent is how far.
func (o *tailOptions) extent() schema.Extent {
	return map[string]schema.Extent{"additive": schema.Additions, "ignore": schema.Nothing}[o.schemaChange.value]
}

// A logSource is a source that can be followed.
type logSource interface {
	source
	reader.Log
}

// shape gives tables the form that they are to have at the sink, and tells which
// cannot be followed.
func (o *tailOptions) shape(tables []*schema.Table) ([]*schema.Table, []finding.Finding, error) {
	var keyless []string
	var errs []error
	shaped := slices.Clone(tables)
	for i, t := range tables {
		appended := o.changelog
		if len(t.Key) == 0 && (!appended || o.refuseKeyless) {
			keyless = append(keyless, t.String())
			appended = appended || o.keyless.value == "append"
		}
		if appended {
			c, err := schema.Changelog(t)
			if err != nil {
				errs = append(errs, err)
			}
			shaped[i] = c
		}
	}
	if len(keyless) == 0 || o.keyless.value != "refuse" {
		return shaped, nil, errors.Join(errs...)
	}
	remedy := "--keyless append writes their changes as rows of a log; " + leavesOut(keyless)
	if o.latest {
		remedy = leavesOut(keyless) + "; --keyless append writes their changes as rows of a log, unless a snapshot has copied them there"
	}
	return shaped, []finding.Finding{{
		Level: finding.Error, Check: "keyless", Thing: count(len(keyless), "table has", "tables have") + " no primary key",
		Why:    "changes cannot be matched with rows",
		Remedy: remedy, Tables: keyless,
	}}, errors.Join(errs...)
}

// leavesOut is the flag that leaves tables out, to be pasted, or where to find their names.
func leavesOut(tables []string) string {
	const most = 20
	if len(tables) > most {
		return "--exclude leaves them out, which 'tablehaul check --for tail --json' lists; in the file of a job, keyless and exclude"
	}
	return "--exclude '" + strings.Join(tables, ",") + "' leaves them out"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return progress.Count(int64(n)) + " " + many
}
