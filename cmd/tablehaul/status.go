package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/route"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// statusOptions are the command line of `tablehaul status`.
type statusOptions struct {
	sink     string
	sources  []string // as they were given; there may be none
	json     bool
	printDDL bool // and nothing else
	login    sourceFlags
}

func newStatus(run func(context.Context, statusOptions) error) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status SINK [SOURCE...]",
		Short: "Show which tables hold a position, and how they stand to the source",
		Long: `Show the tables at SINK that hold a position, that is those that were copied or
are followed: the position, the last commit, the rows. With SOURCE, a server or
topics, also how far each is behind, and whether the source's log still holds what
comes next. If the source cannot be asked, or not about all positions, the rest is
shown all the same.

A commit that only notes a position happens every few minutes, so a table that
does not change shows a lag of up to that.`,
		Example: `  tablehaul status iceberg:./lake
  tablehaul status iceberg:./lake mysql://app@db:3306 --json
  tablehaul status iceberg:./lake kafka://mq:9092/shop`,
		Annotations: map[string]string{exitCodes: `  0 done, 1 failed, 2 wrong usage, 3 the source's log no longer holds what follows
  a table's position, 130 interrupted`},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{cmd, errors.New("SINK is missing")}
			}
			return nil
		},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.sink, o.sources = args[0], args[1:]
		source := ""
		if len(o.sources) == 1 {
			source = parseSource(o.sources[0]).url
		}
		return o.login.check(cmd.Flags().Changed, source)
	}, func(ctx context.Context) error { return run(ctx, o) })
	cmd.Flags().SortFlags = false
	o.login.register(cmd.Flags())
	cmd.Flags().BoolVar(&o.printDDL, "print-ddl", false, "print the statements by which Hive declares the tables, of plain files,\nand nothing else")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object on standard output")
	return cmd
}

// A standing is a table of the sink and how it stands to the source.
type standing struct {
	writer.Held
	asked    bool  // there is a source, and it has answered
	foreign  bool  // the position was made by another one
	dropped  bool  // the source's table was, at the position
	err      error // why nothing is known of the position
	headroom reader.Headroom
}

// status runs the command.
func (p *program) status(ctx context.Context, o statusOptions) error {
	order := "SINK comes first, then SOURCE"
	openSink, err := p.stores.findSink(o.sink, order)
	if err != nil {
		return &usageError{nil, err}
	}
	sources, err := p.readSources(o.sources)
	if err != nil {
		return &usageError{nil, err}
	}
	var openSources []openPlacer
	for _, s := range sources {
		open, err := p.stores.findPlacer(s.url, order)
		if err != nil {
			return &usageError{nil, err}
		}
		openSources = append(openSources, open)
	}
	defaults := newMoveOptions()
	defaults.login = o.login
	if servers := slices.DeleteFunc(slices.Clone(sources), func(s sourceEnd) bool { return has(p.stores.feeds, s.url) }); len(servers) > 0 {
		if err := p.logInAll(ctx, &defaults, servers); err != nil {
			return err
		}
	}
	store := defaults.store(p)
	store.existing, store.look = true, true

	tables, err := p.listHeld(ctx, o, openSink, store)
	if err != nil {
		return err
	}
	if o.printDDL {
		return p.writeHeldDDL(tables)
	}
	var failed error
	for i, s := range sources {
		failed = errors.Join(failed, p.compare(ctx, s.url, openSources[i], store, tables))
	}
	if failed != nil && ctx.Err() != nil {
		return failed
	}
	// What the sink holds is told whatever became of the source.
	if err := writeStatus(p.stdout, o.json, time.Now(), p.hide.redact(o.sink), strings.Join(p.labels(sources), ", "), tables, failed); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	remedy := "tablehaul tail --on-purged snapshot copies them anew"
	if len(sources) == 1 && has(p.stores.feeds, sources[0].url) {
		remedy = "tablehaul dump --on-purged earliest goes on with what there is"
	}
	if err := p.judge(tables, remedy); failed == nil {
		failed = err
	}
	return failed
}

// writeHeldDDL prints the statements by which readers declare the tables.
func (p *program) writeHeldDDL(tables []standing) error {
	for _, t := range tables {
		if t.DDL == "" {
			return errors.New("--print-ddl: this sink's readers declare no tables")
		}
		if _, err := io.WriteString(p.stdout, t.DDL); err != nil {
			return fmt.Errorf("write to standard output: %w", err)
		}
	}
	return nil
}

