package iceberg

import (
	"fmt"

	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// sameRows checks that a table which is to be left alone, or to be followed, was
// copied with the condition that this run is for.
func (w *Writer) sameRows() error {
	had, want := w.props[filterProperty], w.src.Filter
	switch {
	case w.follows() && had != want:
		err := fmt.Errorf("table %s holds %s, and %s are to be followed", w.name(), rowsOf(had), rowsOf(want))
		return w.tableError(hint.Wrap(err, "give the --where that it was copied with, or %s, or leave it out with --exclude", w.wholly("copy it anew")))
	case (w.follows() || w.mode == writer.Create) && w.src.ShapedSince(w.props[shapeProperty]) != "":
		err := fmt.Errorf("table %s %s", w.name(), w.src.ShapedSince(w.props[shapeProperty]))
		return w.tableError(hint.Wrap(err, "give the --set, --meta and --soft-delete that it was made with, or %s", w.wholly("copy it anew")))
	case w.follows() && w.props[addedProperty] != "" && !w.src.IsChangelog():
		err := fmt.Errorf("table %s holds rows that snapshot --mode %s has added to others: some may be there twice, and changes from before that are not in the others",
			w.name(), w.props[addedProperty])
		return w.tableError(hint.Wrap(err, "%s, or leave it out with --exclude", w.wholly("copy it anew")))
	case w.mode == writer.Create && had != want:
		err := fmt.Errorf("table %s is whole since an earlier run, which copied %s; now wanted are %s", w.name(), rowsOf(had), rowsOf(want))
		return w.tableError(hint.Wrap(err, "--mode replace exchanges its content; the same --where leaves it alone"))
	}
	return nil
}

// nextAdded returns by which mode rows have been added to the table once the next commit
// has landed, to those that it has got otherwise.
func (w *Writer) nextAdded(meta table.Metadata) string {
	switch adds := w.mode == writer.Append || w.mode == writer.Evolve; {
	case adds && meta.CurrentSnapshot() != nil && len(w.staged) > 0:
		return string(w.mode)
	case w.mode == writer.Replace:
		return ""
	}
	return meta.Properties()[addedProperty]
}

func rowsOf(filter string) string {
	if filter == "" {
		return "all rows"
	}
	return "rows where " + filter
}

// nextFilter returns what the table's filter is once the next commit has landed.
func (w *Writer) nextFilter(had string) string {
	want := w.src.Filter
	adds := w.mode == writer.Append || w.mode == writer.Evolve
	switch {
	case !adds || had == want || had == "":
		return want
	case want == "":
		return had // rows were left out of what is there already, or are there twice
	}
	return "(" + had + ") OR (" + want + ")"
}
