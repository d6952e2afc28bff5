package iceberg

import (
	"fmt"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// versionFor is the format version of a table whose content is exchanged: there is
// no way back from a higher one.
func (w *Writer) versionFor(meta table.Metadata) int {
	return max(w.askedLayout().version(), meta.Version())
}

// partitionColumns checks that the columns are there by which the table is, or once
// was, partitioned. Spark reads no snapshot of a table any more that has lost one.
func (w *Writer) partitionColumns(meta table.Metadata) error {
	for _, spec := range meta.PartitionSpecs() {
		for _, f := range spec.Fields() {
			for _, id := range f.SourceIDs {
				if _, void := f.Transform.(iceberg.VoidTransform); void {
					continue
				}
				if _, ok := w.schema.FindFieldByID(id); ok {
					continue
				}
				name, known := meta.CurrentSchema().FindColumnName(id)
				if !known {
					continue // it is lost already
				}
				err := fmt.Errorf("table %s is or was partitioned by %s, which the source has not, or not as a wider type: its old snapshots could not be read without it", w.name(), name)
				return hint.Wrap(err, dropFirst)
			}
		}
	}
	return nil
}

// relayout returns the partition spec and the sort order of a table whose content is
// exchanged: those that are asked for, else those that it has.
func (w *Writer) relayout(meta table.Metadata) (spec iceberg.PartitionSpec, order table.SortOrder, err error) {
	if err := w.partitionColumns(meta); err != nil {
		return spec, order, err
	}
	asked := w.askedLayout()
	want, err := newLayout(asked, w.schema)
	if err != nil {
		return spec, order, err
	}
	spec, order = meta.PartitionSpec(), want.order
	if asked.Partition != "" {
		spec = numbered(meta, want.spec)
	}
	if asked.Sort == "" {
		order, err = w.keptOrder(meta)
	}
	return spec, order, err
}

// keptOrder returns the table's sort order up to the first column that is gone:
// what comes behind it orders nothing without it.
func (w *Writer) keptOrder(meta table.Metadata) (table.SortOrder, error) {
	order := meta.SortOrder()
	var fields []table.SortField
	for _, f := range order.Fields() {
		if slices.ContainsFunc(f.SourceIDs, func(id int) bool { _, ok := w.schema.FindFieldByID(id); return !ok }) {
			break
		}
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		return table.UnsortedSortOrder, nil
	}
	return table.NewSortOrder(1, fields)
}

// numbered gives the fields of a spec the ids that the table has used for their
// likes, or new ones, with names that no other of its partition fields has had:
// tables of metadata list all of them side by side.
func numbered(meta table.Metadata, spec iceberg.PartitionSpec) iceberg.PartitionSpec {
	next := iceberg.PartitionDataIDStart
	if id := meta.LastPartitionSpecID(); id != nil {
		next = max(next, *id+1)
	}
	var known []iceberg.PartitionField
	for _, s := range meta.PartitionSpecs() {
		for _, f := range s.Fields() {
			known = append(known, f)
			next = max(next, f.FieldID+1)
		}
	}
	var fields []iceberg.PartitionField
	for _, f := range spec.Fields() {
		same := func(k iceberg.PartitionField) bool {
			return slices.Equal(k.SourceIDs, f.SourceIDs) && k.Transform.Equals(f.Transform)
		}
		if i := slices.IndexFunc(known, same); i >= 0 {
			f.FieldID, f.Name = known[i].FieldID, known[i].Name
		} else {
			f.FieldID = next
			next++
			if slices.ContainsFunc(known, func(k iceberg.PartitionField) bool { return k.Name == f.Name }) {
				f.Name = fmt.Sprintf("%s_%d", f.Name, f.FieldID)
			}
		}
		fields = append(fields, f)
	}
	return iceberg.NewPartitionSpecID(spec.ID(), fields...)
}

// newSpec makes a spec the table's default.
func newSpec(meta table.Metadata, spec iceberg.PartitionSpec) []table.Update {
	if have := meta.PartitionSpec(); have.CompatibleWith(&spec) {
		return nil
	}
	for _, s := range meta.PartitionSpecs() {
		if s.CompatibleWith(&spec) {
			return []table.Update{table.NewSetDefaultSpecUpdate(s.ID())}
		}
	}
	return []table.Update{table.NewAddPartitionSpecUpdate(&spec, false), table.NewSetDefaultSpecUpdate(-1)}
}

// newOrder makes a sort order the table's default.
func newOrder(meta table.Metadata, order table.SortOrder) []table.Update {
	if sameOrder(meta.SortOrder(), order) {
		return nil
	}
	for _, o := range meta.SortOrders() {
		if sameOrder(o, order) {
			return []table.Update{table.NewSetDefaultSortOrderUpdate(o.OrderID())}
		}
	}
	return []table.Update{table.NewAddSortOrderUpdate(&order), table.NewSetDefaultSortOrderUpdate(-1)}
}

// sameOrder compares orders but for their ids.
func sameOrder(a, b table.SortOrder) bool {
	for i, f := range a.Fields() {
		if i >= b.Len() || !f.Equals(b.Field(i)) {
			return false
		}
	}
	return a.Len() == b.Len()
}
