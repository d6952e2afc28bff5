package route

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Merged is what a sink holds of tables that routes have merged there, as a run sees it that is
// about to write to it: rows that are there already are not to come a second time, because somebody has
// forgotten a flag.
type Merged struct {
	routes *Routes             // of the run; nil for none
	of     map[string][]string // by table of a source: the tables at the sink that it is merged in
	shard  map[string][2]string
	alone  map[string]bool // tables that are there without a route
}

// Look asks a sink what it holds. It is nil of a sink that does not tell.
func Look(ctx context.Context, sink writer.Sink) (*Merged, error) {
	m := &Merged{of: map[string][]string{}, shard: map[string][2]string{}, alone: map[string]bool{}}
	if s, ok := sink.(*Sink); ok {
		sink, m.routes = s.inner, s.routes
	}
	l, ok := sink.(writer.Lister)
	if !ok {
		return nil, nil //nolint:nilnil // nothing is known
	}
	held, err := l.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the sink for merged tables: %w", err)
	}
	for _, h := range held {
		p, ok := parsePlaces(h.Position)
		if !ok || h.Position == "" {
			m.alone[h.Source] = true
			continue
		}
		m.shard[h.Source] = shardOf(h.Position)
		for name := range p {
			m.of[name] = append(m.of[name], h.Source)
		}
	}
	return m, nil
}

// Check tells which of the tables would get in the way of those that are merged, or be there twice.
func (m *Merged) Check(tables []*schema.Table) []finding.Finding {
	if m == nil || len(m.shard) == 0 {
		return nil
	}
	var taken, twice []string
	in := map[string]string{}
	for _, t := range tables {
		name := t.String()
		db, to, routed := m.routes.Target(t.DB, t.Name)
		_, made := m.shard[name]
		of := m.of[m.routes.Named(name)]
		switch {
		case !routed && made:
			taken = append(taken, name)
		case len(of) == 0, routed && slices.Contains(of, db+"."+to), !routed && m.alone[name]:
		case m.routes == nil || !m.routes.Alone:
			twice = append(twice, name)
			if at := of[0]; in[at] == "" {
				in[at] = name
			}
		}
	}
	var found []finding.Finding
	if len(taken) > 0 {
		var te *schema.TableError
		err := writer.OfRoutes(tables[0])
		errors.As(err, &te)
		found = append(found, finding.Finding{Level: finding.Error, Check: "merged", Thing: te.Err.Error(), Remedy: hint.Of(err), Tables: taken})
	}
	if len(twice) > 0 {
		found = append(found, m.twice(twice, in))
	}
	if m.routes != nil {
		found = append(found, m.asMade(tables)...)
	}
	return found
}

// twice is what there is to say of tables, each of which is merged in one of those that in names.
func (m *Merged) twice(tables []string, in map[string]string) finding.Finding {
	into := slices.Sorted(maps.Keys(in))
	names := strings.Join(into[:min(len(into), 3)], ", ")
	if n := len(into) - 3; n > 0 {
		names += fmt.Sprintf(" and %d more", n)
	}
	rule := fmt.Sprintf("--route '%s -> %s'", regexp.QuoteMeta(in[into[0]]), into[0])
	if s := m.shard[into[0]]; s[0] != "" {
		rule += " --shard-columns=" + s[0] + "," + s[1]
	}
	f := finding.Finding{
		Level: finding.Error, Check: "merged", Tables: tables, Thing: "the sink holds these rows in " + names + " already, where --route has sent them",
		Why:    "without it they would be there twice, in tables of their own",
		Remedy: "give the --route of that run, which for one table is " + rule + "; --route none has them there twice",
	}
	if m.routes != nil {
		f.Level, f.Why = finding.Warning, "the routes of this run send them elsewhere, so they will be there twice"
		f.Remedy = "if that is not what you want, stop the run and give the --route of the other one, which for one table is " + rule
	}
	return f
}