func (p *program) listHeld(ctx context.Context, o statusOptions, open openSink, store storeOptions) (tables []standing, err error) {
	sink, err := open(ctx, o.sink, store)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.hide.redact(o.sink), err)
	}
	defer func() {
		if e := sink.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", p.hide.redact(o.sink), e)
		}
	}()
	lister, ok := sink.(writer.Lister)
	if !ok {
		return nil, fmt.Errorf("%s does not tell which tables hold a position", p.hide.redact(o.sink))
	}
	held, err := lister.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", p.hide.redact(o.sink), err)
	}
	for _, h := range route.Expand(held) {
		tables = append(tables, standing{Held: h})
	}
	return tables, nil
}

// compare asks the source how it stands with each position: once, however many
// tables hold it. A position that it cannot place is no reason not to ask for
// the others; a source that is gone is.
func (p *program) compare(ctx context.Context, url string, open openPlacer, store storeOptions, tables []standing) error {
	src, err := open(ctx, url, store)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(url), err)
	}
	defer src.Close()
	known := map[batch.Position]standing{}
	for i := range tables {
		t := &tables[i]
		if t.asked && !t.foreign {
			continue // another of several sources knows it
		}
		a, ok := known[t.Position]
		if !ok {
			switch err := src.Owns(t.Position); {
			case err == nil:
				a.headroom, a.err = src.Headroom(ctx, t.Position)
			case hint.IsTransient(err): // it could not be asked
				a.err = err
			default:
				a.foreign = true
			}
			if a.err != nil && (ctx.Err() != nil || hint.IsTransient(a.err)) {
				return fmt.Errorf("find the position of %s in the log: %w", t.Name, a.err)
			}
			known[t.Position] = a
		}
		t.asked, t.foreign = true, a.foreign
		if h, ok := src.(dropTeller); ok && !a.foreign && h.Dropped(t.Position, t.Source[strings.LastIndexByte(t.Source, '/')+1:]) {
			t.dropped = true // nothing follows that the table could be behind of
			continue
		}
		t.err, t.headroom = a.err, a.headroom
	}
	return nil
}

// A dropTeller tells at which positions tables were dropped, as reader.Herald does.
type dropTeller interface {
	Dropped(pos batch.Position, name string) bool
}

// judge warns of what needs somebody to act, and fails if it is too late, or if
// that cannot be told. The remedy is for tables whose log is gone.
func (p *program) judge(tables []standing, remedy string) error {
	var gone, late, foreign []string
	var why error // of some that are gone
	var unknown []error
	keep := time.Duration(0)
	for _, t := range tables {
		switch h := t.headroom; {
		case t.foreign:
			foreign = append(foreign, t.Name)
		case t.err != nil:
			unknown = append(unknown, fmt.Errorf("find the position of %s in the log: %w", t.Name, t.err))
		case h.Gone:
			gone, why = append(gone, t.Name), cmp.Or(why, h.Why)
		case h.Keep > 0 && h.Behind > h.Keep/2:
			late, keep = append(late, t.Name), h.Keep
		}
	}
	if len(foreign) > 0 {
		p.console.warn(fmt.Sprintf("%s not from this source: %s", count(len(foreign), "table is", "tables are"), progress.Some(foreign)))
	}
	if len(late) > 0 {
		p.console.warn(fmt.Sprintf("%s behind by more than half of the time for which the source keeps its log (%s): %s",
			count(len(late), "table is", "tables are"), progress.Age(keep), progress.Some(late)))
	}
	lost := fmt.Sprintf("the log no longer holds what follows the position of %s: %s", count(len(gone), "table", "tables"), progress.Some(gone))
	if why != nil {
		lost, remedy = lost+": "+why.Error(), hint.Of(why)
	}
	switch {
	case len(tables) > 0 && len(foreign) == len(tables):
		return hint.Wrap(errors.New("no table of the sink is from this source"), "name the source that they are followed from")
	case len(unknown) > 0:
		if len(gone) > 0 {
			p.console.warn(lost + " (" + remedy + ")")
		}
		return errors.Join(unknown...)
	case len(gone) > 0:
		return hint.Wrap(fmt.Errorf("%w: %s", move.ErrIncomplete, lost), "%s", remedy)
	}
	return nil
}
