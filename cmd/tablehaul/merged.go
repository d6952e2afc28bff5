package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/route"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// checkMerged looks at tables that routes have made at the sink: those that are there need not
// come a second time.
func (p *program) checkMerged(ctx context.Context, url string, sink writer.Sink, tables []*schema.Table) ([]finding.Finding, error) {
	if p.stores.isTopic(url) {
		return nil, nil
	}
	merged, err := route.Look(ctx, sink)
	if err != nil {
		// Not all may be listed by everybody who may write some of it.
		return []finding.Finding{{
			Level: finding.Warning, Check: "merged", Thing: "it is not known whether --route has merged tables at the sink", Why: oneLine(err),
			Remedy: "if a run has, give its --route to this one too",
		}}, ctx.Err()
	}
	return merged.Check(tables), nil
}

// refuseMerged has the plan of tables say that they are refused.
func refuseMerged(found []finding.Finding, plan []plannedTable) {
	for _, f := range found {
		if f.Check != "merged" || f.Level != finding.Error {
			continue
		}
		for i := range plan {
			if s := plan[i].Sink; s != nil && slices.Contains(f.Tables, plan[i].Table) {
				plan[i].Sink = &plannedSink{Name: s.Name, Fate: string(writer.Refused), Detail: f.Thing}
			}
		}
	}
}

// A mergedGuard is checkMerged of tables that turn up one by one.
type mergedGuard struct {
	merged *route.Merged
	warn   func(string)

	mu   sync.Mutex
	told map[string]bool
}

func (p *program) newMergedGuard(ctx context.Context, sink writer.Sink) (*mergedGuard, error) {
	merged, err := route.Look(ctx, sink)
	return &mergedGuard{merged: merged, warn: p.console.warn, told: map[string]bool{}}, err
}

func (g *mergedGuard) check(t *schema.Table) error {
	for _, f := range g.merged.Check([]*schema.Table{t}) {
		if f.Level == finding.Error {
			return &schema.TableError{Table: t.String(), Err: hint.Wrap(errors.New(f.Text()), "%s", f.Remedy)}
		}
		g.mu.Lock()
		if !g.told[t.String()] {
			g.warn(sentence(f) + " (" + f.Remedy + ")")
		}
		g.told[t.String()] = true
		g.mu.Unlock()
	}
	return nil
}
