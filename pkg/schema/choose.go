package schema

import "slices"

// Choose returns the table with those of its columns that keep names, in the
// table's own order. Without all columns of its key it has no key.
func (t *Table) Choose(keep []string) *Table {
	var columns []Column
	at := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		at[i] = -1
		if slices.Contains(keep, c.Name) {
			at[i] = len(columns)
			columns = append(columns, c)
		}
	}
	if len(columns) == len(t.Columns) {
		return t
	}
	var key []int
	for _, k := range t.Key {
		if at[k] < 0 {
			key = nil
			break
		}
		key = append(key, at[k])
	}
	c := New(t.DB, t.Name, columns, key)
	c.Comment, c.Rows, c.Bytes, c.Filter, c.Whole = t.Comment, t.Rows, t.Bytes, t.Filter, t.AtSource()
	return c
}

// SourceKey is the primary key that the table has at the source, be it a changelog
// here: indexes into the columns of AtSource. Nil if it has none.
func (t *Table) SourceKey() []int {
	switch {
	case t.Base != nil:
		return t.Base.SourceKey()
	case t.Now != nil:
		return t.Now.SourceKey()
	}
	if t.Whole == nil && t.IsChangelog() {
		return t.RowKey
	}
	return t.AtSource().Key
}

// AtSource returns the table with all columns that it has at the source.
func (t *Table) AtSource() *Table {
	switch {
	case t.Base != nil:
		return t.Base.AtSource()
	case t.Now != nil:
		return t.Now.AtSource()
	case t.Whole != nil:
		return t.Whole
	}
	return t
}
