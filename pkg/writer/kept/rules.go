package kept

import (
	"cmp"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Rules are those by which a table at a sink is gone on with, and how the sink words what can
// be done where it is not.
type Rules struct {
	Types Types
	Mode  writer.Mode // any but Replace, which goes on with nothing
	// Place names the table's place, and Elsewhere how to name another: "by ?namespace=… in
	// the sink's URL".
	Place, Elsewhere string

	Home   string // what a place is: "folder"; "" for "place"
	Anew   string // how to clear it by hand: "remove its folder"; "" if that is not told
	Adapts string // where Evolve adapts columns: "where text allows it"; "" for "where that is possible"
	// AsChanges and AsRows are the words by which each change is written as a row, and by which
	// rows are: "with --changelog"; "" for those of a sink that writes changes if nothing is said.
	AsChanges, AsRows string
	// RowsStay is that rows of the table are never written anew, so that it cannot be followed
	// by them, whatever their key.
	RowsStay bool
}

// Follows reports whether changes are written to a table from where it is.
func Follows(m writer.Mode) bool { return m == writer.Follow || m == writer.Extend }

// GoesOn checks that a table, of which t is kept, is what the source's has become since, or
// may become it. The rows that come have the columns want.
func (r Rules) GoesOn(t Table, src *schema.Table, want []Column) error {
	follows := Follows(r.Mode)
	same := r.Mode == writer.Create || follows
	if same {
		if err := r.SameSource(t, src); err != nil {
			return err
		}
	}
	if err := r.sameKind(t, src, want); err != nil {
		return err
	}
	if same && t.Filter != src.Filter {
		return hint.Wrap(fmt.Errorf("%s holds the rows %s, and those %s are asked for", r.Place, RowsBy(t.Filter), RowsBy(src.Filter)), "%s", r.Remedy(src))
	}
	if what := src.ShapedSince(t.Shape); same && what != "" {
		return hint.Wrap(fmt.Errorf("%s %s", r.Place, what), "give the --set, --meta and --soft-delete that it was made with, or: %s", r.Remedy(src))
	}
	if follows && t.RowsAdded != "" && !src.IsChangelog() {
		return hint.Wrap(fmt.Errorf("--mode %s has added rows to those of %s, which may be there twice", t.RowsAdded, r.Place), "%s", r.Remedy(src))
	}
	if diff := r.diff(t, src, want); diff != "" {
		return writer.Unlike(hint.Wrap(fmt.Errorf("%s has another shape than the source's table: %s", r.Place, diff), "%s", r.Remedy(src)))
	}
	return nil
}

// SameSource checks that a table was made from the source's one.
func (r Rules) SameSource(t Table, src *schema.Table) error {
	if t.Source == src.String() {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%s was made from %s", r.Place, t.Source), "name another %s for one of them %s", cmp.Or(r.Home, "place"), r.Elsewhere)
}

func (r Rules) asChanges() string { return cmp.Or(r.AsChanges, "without --latest") }

// sameKind tells tables of rows from tables in which each change is a row.
func (r Rules) sameKind(t Table, src *schema.Table, want []Column) error {
	switch log, own := t.IsChangelog(), Find(want, schema.MetaPos.Column()) != nil; {
	case log && !own:
		return hint.Wrap(fmt.Errorf("%s holds a row for each change, and not the source's rows", r.Place),
			"tail and dump go on with it, %s; or write elsewhere, %s", r.asChanges(), r.Elsewhere)
	case !log && own:
		remedy := "follow it " + cmp.Or(r.AsRows, "with --latest") + ", or write elsewhere, " + r.Elsewhere
		if len(src.RowKey) == 0 || Unkeyable(src, src.RowKey) != "" || r.RowsStay {
			remedy = r.RowsAlone()
		}
		return hint.Wrap(fmt.Errorf("%s holds the source's rows, and not a row for each change", r.Place), "%s", remedy)
	}
	return nil
}

// diff tells what of the table's shape keeps the mode's rows out, or "". Evolve and Extend
// adapt the columns: see Types.Grown.
func (r Rules) diff(t Table, src *schema.Table, want []Column) string {
	since := src.Since(t.Shape)
	switch r.Mode {
	case writer.Extend:
		return src.KeySince(t.Shape)
	case writer.Create, writer.Follow:
		return cmp.Or(r.Types.Diff(t.Columns, want, since == ""), since)
	case writer.Append:
		return r.Types.Diff(t.Columns, want, since == "")
	}
	return ""
}

// IsChangelog reports whether each change is a row of the table.
func (t Table) IsChangelog() bool { return Find(t.Columns, schema.MetaPos.Column()) != nil }

// Unkeyable returns the column of a key that cannot identify rows, or "".
func Unkeyable(t *schema.Table, key []int) string {
	for _, k := range key {
		switch c := t.Columns[k]; c.Arrow.ID() {
		case arrow.FLOAT32, arrow.FLOAT64, arrow.LIST:
			return c.Name
		}
	}
	return ""
}

// RowsBy tells in words by which condition rows are there: schema.Table.Filter.
func RowsBy(filter string) string {
	if filter == "" {
		return "without --where"
	}
	return "where " + filter
}
