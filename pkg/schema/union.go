package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Union returns the smallest table that takes rows of have and of more, both as they are
// at the source or both changelogs: the columns of have in their order, with types as wide
// as the two need, and behind them those that more alone has. What one of the two lacks
// may be null. Names are compared without case, and those of have stay. It is have itself
// where that takes the rows of more as it is, so that Union(Union(a, b), b) is the first.
// A type that was Guessed gives way to that of have, or leaves it as it is.
// A *TableError says which column has no common type, by the steps that a table of Iceberg
// can take without writing its rows anew, or that the key is another one.
func Union(have, more *Table) (*Table, error) {
	if have == more {
		return have, nil
	}
	if have.IsChangelog() != more.IsChangelog() {
		return nil, apart(have, fmt.Errorf("one is a table of changes, the other is none"))
	}
	if !sameKey(have, have.Key, more, more.Key) || !sameKey(have, have.RowKey, more, more.RowKey) {
		return nil, apart(have, fmt.Errorf("its primary key was (%s) and is (%s)", have.keyNames(), more.keyNames()))
	}
	n, m := have.sources(), more.sources()
	columns := slices.Clip(have.Columns[:n]) // a change copies them
	changed := false
	met := 0 // columns of have that more has
	for i, c := range more.Columns[:m] {
		at := have.find(c.Name, i)
		if at < 0 {
			c.Nullable = true
			columns, changed = append(columns, c), true
			continue
		}
		met++
		h := have.Columns[at]
		wide, err := joined(h, c)
		if err != nil {
			return nil, apart(have, err)
		}
		if wide.Native != h.Native || wide.Nullable != h.Nullable || !arrow.TypeEqual(wide.Arrow, h.Arrow) {
			if !changed {
				columns, changed = slices.Clone(columns), true
			}
			columns[at] = wide
		}
	}
	if met < n {
		for i := range n {
			if !have.Columns[i].Nullable && more.find(have.Columns[i].Name, i) < 0 {
				if !changed {
					columns, changed = slices.Clone(columns), true
				}
				columns[i].Nullable = true
			}
		}
	}
	if !changed {
		return have, nil
	}
	u := New(have.DB, have.Name, append(columns, have.Columns[n:]...), have.Key)
	u.Comment, u.Rows, u.Bytes, u.Filter, u.Whole, u.RowKey = have.Comment, have.Rows, have.Bytes, have.Filter, have.Whole, have.RowKey
	return u, nil
}

// joined returns column h with a type that takes the values of c as well.
func joined(h, c Column) (Column, error) {
	wide, ok := wider(h, c)
	switch {
	case ok:
	case h.Guessed || c.Guessed:
		wide = h
	default:
		return h, fmt.Errorf("column %s was %s and is %s: no type takes both", h.Name, h.Native, c.Native)
	}
	wide.Nullable = h.Nullable || c.Nullable
	return wide, nil
}

// apart is the error of two tables that are none.
func apart(have *Table, err error) error {
	return &TableError{Table: have.String(), Err: hint.Wrap(err, "take the rows of the new shape into another table, or drop this one and begin anew with them")}
}

// sources is how many columns are the source's.
func (t *Table) sources() int {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Meta != NotMeta {
		n--
	}
	return n
}

// find returns the place of a column of the source's, most likely near, or -1.
func (t *Table) find(name string, near int) int {
	n := t.sources()
	if near < n && t.Columns[near].Name == name {
		return near
	}
	for i := range n {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return i
		}
	}
	return -1
}

// sameKey reports whether two tables have the same columns in a key, in any order.
func sameKey(a *Table, x []int, b *Table, y []int) bool {
	if len(x) != len(y) {
		return false
	}
	for _, k := range x {
		at := b.find(a.Columns[k].Name, k)
		if !slices.Contains(y, at) {
			return false
		}
	}
	return true
}

func (t *Table) keyNames() string {
	var names []string
	for _, k := range append(slices.Clip(t.Key), t.RowKey...) {
		names = append(names, t.Columns[k].Name)
	}
	return strings.Join(names, ", ")
}
