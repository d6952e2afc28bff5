package iceberg

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// differences tells in which ways a table is laid out otherwise than is wanted.
func (l tableLayout) differences(want tableLayout, have iceberg.Properties, props map[string]string, sc *iceberg.Schema) []string {
	var diff []string
	if want.spec.NumFields() > 0 && specText(l.spec, sc) != specText(want.spec, sc) {
		diff = append(diff, fmt.Sprintf("it is partitioned by %s, and not by %s", specText(l.spec, sc), specText(want.spec, sc)))
	}
	if want.order.Len() > 0 && orderText(l.order, sc) != orderText(want.order, sc) {
		diff = append(diff, fmt.Sprintf("it is sorted by %s, and not by %s", orderText(l.order, sc), orderText(want.order, sc)))
	}
	if want.version != formatVersion && l.version != want.version {
		diff = append(diff, fmt.Sprintf("it is of format version %d, and not %d", l.version, want.version))
	}
	for _, k := range slices.Sorted(maps.Keys(props)) {
		if have[k] != props[k] {
			diff = append(diff, fmt.Sprintf("its property %s is %q, and not %q", k, have[k], props[k]))
		}
	}
	return diff
}

func specText(spec iceberg.PartitionSpec, sc *iceberg.Schema) string {
	var terms []string
	for _, f := range spec.Fields() {
		name, _ := sc.FindColumnName(f.SourceID())
		terms = append(terms, partitionTerm{column: name, transform: f.Transform}.String())
	}
	if len(terms) == 0 {
		return "nothing"
	}
	return strings.Join(terms, ", ")
}

func orderText(order table.SortOrder, sc *iceberg.Schema) string {
	var terms []string
	for _, f := range order.Fields() {
		name, _ := sc.FindColumnName(f.SourceID())
		t := sortTerm{column: name, direction: f.Direction, nulls: f.NullOrder}.String()
		if _, ok := f.Transform.(iceberg.IdentityTransform); !ok {
			t = f.Transform.String() + " of " + t
		}
		terms = append(terms, t)
	}
	if len(terms) == 0 {
		return "nothing"
	}
	return strings.Join(terms, ", ")
}

// same checks that files laid out as asked can go into the table.
func (l tableLayout) same(asked tableLayout, sc *iceberg.Schema) error {
	if l.spec.ID() != asked.spec.ID() || specText(l.spec, sc) != specText(asked.spec, sc) {
		return fmt.Errorf("it is partitioned by %s, and not by %s", specText(l.spec, sc), specText(asked.spec, sc))
	}
	if l.version != asked.version {
		return fmt.Errorf("it is of format version %d, and not %d", l.version, asked.version)
	}
	return nil
}

// askedLayout returns how the table is to be laid out if it is made.
func (w *Writer) askedLayout() Layout {
	if w.sink.opts.Layout == nil {
		return Layout{}
	}
	return w.sink.opts.Layout(w.src)
}

// newTable returns the layout and the properties of the table if it is made.
func (w *Writer) newTable() (tableLayout, iceberg.Properties, error) {
	asked := w.askedLayout()
	lay, err := newLayout(asked, w.want)
	if err != nil {
		return lay, nil, w.tableError(err)
	}
	props := newTableProperties(w.src)
	maps.Copy(props, asked.Properties)
	return lay, props, nil
}

// compareLayout tells in which ways the table, which exists, is going to be laid out
// otherwise than is asked for.
func (w *Writer) compareLayout() error {
	asked := w.askedLayout()
	want, err := newLayout(asked, w.schema)
	if err != nil {
		return w.tableError(err)
	}
	props := asked.Properties
	if w.exchanges() {
		props = nil // they are set
	}
	if diff := w.layout.differences(want, w.props, props, w.schema); len(diff) > 0 {
		w.sink.warn(fmt.Sprintf("%s keeps the layout that it has: %s", w.name(), strings.Join(diff, "; ")))
	}
	return nil
}

// arrange readies what spreads rows over files.
func (w *Writer) arrange() error {
	w.partitioned = w.layout
	parts, err := newPartitioner(w.layout.spec, w.schema, w.src)
	if err != nil {
		remedy := dropFirst
		switch {
		case w.mode == writer.Append, w.mode == writer.Evolve:
			remedy = exchange
		case w.mode == writer.Follow && !w.src.IsChangelog():
			remedy = w.copyAnew()
		}
		return w.tableError(hint.Wrap(fmt.Errorf("table %s: %w", w.name(), err), "%s", remedy))
	}
	order := newSortOrder(w.layout.order, w.schema, w.src)
	if parts != nil || order != nil {
		w.spreads = newSpreads(w, parts, order)
	}
	if w.fold != nil && parts != nil {
		// Rows of the table may lie in files of other specs, unless there is none.
		if w.fold.parts, err = newPartitioner(w.layout.spec, w.schema, w.src); err != nil {
			return err
		}
		w.fold.scoped = w.layout.specs == 1 && parts.within(w.src.Key)
	}
	return nil
}

// globalSpec adds the spec that equality deletes are under which reach all
// partitions, if there is none and one of the staged files needs it.
func (w *Writer) globalSpec(meta table.Metadata, where string) ([]table.Update, table.Metadata, error) {
	now := layoutOf(meta)
	if now.spec.NumFields() == 0 || !slices.ContainsFunc(w.staged, isGlobal) {
		return nil, meta, nil
	}
	if now.global != w.layout.global {
		return nil, nil, w.tableError(hint.Wrap(errors.New("partition specs were added to the table while it was written"), "run the same command again"))
	}
	if !now.addGlobal {
		return nil, meta, nil
	}
	spec := iceberg.NewPartitionSpecID(now.global)
	updates := []table.Update{table.NewAddPartitionSpecUpdate(&spec, false)}
	meta, err := table.UpdateTableMetadata(meta, updates, where)
	return updates, meta, err
}

// isGlobal reports whether a file holds keys whose rows go from all partitions.
func isGlobal(d stagedData) bool {
	return (d.content == keyContent || d.content == clearContent) && len(d.df.Partition()) == 0
}
