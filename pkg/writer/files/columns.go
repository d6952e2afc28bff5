package files

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// fileTypes are how types of columns go together.
var fileTypes = kept.Types{Widens: widens}

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
func columnsOf(t *schema.Table) ([]kept.Column, error) {
	columns := make([]kept.Column, len(t.Columns))
	for i, c := range t.Columns {
		name, err := typeName(c.Arrow)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		columns[i] = kept.Column{Name: c.Name, Type: name, Nullable: c.Nullable, Comment: c.Comment}
	}
	return columns, nil
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
