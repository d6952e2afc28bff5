// Package kept has what sinks keep of tables beside their rows, and the rules by which rows
// may be written to what is there.
package kept

import "strings"

// A Table is what is kept of a table.
type Table struct {
	Source string `json:"source"`           // the source's table, as schema.Table.String
	Shape  string `json:"shape,omitempty"`  // schema.Table.Shape
	Filter string `json:"filter,omitempty"` // schema.Table.Filter
	// RowsAdded is the mode by which rows were added to others, which may be there twice.
	RowsAdded string   `json:"rowsAdded,omitempty"`
	Columns   []Column `json:"columns"`
}

// A Column is one of a table at a sink.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // as the sink names it
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

// Find returns the column of a name, in whatever case, or nil: readers like Hive and Spark
// make no difference.
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
