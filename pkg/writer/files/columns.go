package files

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A column is one of the files.
type column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	Comment  string `json:"comment,omitempty"`
}

// typeNames are Hive's, but for timestamps that are points in time.
var typeNames = map[string]arrow.DataType{
	"boolean":      arrow.FixedWidthTypes.Boolean,
	"int":          arrow.PrimitiveTypes.Int32,
	"bigint":       arrow.PrimitiveTypes.Int64,
	"float":        arrow.PrimitiveTypes.Float32,
	"double":       arrow.PrimitiveTypes.Float64,
	"date":         arrow.FixedWidthTypes.Date32,
	"timestamp":    &arrow.TimestampType{Unit: arrow.Microsecond},
	"timestamptz":  &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	"string":       arrow.BinaryTypes.String,
	"binary":       arrow.BinaryTypes.Binary,
	"array<float>": arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32),
}

// typeName is how manifests write a type.
func typeName(t arrow.DataType) (string, error) {
	if d, ok := t.(*arrow.Decimal128Type); ok {
		return fmt.Sprintf("decimal(%d,%d)", d.Precision, d.Scale), nil
	}
	for name, of := range typeNames {
		if arrow.TypeEqual(t, of) {
			return name, nil
		}
	}
	return "", fmt.Errorf("type %s has no place in files", t)
}

func parseType(name string) (arrow.DataType, error) {
	if t, ok := typeNames[name]; ok {
		return t, nil
	}
	var d arrow.Decimal128Type
	if n, _ := fmt.Sscanf(name, "decimal(%d,%d)", &d.Precision, &d.Scale); n == 2 {
		return &d, nil
	}
	return nil, fmt.Errorf("type %q is not known", name)
}

// columnsOf returns the columns of a table that is made.
func columnsOf(t *schema.Table) ([]column, error) {
	columns := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		name, err := typeName(c.Arrow)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		columns[i] = column{c.Name, name, c.Nullable, c.Comment}
	}
	return columns, nil
}

func (c column) String() string {
	if c.Nullable {
		return c.Type
	}
	return c.Type + " not null"
}

// shapeDiff tells what keeps rows with the columns want from being added to files with the
// columns have; "" if nothing does. Columns to spare, which the rows have no value for and
// need none, are a difference too unless they are allowed.
func shapeDiff(have, want []column, spare bool) string {
	var diff []string
	for _, w := range want {
		h := find(have, w.Name)
		switch {
		case h == nil:
			diff = append(diff, fmt.Sprintf("%s: not at the sink, %s at the source", w.Name, w))
		case h.Type != w.Type, !h.Nullable && w.Nullable:
			diff = append(diff, fmt.Sprintf("%s: %s at the sink, %s at the source", w.Name, h, w))
		}
	}
	for _, h := range have {
		if find(want, h.Name) == nil && (!h.Nullable || !spare) {
			diff = append(diff, fmt.Sprintf("%s: %s at the sink, not at the source", h.Name, h))
		}
	}
	return strings.Join(diff, "; ")
}

// find returns the column of a name, in whatever case: Hive and Spark make no difference.
func find(columns []column, name string) *column {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i := range columns {
			if same(columns[i].Name, name) {
				return &columns[i]
			}
		}
	}
	return nil
}

// grown returns the columns that files get so that rows with the columns want can be added
// to those with the columns have: new ones come last, since text has them by their place,
// and those that the rows lack may be null from now on. If narrower is set, those of the
// rows may be narrower than what is there.
func grown(have, want []column, narrower bool) ([]column, error) {
	out := slices.Clone(have)
	for i, h := range have {
		w := find(want, h.Name)
		switch {
		case w == nil:
			out[i].Nullable = true
			continue
		case widens(h.Type, w.Type):
			out[i].Type = w.Type
		case narrower && widens(w.Type, h.Type):
		default:
			return nil, fmt.Errorf("column %s holds %s and cannot hold %s", h.Name, h.Type, w.Type)
		}
		out[i].Nullable = h.Nullable || w.Nullable
	}
	for _, w := range want {
		if find(have, w.Name) == nil {
			w.Nullable = true // in the rows that are there
			out = append(out, w)
		}
	}
	return out, nil
}

// widens reports whether a type can be exchanged for another that has the same values and
// more, with the files that are there as they are.
func widens(from, to string) bool {
	switch {
	case from == to, from == "int" && to == "bigint", from == "float" && to == "double":
		return true
	}
	var p, s, p2, s2 int
	n, _ := fmt.Sscanf(from, "decimal(%d,%d)", &p, &s)
	m, _ := fmt.Sscanf(to, "decimal(%d,%d)", &p2, &s2)
	return n == 2 && m == 2 && s == s2 && p <= p2
}
