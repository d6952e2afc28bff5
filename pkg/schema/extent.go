package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// An Extent is how far a copy follows its table as that is altered.
type Extent uint8

// The extents.
const (
	// Everything: the copy becomes what the table has become, and is made anew if need be.
	Everything Extent = iota
	// Additions: columns come and types grow. What goes at the source stays, and is NULL from then
	// on; a column that is called otherwise has gone, and another one has come. No copy is made
	// anew.
	Additions
	// Nothing: the copy keeps its columns and their types.
	Nothing
)

// Keep returns the table with the columns that it has although the source's has become now: those
// of names in left are Gone from here on. It is now itself where nothing is left to tell them apart.
// An error says which column is of a type now whose values are none of the column's.
func (t *Table) Keep(now *Table, left []string) (*Table, error) {
	columns := slices.Clone(t.Columns)
	same := len(t.Columns) == len(now.Columns)
	for i := range columns {
		c := &columns[i]
		if c.Meta != NotMeta {
			continue
		}
		at := now.find(c.Name, i)
		c.Gone = c.Gone || at < 0 || slices.ContainsFunc(left, func(name string) bool { return strings.EqualFold(name, c.Name) })
		if c.Gone {
			c.Nullable, same = true, false
			continue
		}
		n := now.Columns[at]
		if !narrows(n, *c) {
			return nil, fmt.Errorf("column %s is %s now, and was %s, as it stays at the sink", c.Name, n.Native, c.Native)
		}
		c.Nullable = c.Nullable || n.Nullable
		same = same && at == i && n.Name == c.Name && n.Native == c.Native && n.Charset == c.Charset
	}
	if same {
		return now, nil
	}
	k := New(t.DB, t.Name, columns, t.Key)
	k.Comment, k.Rows, k.Bytes, k.RowKey, k.Now = now.Comment, now.Rows, now.Bytes, t.RowKey, now
	return k, nil
}

// narrows reports whether values of one column may be such of another one, each by itself.
func narrows(from, to Column) bool {
	if from.meaning() != to.meaning() {
		return false
	}
	wide, ok := widerArrow(from.Arrow, to.Arrow)
	return ok && (arrow.TypeEqual(wide, from.Arrow) || arrow.TypeEqual(wide, to.Arrow))
}

// Unkept are the columns of Now whose values have no place in Columns: nil if all have one.
func (t *Table) Unkept() []string {
	var out []string
	if t.Now == nil {
		return nil
	}
	for i, c := range t.Now.Columns {
		if at := t.find(c.Name, i); c.Meta == NotMeta && (at < 0 || t.Columns[at].Gone) {
			out = append(out, c.Name)
		}
	}
	return out
}

// kept is what a shape tells of columns that stay as they were: name, native type, charset, and
// "gone" for those that the source has no longer.
func (t *Table) kept() (out [][4]string) {
	for _, c := range t.Columns {
		if c.Meta != NotMeta {
			continue
		}
		gone := ""
		if c.Gone {
			gone = "gone"
		}
		out = append(out, [4]string{c.Name, c.Native, c.Charset, gone})
	}
	return out
}

// KeptIn returns the table that Shape has described with the columns that stayed as they were: t is
// what FromShape has made of it, and comes back if that is all.
func (t *Table) KeptIn(text string) (*Table, error) {
	var s shape
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("read the shape of %s: %w", t, err)
	}
	if len(s.Kept) == 0 {
		return t, nil
	}
	columns := make([]Column, len(s.Kept))
	for i, c := range s.Kept {
		var err error
		if columns[i], err = shapedColumn(c[0], c[1], c[2]); err != nil {
			return nil, fmt.Errorf("read the shape of %s: %w", t, err)
		}
		columns[i].Gone = c[3] != ""
		if at := t.Index(c[0]); at >= 0 && !columns[i].Gone {
			columns[i].Comment, columns[i].Collation = t.Columns[at].Comment, t.Columns[at].Collation
		}
	}
	k, err := keyed(t.DB, t.Name, columns, s.Key)
	if err != nil {
		return nil, fmt.Errorf("read the shape of %s: %w", t, err)
	}
	k.Comment, k.Rows, k.Bytes, k.Now = t.Comment, t.Rows, t.Bytes, t
	return k, nil
}

// Keeps reports whether a table that Shape has described may have columns that stayed as they were.
func Keeps(text string) bool { return strings.Contains(text, `"kept":`) }
