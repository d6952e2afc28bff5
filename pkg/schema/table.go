// Package schema describes source tables in Arrow terms.
package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Column is one column of a Table.
type Column struct {
	Name     string
	Native   string         // the source's type as the source prints it: "bigint unsigned"
	Type     Type           // Native, parsed
	Arrow    arrow.DataType // what the column is everywhere behind the reader
	Nullable bool           // of the destination: wider than the source's where a value may have no image
	Comment  string
	Charset  string // the source's name of what its log has text in; "" for other types
	// Collation is the source's name of how texts are compared; "" where it is not known.
	Collation string
	Meta      Meta // not NotMeta: the source has no such column, its reader fills it in
	// Guessed says that the source does not tell the type: it was made out from values, and
	// any other that takes them does as well.
	Guessed bool
	// Gone says, of a table with a Now, that the source has the column no longer, whatever it has
	// under its name: there are no values.
	Gone bool
}

// A Table is the shape of one source table at one moment. It is immutable: an
// ALTER TABLE yields a new *Table, so pointer inequality means "schema changed".
type Table struct {
	DB, Name string
	Comment  string
	Columns  []Column
	Key      []int         // indexes into Columns of the primary key, in key order; nil if none
	RowKey   []int         // of a changelog: the source's Key
	Arrow    *arrow.Schema // one field per column, in column order

	// Filter is the condition, in the source's own words, that the rows meet which
	// are copied; "" is all rows. A source cannot follow such a table: its log tells of all.
	Filter string
	// Whole is the table as it is at the source, if only some of its columns are in
	// Columns; else nil.
	Whole *Table
	// Base is the table of the source that this one is made of, row by row, in the way that
	// Shaping tells apart from others; nil for one that is as the source has it.
	Base    *Table
	Shaping string
	// Unfit is why that cannot be done with the table as it is now; nil for one that can be read.
	Unfit error
	// Now is the table as the source has it, of the same form, where Columns stay as they once were;
	// else nil. Columns that are not Gone have those of their names in Now.
	Now *Table

	// Rows and Bytes are the source's own estimates at the time the table was
	// listed, for progress and planning only; 0 if unknown.
	Rows, Bytes int64
}

// Index returns the place of the column of a name, in whatever case if there is none in that
// one, or -1.
func (t *Table) Index(name string) int {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		i = slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
	}
	return i
}

// NoColumn is the error of a column that the table does not have, with what may have been meant.
func (t *Table) NoColumn(name string) error {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	err := fmt.Errorf("%s has no column %q", t, name)
	if near := hint.Nearest(name, names); near != "" {
		return hint.Wrap(err, "did you mean %s?", near)
	}
	return hint.Wrap(err, "its columns are %s", strings.Join(names, ", "))
}

// New returns a Table whose Arrow schema is made from its columns.
func New(db, name string, columns []Column, key []int) *Table {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Arrow, Nullable: c.Nullable}
	}
	return &Table{DB: db, Name: name, Columns: columns, Key: key, Arrow: arrow.NewSchema(fields, nil)}
}

// String returns the table's name as messages and patterns write it.
func (t *Table) String() string { return t.DB + "." + t.Name }

// A TableError concerns one table alone: the others of the run can go on.
type TableError struct {
	Table string // as Table.String
	Err   error
	// Anew says that a copy made anew would be followed: what is wrong is between the copy that
	// is there and the table.
	Anew bool
}

// Error names the table before the cause.
func (e *TableError) Error() string { return fmt.Sprintf("%s: %v", e.Table, e.Err) }

// Unwrap returns the cause.
func (e *TableError) Unwrap() error { return e.Err }
