package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// A place is how far a table has come that is one of those a route has merged.
type place struct {
	pos   batch.Position
	shape string // schema.Table.Shape, in which the log has its rows from there on
	// redone is that the table's rows were exchanged with the last commit, or some of them: who has done so does not
	// go on, and is in nobody's way.
	redone bool
}

// Places are the position of a table that routes have made: those of all tables that are in it, by
// name. Text has tables together that are at one position in one shape, as most are: that of
// a thousand shards stays short but for their names.
type places map[string]place

// A placesText is the text, which begins with batch.MergedPrefix.
type placesText struct {
	Merged []placesGroup `json:"merged"`
	Shard  []string      `json:"shard,omitempty"` // Routes.Shard
}

type placesGroup struct {
	At     batch.Position `json:"at"`
	Shape  string         `json:"shape"`
	Redone bool           `json:"redone,omitempty"`
	Tables []string       `json:"tables"`
}

// text is what the sink holds.
func (p places) text(shard [2]string) (batch.Position, error) {
	at := map[place]*placesGroup{}
	out := placesText{Merged: []placesGroup{}}
	if shard[0] != "" {
		out.Shard = shard[:]
	}
	var order []place
	for _, name := range slices.Sorted(maps.Keys(p)) {
		g := at[p[name]]
		if g == nil {
			g = &placesGroup{At: p[name].pos, Shape: p[name].shape, Redone: p[name].redone}
			at[p[name]] = g
			order = append(order, p[name])
		}
		g.Tables = append(g.Tables, name)
	}
	for _, pl := range order {
		out.Merged = append(out.Merged, *at[pl])
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return "", fmt.Errorf("write the positions of merged tables: %w", err)
	}
	return batch.Position(bytes.TrimSpace(b.Bytes())), nil
}

// parsePlaces reads what the sink holds; none of a table that holds nothing. It reports false for
// what is the position of a table that no route has made.
func parsePlaces(pos batch.Position) (places, bool) {
	if pos == "" {
		return places{}, true
	}
	var t placesText
	if !pos.Merged() || json.Unmarshal([]byte(pos), &t) != nil {
		return nil, false
	}
	p := places{}
	for _, g := range t.Merged {
		for _, name := range g.Tables {
			p[name] = place{g.At, g.Shape, g.Redone}
		}
	}
	return p, true
}

// shardOf reads the names of the columns that tell the rows of a target apart, "" for none.
func shardOf(pos batch.Position) (shard [2]string) {
	var t placesText
	if json.Unmarshal([]byte(pos), &t) == nil && len(t.Shard) == len(shard) {
		shard = [2]string(t.Shard)
	}
	return shard
}
