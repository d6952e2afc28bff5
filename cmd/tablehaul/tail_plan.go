package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A followedTable is one table of `tail --dry-run --json`. docs/json.md is its
// contract.
type followedTable struct {
	plannedTable
	Mode     string `json:"mode"`
	Start    string `json:"start,omitempty"`
	Position string `json:"position,omitempty"`
}

// tailPlan prints what a run would do. The sink may not be there yet.
func (p *program) tailPlan(ctx context.Context, o tailOptions, src source, sink writer.Sink, opened error, tables []*schema.Table) error {
	held := map[string]batch.Position{}
	switch lister, ok := sink.(writer.Lister); {
	case errors.Is(opened, fs.ErrNotExist):
	case opened != nil:
		return fmt.Errorf("open %s: %w", p.hide.redact(o.sink), opened)
	default:
		defer sink.Close()
		if !ok {
			return fmt.Errorf("%s does not tell which tables hold a position", p.hide.redact(o.sink))
		}
		list, err := lister.List(ctx)
		if err != nil {
			return fmt.Errorf("ask %s: %w", p.hide.redact(o.sink), err)
		}
		for _, h := range list {
			held[cmp.Or(h.Source, h.Name)] = h.Position
		}
	}
	if o.printDDL {
		return p.writeDDL(ctx, sink, tables, writer.Follow)
	}
	plan := make([]followedTable, len(tables))
	for i, t := range tables {
		plan[i] = followedTable{plannedTable: planned(t), Mode: "keyed", Position: string(held[t.String()])}
		if t.IsChangelog() {
			plan[i].Mode = "appended"
		}
		pos := held[t.String()]
		if pos == "" {
			plan[i].Start = o.start
		} else if pos.Merged() {
			return writer.OfRoutes(t)
		} else if err := src.Owns(pos); err != nil {
			return fmt.Errorf("%s is at the sink, but not from this source: %w", t, err)
		}
	}
	var fresh []*schema.Table // are copied first
	var part []plannedTable
	for i, t := range tables {
		if plan[i].Start == move.StartSnapshot {
			fresh, part = append(fresh, t), append(part, plan[i].plannedTable)
		}
	}
	if errors.Is(opened, fs.ErrNotExist) {
		sink = nil
	}
	all, err := p.planAll(ctx, o.moveOptions, src, sink, fresh, part, writer.Create, finding.Purpose{Tail: true, Snapshot: len(fresh) > 0, Parallel: o.parallel, AsIs: p.stores.sinks[scheme(o.sink)].asIs})
	if err != nil {
		return err
	}
	for i := range plan {
		if plan[i].Start == move.StartSnapshot {
			plan[i].plannedTable, part = part[0], part[1:]
		}
		plan[i].Table = o.part.prefix() + plan[i].Table
	}
	return writeTailPlan(p.stdout, o.json, plan, all)
}

func writeTailPlan(w io.Writer, asJSON bool, plan []followedTable, all runPlan) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Event  string          `json:"event"`
			Tables []followedTable `json:"tables"`
			runPlan
		}{"plan", plan, all})
	}
	var b strings.Builder
	fresh, stock := 0, int64(0)
	for _, t := range plan {
		how := "appended"
		if t.Mode == "keyed" {
			how = "key " + strings.Join(t.Key, ", ")
		}
		from := "goes on from " + progress.ShortPosition(t.Position)
		switch {
		case t.Position != "":
		case t.Start == move.StartSnapshot:
			from = "copied first, about " + progress.Plural(t.Rows, "row")
			fresh++
			stock += t.Rows
		default:
			from = "from " + t.Start
		}
		fmt.Fprintf(&b, "%s  %s, %s%s\n", progress.Printable(t.Table), progress.Printable(how), progress.Printable(from), t.more())
		t.writeSink(&b)
	}
	fmt.Fprintf(&b, "would follow %s", progress.Plural(int64(len(plan)), "table"))
	if fresh > 0 {
		fmt.Fprintf(&b, ", and copy %d of them first, about %s", fresh, progress.Plural(stock, "row"))
	}
	b.WriteString("\n")
	all.write(&b)
	_, err := io.WriteString(w, b.String())
	return err
}
