package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A shape is what a table was at its source when rows were last taken from it,
// as it is kept beside these rows. Behind the reader many types become one, so
// that the destination's own columns do not tell an ALTER TABLE from none.
type shape struct {
	Columns [][3]string `json:"columns"` // name, native type, charset
	Key     []string    `json:"key,omitempty"`
	// Shaping is what the rows are made by of those of that table.
	Shaping string `json:"shaping,omitempty"`
	// Kept are the columns of the rows where they are not those of the source: see Table.kept.
	Kept [][4]string `json:"kept,omitempty"`
}

func (t *Table) shape() shape {
	if t.Base != nil {
		s := t.Base.shape()
		s.Shaping = t.Shaping
		return s
	}
	if t.Now != nil {
		s := t.Now.shape()
		s.Kept = t.kept()
		return s
	}
	var s shape
	for _, c := range t.Columns {
		if c.Meta == NotMeta {
			s.Columns = append(s.Columns, [3]string{c.Name, c.Native, c.Charset})
		}
	}
	for _, k := range t.Key {
		s.Key = append(s.Key, t.Columns[k].Name)
	}
	return s
}

// Shape returns the table's shape in a form that Since understands: JSON.
func (t *Table) Shape() string {
	text, _ := json.Marshal(t.shape()) // of strings alone
	return string(text)
}

// Since tells how the table differs from what Shape once returned, or "" where
// rows taken by either are rows of the same table. What is wider now than it was
// makes no difference: the old rows stand as they are. So does a shape that was
// not kept: old is "".
func (t *Table) Since(old string) string {
	var was shape
	if old == "" {
		return ""
	}
	if err := json.Unmarshal([]byte(old), &was); err != nil {
		return "what is kept of its shape cannot be read: " + err.Error()
	}
	now := t.shape()
	for i, c := range now.Columns {
		if i >= len(was.Columns) {
			return "column " + c[0] + " is new"
		}
		o := was.Columns[i]
		if o[0] != c[0] {
			return fmt.Sprintf("column %s where %s was", c[0], o[0])
		}
		if o[2] != c[2] || !Widened(o[1], c[1]) {
			return fmt.Sprintf("column %s was %s and is %s", c[0], strings.TrimSpace(o[1]+" "+o[2]), strings.TrimSpace(c[1]+" "+c[2]))
		}
	}
	if len(was.Columns) > len(now.Columns) {
		return "column " + was.Columns[len(now.Columns)][0] + " is gone"
	}
	if !slices.Equal(was.Key, now.Key) {
		return keyWas(was.Key, now.Key)
	}
	return ""
}

func keyWas(was, now []string) string {
	return fmt.Sprintf("its primary key was (%s) and is (%s)", strings.Join(was, ", "), strings.Join(now, ", "))
}

// ShapedSince tells how rows are made otherwise than those of what Shape once returned, or "".
func (t *Table) ShapedSince(old string) string {
	var was shape
	if old == "" || json.Unmarshal([]byte(old), &was) != nil || was.Shaping == t.Shaping {
		return ""
	}
	by := func(how string) string {
		if how == "" {
			return "as they are at the source"
		}
		return "made by " + how
	}
	return fmt.Sprintf("holds rows %s, and rows %s are asked for", by(was.Shaping), by(t.Shaping))
}

// KeySince tells how the columns by which a row is told differ from those of what Shape
// once returned, or "" where they are the same ones, whatever their order and types and
// whatever else the table has. Of a shape that was not kept nothing is known.
func (t *Table) KeySince(old string) string {
	var was shape
	if old == "" || json.Unmarshal([]byte(old), &was) != nil {
		return ""
	}
	set := func(names []string) []string {
		lower := strings.Split(strings.ToLower(strings.Join(names, "\x00")), "\x00")
		slices.Sort(lower)
		return lower
	}
	if now := t.shape().Key; !slices.Equal(set(was.Key), set(now)) {
		return keyWas(was.Key, now)
	}
	return ""
}

// Widened reports whether a native type holds all values of another one, each by
// the same bytes: the two are equal, a VARCHAR or VARBINARY has become longer, or
// an ENUM or SET has got more labels behind those it had.
func Widened(from, to string) bool {
	if from == to {
		return true
	}
	base, rest, ok := strings.Cut(from, "(")
	base2, rest2, ok2 := strings.Cut(to, "(")
	if !ok || !ok2 || base != base2 {
		return false
	}
	switch base {
	case "varchar", "varbinary":
		n, err := strconv.Atoi(strings.TrimSuffix(rest, ")"))
		m, err2 := strconv.Atoi(strings.TrimSuffix(rest2, ")"))
		return err == nil && err2 == nil && n <= m
	case "enum", "set":
		return strings.HasPrefix(rest2, strings.TrimSuffix(rest, ")")+",")
	}
	return false
}

// FromShape returns the table that Shape has described, without what a shape does not
// tell: comments, and whether columns but those of the key may be null.
func FromShape(db, name, text string) (*Table, error) {
	var s shape
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("read the shape of %s.%s: %w", db, name, err)
	}
	columns := make([]Column, len(s.Columns))
	for i, c := range s.Columns {
		var err error
		if columns[i], err = shapedColumn(c[0], c[1], c[2]); err != nil {
			return nil, fmt.Errorf("read the shape of %s.%s: %w", db, name, err)
		}
	}
	t, err := keyed(db, name, columns, s.Key)
	if err != nil {
		return nil, fmt.Errorf("read the shape of %s.%s: %w", db, name, err)
	}
	return t, nil
}

// shapedColumn is a column as shapes tell of it.
func shapedColumn(name, native, charset string) (Column, error) {
	t, err := ParseMySQL(native)
	if err != nil {
		return Column{}, fmt.Errorf("column %s: %w", name, err)
	}
	return Column{Name: name, Native: native, Type: t, Arrow: t.Arrow(), Nullable: true, Charset: charset}, nil
}

// keyed returns a table whose key has these names.
func keyed(db, name string, columns []Column, names []string) (*Table, error) {
	t := &Table{Columns: columns}
	var key []int
	for _, k := range names {
		i := t.Index(k)
		if i < 0 {
			return nil, fmt.Errorf("there is no column %s", k)
		}
		columns[i].Nullable = false
		key = append(key, i)
	}
	return New(db, name, columns, key), nil
}
