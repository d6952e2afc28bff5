package iceberg

import (
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// An oldShape is what a table was when the schema was made that the next commit
// gives it: the commit holds only for a table that still is so.
type oldShape struct {
	schema *iceberg.Schema
	last   int // the highest column id ever given out
}

// changed reports whether the table has got other columns since.
func (o *oldShape) changed(tbl *table.Table) bool {
	return o != nil && (!sameSchema(o.schema, tbl.Schema()) || o.last != tbl.Metadata().LastColumnID())
}

// reshape settles which schema the next commit gives an existing table, if another
// than it has. It is done before the first file is written, for files carry column
// ids.
func (w *Writer) reshape(tbl *table.Table) error {
	old := oldShape{tbl.Schema(), tbl.Metadata().LastColumnID()}
	to := old.schema
	switch w.mode {
	case writer.Replace:
		to = exchanged(old.schema, w.want, old.last)
	case writer.Evolve:
		var diff string
		if to, diff = evolved(old.schema, w.want, old.last); diff != "" {
			err := fmt.Errorf("table %s cannot take the source's rows in beside its own: %s", w.name(), diff)
			return w.tableError(hint.Wrap(err, exchange))
		}
	}
	if !sameSchema(old.schema, to) {
		w.schema, w.was = to, &old
	}
	return nil
}

// shaped returns the metadata of the table with the shape that the commit gives
// it, and the part of the commit that does so.
func (w *Writer) shaped(meta table.Metadata, location string) (c table.TableCommit, now table.Metadata, err error) {
	if w.mode == writer.Replace && w.replace && meta.Version() < formatVersion {
		c.Updates = append(c.Updates, table.NewUpgradeFormatVersionUpdate(formatVersion))
	}
	if w.was != nil {
		c.Updates = append(c.Updates, w.newSchema(meta)...)
		c.Updates = append(c.Updates, w.newSortOrder(meta)...)
		c.Requirements = append(c.Requirements,
			table.AssertCurrentSchemaID(meta.CurrentSchema().ID), table.AssertLastAssignedFieldID(meta.LastColumnID()),
			table.AssertDefaultSpecID(meta.DefaultPartitionSpec()), table.AssertDefaultSortOrderID(meta.DefaultSortOrder()))
	}
	if len(c.Updates) == 0 {
		return c, meta, nil
	}
	now, err = table.UpdateTableMetadata(meta, c.Updates, location)
	return c, now, err
}

// newSchema makes the schema the current one. One that the table has had before is
// taken from its history: catalogs do not take it for a new one.
func (w *Writer) newSchema(meta table.Metadata) []table.Update {
	for _, s := range meta.Schemas() {
		if sameSchema(s, w.schema) {
			return []table.Update{table.NewSetCurrentSchemaUpdate(s.ID)}
		}
	}
	// A copy, for it is given an id of its own.
	s := iceberg.NewSchemaWithIdentifiers(0, w.schema.IdentifierFieldIDs, w.schema.Fields()...)
	return []table.Update{table.NewAddSchemaUpdate(s), table.NewSetCurrentSchemaUpdate(-1)}
}

// newSortOrder gives the table's sort order up if one of its columns goes.
func (w *Writer) newSortOrder(meta table.Metadata) []table.Update {
	order := meta.SortOrder()
	for _, f := range order.Fields() {
		if _, ok := w.schema.FindFieldByID(f.SourceID()); ok {
			continue
		}
		unsorted := table.UnsortedSortOrder
		for _, o := range meta.SortOrders() {
			if o.OrderID() == unsorted.OrderID() {
				return []table.Update{table.NewSetDefaultSortOrderUpdate(o.OrderID())}
			}
		}
		return []table.Update{table.NewAddSortOrderUpdate(&unsorted), table.NewSetDefaultSortOrderUpdate(-1)}
	}
	return nil
}

// missing returns the properties, without those of the commit itself, that the
// commit sets: what a table whose content is exchanged lacks of what a new one
// has, its comment if that is to change, and the source's shape.
func (w *Writer) missing(have iceberg.Properties) iceberg.Properties {
	set := iceberg.Properties{}
	if w.replace && w.mode == writer.Replace {
		for k, v := range newTableProperties(w.src) {
			if _, ok := have[k]; !ok || k == sourceProperty {
				set[k] = v
			}
		}
	}
	if c := w.src.Comment; c != "" && c != have["comment"] && (w.mode == writer.Replace || w.mode == writer.Evolve) {
		set["comment"] = c
	}
	if shape := w.src.Shape(); have[shapeProperty] != shape {
		set[shapeProperty] = shape
	}
	return set
}
