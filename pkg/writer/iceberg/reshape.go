package iceberg

import (
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// An oldShape is what a table was when it was settled what the next commit makes of
// it: the commit holds only for a table that still is so.
type oldShape struct {
	schema *iceberg.Schema
	last   int // the highest column id ever given out
	layout tableLayout
}

// changed reports whether the table has got other columns since.
func (o *oldShape) changed(tbl *table.Table) bool {
	return o != nil && (!sameSchema(o.schema, tbl.Schema()) || o.last != tbl.Metadata().LastColumnID())
}

// reshape settles which schema and which layout the next commit gives an existing
// table, if others than it has. It is done before the first file is written, for
// files carry ids of columns and of the partition spec.
func (w *Writer) reshape(tbl *table.Table) error {
	meta := tbl.Metadata()
	old := oldShape{tbl.Schema(), meta.LastColumnID(), w.layout}
	switch {
	case w.exchanges():
		w.schema = exchanged(old.schema, w.want, old.last)
	case w.mode == writer.Evolve || w.mode == writer.Extend:
		to, diff := evolved(old.schema, w.want, old.last)
		if diff != "" && w.mode == writer.Extend && countedRows(tbl) == 0 {
			to, diff = exchanged(old.schema, w.want, old.last), "" // it was emptied, for this most likely
		}
		if diff != "" {
			err := fmt.Errorf("table %s cannot take the source's rows in beside its own: %s", w.name(), diff)
			return w.tableError(writer.Unlike(hint.Wrap(err, "%s", w.remedy(old.schema))))
		}
		w.schema = to
	default:
		return nil
	}
	c, err := w.shapeUpdates(meta)
	if err != nil {
		return w.tableError(err)
	}
	if len(c.Updates) == 0 {
		w.schema = old.schema
		return nil
	}
	now, err := table.UpdateTableMetadata(meta, c.Updates, tbl.MetadataLocation())
	if err != nil {
		return fmt.Errorf("change the shape of %s: %w", w.name(), err)
	}
	w.was, w.layout = &old, layoutOf(now)
	return nil
}

// shaped returns the metadata of the table with the shape that the commit gives
// it, and the part of the commit that does so.
func (w *Writer) shaped(meta table.Metadata, location string) (c table.TableCommit, now table.Metadata, err error) {
	if w.was == nil {
		return c, meta, nil
	}
	if c, err = w.shapeUpdates(meta); err == nil {
		now, err = table.UpdateTableMetadata(meta, c.Updates, location)
	}
	return c, now, err
}

// shapeUpdates returns what gives a table the schema of the files that are written and,
// if its content is exchanged, the layout that goes with it. There are no updates if
// it has them.
func (w *Writer) shapeUpdates(meta table.Metadata) (c table.TableCommit, err error) {
	if w.exchanges() && meta.Version() < w.versionFor(meta) {
		c.Updates = append(c.Updates, table.NewUpgradeFormatVersionUpdate(w.versionFor(meta)))
	}
	if !sameSchema(meta.CurrentSchema(), w.schema) {
		c.Updates = append(c.Updates, newSchema(meta, w.schema)...)
	}
	if w.exchanges() {
		spec, order, err := w.relayout(meta)
		if err != nil {
			return c, err
		}
		c.Updates = append(append(c.Updates, newSpec(meta, spec)...), newOrder(meta, order)...)
	}
	c.Requirements = []table.Requirement{
		table.AssertCurrentSchemaID(meta.CurrentSchema().ID), table.AssertLastAssignedFieldID(meta.LastColumnID()),
		table.AssertDefaultSpecID(meta.DefaultPartitionSpec()), table.AssertDefaultSortOrderID(meta.DefaultSortOrder()),
	}
	if id := meta.LastPartitionSpecID(); id != nil {
		c.Requirements = append(c.Requirements, table.AssertLastAssignedPartitionID(*id))
	}
	return c, nil
}

// newSchema makes sc the current schema. One that the table has had before is taken
// from its history: catalogs do not take it for a new one.
func newSchema(meta table.Metadata, sc *iceberg.Schema) []table.Update {
	for _, s := range meta.Schemas() {
		if sameSchema(s, sc) {
			return []table.Update{table.NewSetCurrentSchemaUpdate(s.ID)}
		}
	}
	// A copy, for it is given an id of its own.
	s := iceberg.NewSchemaWithIdentifiers(0, sc.IdentifierFieldIDs, sc.Fields()...)
	return []table.Update{table.NewAddSchemaUpdate(s), table.NewSetCurrentSchemaUpdate(-1)}
}

// missing returns the properties, without those of the commit itself, that the
// commit sets: what a table whose content is exchanged lacks of what a new one
// has, its comment if that is to change, and the source's shape.
func (w *Writer) missing(have iceberg.Properties) iceberg.Properties {
	set := iceberg.Properties{}
	if w.unborn || w.replace && w.mode == writer.Replace {
		for k, v := range newTableProperties(w.src) {
			if was, ok := have[k]; !ok || k == sourceProperty && was != v {
				set[k] = v
			}
		}
		for k, v := range w.askedLayout().Properties {
			if have[k] != v {
				set[k] = v
			}
		}
	}
	reshapes := w.mode == writer.Replace || w.mode == writer.Evolve || w.mode == writer.Extend && w.was != nil
	if c := w.src.Comment; c != "" && c != have["comment"] && reshapes {
		set["comment"] = c
	}
	// Of a table that is shared, others may have met a later shape since.
	if shape := w.src.Shape(); have[shapeProperty] != shape && (w.merge == nil || reshapes || !w.told) {
		set[shapeProperty] = shape
	}
	return set
}
