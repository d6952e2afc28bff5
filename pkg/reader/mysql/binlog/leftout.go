package binlog

import (
	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A leftOut stands for a column that the source has and the table is to be without.
type leftOut struct{ batch.Column }

// Null does nothing.
func (leftOut) Null() {}

// leftOutField passes over the values of a column, by functions of its own, so that
// rows of whole tables are read as if there were no such thing.
func leftOutField(c *schema.Column, w *MapColumn) field {
	f := field{col: leftOut{}, nullable: true, json: w.Type == typeJSON, blank: func() {}}
	f.width, f.prefix = shape(w, c.Type.Precision)
	f.append = func([]byte) error { return nil }
	return f
}
