// Package kept has what sinks keep of tables beside their rows, and the rules by which rows
// may be written to what is there.
package kept

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A Column is one of a table at a sink.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // in the sink's words
	Nullable bool   `json:"nullable"`
	Comment  string `json:"comment,omitempty"`
}

// String is the column's type, as differences are told.
func (c Column) String() string {
	if c.Nullable {
		return c.Type
	}
	return c.Type + " not null"
}

// Types are what a sink knows of its types.
type Types struct {
	// Same reports whether rows with values of the type want go where have is as they are.
	Same func(have, want string) bool
	// Widens reports whether a type can be exchanged for another that has the same values and
	// more, with the rows that are there as they are.
	Widens func(from, to string) bool
}

// Diff tells what keeps rows with the columns want from being added to files with the
// columns have; "" if nothing does. Columns to spare, which the rows have no value for and
// need none, are a difference too unless they are allowed.
func (t Types) Diff(have, want []Column, spare bool) string {
	var diff []string
	for _, w := range want {
		h := Find(have, w.Name)
		switch {
		case h == nil:
			diff = append(diff, fmt.Sprintf("%s: not at the sink, %s at the source", w.Name, w))
		case !t.Same(h.Type, w.Type), !h.Nullable && w.Nullable:
			diff = append(diff, fmt.Sprintf("%s: %s at the sink, %s at the source", w.Name, h, w))
		}
	}
	for _, h := range have {
		if Find(want, h.Name) == nil && (!h.Nullable || !spare) {
			diff = append(diff, fmt.Sprintf("%s: %s at the sink, not at the source", h.Name, h))
		}
	}
	return strings.Join(diff, "; ")
}

// Find returns the column of a name, in whatever case: Hive and Spark make no difference.
func Find(columns []Column, name string) *Column {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i := range columns {
			if same(columns[i].Name, name) {
				return &columns[i]
			}
		}
	}
	return nil
}

// Grown returns the columns that files get so that rows with the columns want can be added
// to those with the columns have: new ones come last, since text has them by their place,
// and those that the rows lack may be null from now on. If narrower is set, those of the
// rows may be narrower than what is there.
func (t Types) Grown(have, want []Column, narrower bool) ([]Column, error) {
	out := slices.Clone(have)
	for i, h := range have {
		w := Find(want, h.Name)
		switch {
		case w == nil:
			out[i].Nullable = true
			continue
		case t.Widens(h.Type, w.Type):
			out[i].Type = w.Type
		case narrower && t.Widens(w.Type, h.Type):
		default:
			return nil, fmt.Errorf("column %s holds %s and cannot hold %s", h.Name, h.Type, w.Type)
		}
		out[i].Nullable = h.Nullable || w.Nullable
	}
	for _, w := range want {
		if Find(have, w.Name) == nil {
			w.Nullable = true // in the rows that are there
			out = append(out, w)
		}
	}
	return out, nil
}

// A Table is what is kept of a table.
type Table struct {
	Source string `json:"source"`           // the source's table, as schema.Table.String
	Shape  string `json:"shape,omitempty"`  // schema.Table.Shape
	Filter string `json:"filter,omitempty"` // schema.Table.Filter
	// RowsAdded is the mode by which rows were added to others, which may be there twice.
	RowsAdded string   `json:"rowsAdded,omitempty"`
	Columns   []Column `json:"columns"`
}

// Rules are those by which a table is gone on with.
type Rules struct {
	Types     Types
	Mode      writer.Mode
	Place     string // the table's, at the sink
	Elsewhere string // how the sink is told to take another place: "by ?namespace=…"
}

// GoesOn checks that a table is what the source's has become since, or may become it.
func (r Rules) GoesOn(m Table, src *schema.Table, want []Column) error {
	follows := r.Mode == writer.Follow || r.Mode == writer.Extend
	same := r.Mode == writer.Create || follows
	if same && m.Source != src.String() {
		return hint.Wrap(fmt.Errorf("%s was made from %s", r.Place, m.Source), "name another place for one of them %s", r.Elsewhere)
	}
	if err := r.sameKind(m, want); err != nil {
		return err
	}
	if same && m.Filter != src.Filter {
		return hint.Wrap(fmt.Errorf("%s holds the rows %s, and those %s are asked for", r.Place, rowsBy(m.Filter), rowsBy(src.Filter)), "%s", r.Remedy(src))
	}
	if follows && m.RowsAdded != "" && !src.IsChangelog() {
		return hint.Wrap(fmt.Errorf("--mode %s has added rows to those of %s, which may be there twice", m.RowsAdded, r.Place), "%s", r.Remedy(src))
	}
	since := src.Since(m.Shape)
	diff := ""
	switch r.Mode {
	case writer.Extend:
		diff = src.KeySince(m.Shape)
	case writer.Create, writer.Follow:
		diff = cmp.Or(r.Types.Diff(m.Columns, want, since == ""), since)
	case writer.Append:
		diff = r.Types.Diff(m.Columns, want, since == "")
	}
	if diff == "" {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%s has another shape than the source's table: %s", r.Place, diff), "%s", r.Remedy(src))
}

// sameKind tells tables of rows from tables in which each change is a row.
func (r Rules) sameKind(m Table, want []Column) error {
	op := schema.MetaOp.Column()
	switch log, own := Find(m.Columns, op) != nil, Find(want, op) != nil; {
	case log && !own:
		return hint.Wrap(errors.New(r.Place+" holds a row for each change, and not the source's rows"), "follow it by its changes, or write elsewhere, %s", r.Elsewhere)
	case !log && own:
		return hint.Wrap(errors.New(r.Place+" holds the source's rows, and not a row for each change"), "follow it by its rows, or write elsewhere, %s", r.Elsewhere)
	}
	return nil
}

func rowsBy(filter string) string {
	if filter == "" {
		return "without --where"
	}
	return "where " + filter
}

// Remedy is what can be done where a table cannot be gone on with.
func (r Rules) Remedy(src *schema.Table) string {
	switch {
	case src.IsChangelog(), r.Mode == writer.Extend:
		return "leave the table out with --exclude, or write elsewhere, " + r.Elsewhere
	case r.Mode == writer.Append:
		return "--mode evolve adapts the columns, where that is possible, and adds the rows; --mode replace exchanges the content"
	case r.Mode == writer.Create, r.Mode == writer.Evolve:
		return "--mode replace exchanges the content and the columns"
	}
	return fmt.Sprintf("copy the table anew with snapshot --mode replace --tables %s, then run the same command again", src)
}
