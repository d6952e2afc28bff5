package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A plannedTable is one table of --dry-run --json. docs/json.md is its contract.
type plannedTable struct {
	Table    string       `json:"table"`
	Columns  int          `json:"columns"`
	Key      []string     `json:"key"`
	Rows     int64        `json:"rows_estimated"`
	Bytes    int64        `json:"bytes_estimated"`
	Splits   int          `json:"splits,omitempty"`
	OneSplit string       `json:"one_split_because,omitempty"`
	Sink     *plannedSink `json:"sink,omitempty"`
}

// A plannedSink is what would become of the table there.
type plannedSink struct {
	Name   string `json:"name"`
	Fate   string `json:"fate"`
	DDL    string `json:"ddl,omitempty"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// A runPlan is what a dry run tells of all tables.
type runPlan struct {
	Seconds  *float64      `json:"seconds_estimated,omitempty"`
	Basis    string        `json:"seconds_basis,omitempty"`
	Kept     *float64      `json:"log_kept_seconds_estimated,omitempty"` // of a backfill
	Burden   *plannedLoad  `json:"source_load,omitempty"`
	Findings []foundReport `json:"findings,omitempty"`
}

// A plannedLoad is what the copy puts on the source.
type plannedLoad struct {
	Connections int    `json:"connections"`
	Lock        string `json:"lock,omitempty"`
	LockTime    string `json:"lock_time,omitempty"`
	Statements  int    `json:"statements_estimated"`
	Bytes       int64  `json:"bytes_estimated"`
}

func planned(t *schema.Table) plannedTable {
	p := plannedTable{Table: t.String(), Columns: len(t.Columns), Key: []string{}, Rows: t.Rows, Bytes: t.Bytes}
	for _, k := range t.SourceKey() {
		p.Key = append(p.Key, t.AtSource().Columns[k].Name)
	}
	return p
}

// snapshotPlan prints what a run would do. Nothing is written anywhere.
func (p *program) snapshotPlan(ctx context.Context, o snapshotOptions, store storeOptions, src source, open openSink, tables []*schema.Table) error {
	store.look = true
	sink, err := open(ctx, o.sink, store)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	if err == nil {
		defer sink.Close()
	}
	if o.printDDL {
		return p.writeDDL(ctx, sink, tables, writer.Mode(o.mode.value))
	}
	plan := make([]plannedTable, len(tables))
	for i, t := range tables {
		plan[i] = planned(t)
	}
	all, err := p.planAll(ctx, o.moveOptions, src, sink, tables, plan, writer.Mode(o.mode.value), finding.Purpose{Snapshot: true, Parallel: o.parallel, AsIs: p.stores.sinks[scheme(o.sink)].asIs})
	if err != nil {
		return err
	}
	if o.redo != nil {
		o.redo.plan(plan, &all)
	}
	for i := range plan {
		plan[i].Table = o.part.prefix() + plan[i].Table
	}
	if err := writePlan(p.stdout, o.json, plan, all); err != nil {
		return err
	}
	return refused(plan)
}

// planAll adds to the plan of each table what source and sink tell of it, as far as
// they do, and returns what is to be said of all. sink may be nil: there is none yet.
func (p *program) planAll(ctx context.Context, o moveOptions, src source, sink writer.Sink, tables []*schema.Table, plan []plannedTable, mode writer.Mode, purpose finding.Purpose) (all runPlan, err error) {
	if d, ok := sink.(writer.Describer); ok {
		if err := describeAll(ctx, d, tables, plan, mode); err != nil {
			return all, err
		}
	}
	found, err := checkSource(ctx, src, tables, purpose)
	if err != nil {
		return all, err
	}
	if sink != nil {
		quiet := purpose
		quiet.Before = true // nothing is tried there
		more, err := p.checkSink(ctx, o.sink, sink, tables, mode, quiet)
		if err != nil {
			return all, err
		}
		refuseMerged(more, plan)
		found = append(found, more...)
	}
	finding.Sort(found)
	all.Findings = foundReports(found)
	pl, ok := src.(reader.Planner)
	if !ok || !purpose.Snapshot {
		return all, nil
	}
	return all, planCopy(ctx, pl, tables, plan, o.parallel, &all)
}

// writeDDL prints the statements by which readers get at the tables.
func (p *program) writeDDL(ctx context.Context, sink writer.Sink, tables []*schema.Table, mode writer.Mode) error {
	d, ok := sink.(writer.Describer)
	if !ok {
		return errors.New("--print-ddl: the sink has no tables that are declared")
	}
	for _, t := range tables {
		what, err := d.Describe(ctx, t, mode)
		if err != nil {
			return fmt.Errorf("look at %s at the sink: %w", t, err)
		}
		text := what.DDL
		switch {
		case what.Fate == writer.Refused:
			return &schema.TableError{Table: t.String(), Err: hint.Wrap(errors.New(what.Detail), "%s", what.Remedy)}
		case text == "":
			text = fmt.Sprintf("-- %s is there already\n", what.Name)
		case !strings.HasSuffix(text, "\n"):
			text += "\n"
		}
		if _, err := io.WriteString(p.stdout, text); err != nil {
			return fmt.Errorf("write to standard output: %w", err)
		}
	}
	return nil
}

func describeAll(ctx context.Context, d writer.Describer, tables []*schema.Table, plan []plannedTable, mode writer.Mode) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, t := range tables {
		g.Go(func() error {
			what, err := d.Describe(gctx, t, mode)
			if err != nil {
				return fmt.Errorf("look at %s at the sink: %w", t, err)
			}
			if what.Fate != writer.New {
				what.DDL = ""
			}
			plan[i].Sink = &plannedSink{what.Name, string(what.Fate), what.DDL, what.Detail, what.Remedy}
			return nil
		})
	}
	return g.Wait()
}

// copied reports whether rows of the table would be copied.
func (t *plannedTable) copied() bool {
	return t.Sink == nil || t.Sink.Fate != string(writer.Whole) && t.Sink.Fate != string(writer.Followed) && t.Sink.Fate != string(writer.Refused)
}

// refused returns an error if the sink would refuse some of the tables.
func refused(plan []plannedTable) error {
	n := 0
	for _, t := range plan {
		if t.Sink != nil && t.Sink.Fate == string(writer.Refused) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%w: the sink would refuse %d of %s", errFound, n, progress.Plural(int64(len(plan)), "table"))
}

// sampleTime bounds the reading of a sample.
const sampleTime = 500 * time.Millisecond

// planCopy plans the splits of all tables that would be copied, and what that takes.
func planCopy(ctx context.Context, pl reader.Planner, tables []*schema.Table, plan []plannedTable, parallel int, all *runPlan) error {
	var todo []*schema.Table
	var load plannedLoad
	splits := 0
	for i, t := range tables {
		if !plan[i].copied() {
			continue
		}
		list, why, err := pl.Plan(ctx, t)
		if err != nil {
			return fmt.Errorf("plan %s: %w", t, err)
		}
		plan[i].Splits, plan[i].OneSplit = len(list), why
		splits += len(list)
		load.Bytes += t.Bytes
		todo = append(todo, t)
	}
	if len(todo) == 0 {
		return nil
	}
	b := pl.Burden(todo, parallel)
	load.Connections, load.Lock, load.LockTime = b.Connections, b.Lock, b.LockTime
	load.Statements = b.PerTable*len(todo) + b.PerSplit*splits
	all.Burden = &load
	takes := finding.CopyTime(load.Bytes)
	all.Basis = fmt.Sprintf("a cautious guess of %s a second", progress.Bytes(finding.CopySpeed))
	largest := slices.MaxFunc(todo, func(a, b *schema.Table) int { return cmp.Compare(a.Bytes, b.Bytes) })
	if largest.Rows > 0 && largest.Bytes > 0 {
		s, err := pl.Sample(ctx, largest, sampleTime)
		if err != nil {
			return fmt.Errorf("read a sample of %s: %w", largest, err)
		}
		if s.Took >= sampleTime/10 && s.Rows > 0 {
			perSecond := float64(s.Rows) / s.Took.Seconds() * float64(largest.Bytes) / float64(largest.Rows)
			takes = time.Duration(float64(load.Bytes) / perSecond * float64(time.Second))
			all.Basis = fmt.Sprintf("as fast as one connection has read %s for %.1f s", largest, s.Took.Seconds())
		}
	}
	seconds := takes.Seconds()
	all.Seconds = &seconds
	return nil
}

// writePlan prints what a run would copy.
func writePlan(w io.Writer, asJSON bool, plan []plannedTable, all runPlan) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Event  string         `json:"event"`
			Tables []plannedTable `json:"tables"`
			runPlan
		}{"plan", plan, all})
	}
	var b strings.Builder
	rows, n := int64(0), 0
	for _, t := range plan {
		key := "no key"
		if len(t.Key) > 0 {
			key = "key " + strings.Join(t.Key, ", ")
		}
		fmt.Fprintf(&b, "%s  about %s, %s, %s%s\n", progress.Printable(t.Table), progress.Plural(t.Rows, "row"), progress.Plural(int64(t.Columns), "column"), progress.Printable(key), t.more())
		t.writeSink(&b)
		if t.copied() {
			rows += t.Rows
			n++
		}
	}
	fmt.Fprintf(&b, "would copy %s, about %s\n", progress.Plural(int64(n), "table"), progress.Plural(rows, "row"))
	all.write(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// more tells into how many parts the table is cut.
func (t *plannedTable) more() string {
	switch {
	case t.OneSplit != "":
		return ", 1 part, as " + progress.Printable(t.OneSplit)
	case t.Splits > 0:
		return ", " + progress.Plural(int64(t.Splits), "part")
	}
	return ""
}

func (t *plannedTable) writeSink(b *strings.Builder) {
	s := t.Sink
	if s == nil {
		return
	}
	text := "at the sink: " + s.Name + ", " + s.Fate
	for _, more := range []string{s.Detail, s.Remedy} {
		if more != "" {
			text += ": " + more
		}
	}
	fmt.Fprintf(b, "    %s\n", progress.Printable(text))
	for line := range strings.Lines(s.DDL) {
		fmt.Fprintf(b, "    %s\n", progress.Printable(strings.TrimSuffix(line, "\n")))
	}
}

func (p *runPlan) write(b *strings.Builder) {
	if p.Seconds != nil {
		fmt.Fprintf(b, "in about %s: %s\n", progress.Seconds(time.Duration(*p.Seconds*float64(time.Second))), progress.Printable(p.Basis))
	}
	if p.Kept != nil {
		fmt.Fprintf(b, "the log has to keep what comes from now on for about %s, and as long again for safety\n", progress.Seconds(time.Duration(*p.Kept*float64(time.Second))))
	}
	if l := p.Burden; l != nil {
		lock := "no lock"
		if l.Lock != "" {
			lock = l.Lock + ", " + l.LockTime
		}
		fmt.Fprintf(b, "load on the source: %s, about %s of tables read, about %s; %s\n", progress.Plural(int64(l.Connections), "connection"), progress.Bytes(l.Bytes),
			progress.Plural(int64(l.Statements), "statement"), lock)
	}
	for _, f := range p.Findings {
		fmt.Fprintf(b, "%-8s %s: %s (%s)\n", f.Level, f.Check, progress.Printable(f.text()), progress.Printable(f.Remedy))
	}
}
