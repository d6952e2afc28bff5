package iceberg

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// icebergSchema returns t as an Iceberg schema: field ids 1..n in column order,
// list elements numbered after them, the key as identifier fields where the
// format allows it.
func icebergSchema(t *schema.Table) (*iceberg.Schema, error) {
	next := len(t.Columns)
	fields := make([]iceberg.NestedField, len(t.Columns))
	for i, c := range t.Columns {
		typ, err := icebergType(c.Arrow, &next)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		fields[i] = iceberg.NestedField{ID: i + 1, Name: c.Name, Type: typ, Required: !c.Nullable, Doc: c.Comment}
	}
	return iceberg.NewSchemaWithIdentifiers(0, identifierIDs(t), fields...), nil
}

// identifierIDs returns the field ids of the key, or nil if the format does not
// let these columns identify a row: they must be required and no floats.
func identifierIDs(t *schema.Table) []int {
	ids := make([]int, 0, len(t.Key))
	for _, k := range t.Key {
		c := t.Columns[k]
		switch c.Arrow.ID() {
		case arrow.FLOAT32, arrow.FLOAT64, arrow.LIST:
			return nil
		}
		if c.Nullable {
			return nil
		}
		ids = append(ids, k+1)
	}
	return ids
}

func icebergType(t arrow.DataType, next *int) (iceberg.Type, error) {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return iceberg.PrimitiveTypes.Bool, nil
	case *arrow.Int32Type:
		return iceberg.PrimitiveTypes.Int32, nil
	case *arrow.Int64Type:
		return iceberg.PrimitiveTypes.Int64, nil
	case *arrow.Float32Type:
		return iceberg.PrimitiveTypes.Float32, nil
	case *arrow.Float64Type:
		return iceberg.PrimitiveTypes.Float64, nil
	case *arrow.Decimal128Type:
		return iceberg.DecimalTypeOf(int(t.Precision), int(t.Scale)), nil
	case *arrow.Date32Type:
		return iceberg.PrimitiveTypes.Date, nil
	case *arrow.TimestampType:
		switch {
		case t.Unit != arrow.Microsecond:
		case t.TimeZone == "":
			return iceberg.PrimitiveTypes.Timestamp, nil
		case t.TimeZone == "UTC":
			return iceberg.PrimitiveTypes.TimestampTz, nil
		}
	case *arrow.StringType:
		return iceberg.PrimitiveTypes.String, nil
	case *arrow.BinaryType:
		return iceberg.PrimitiveTypes.Binary, nil
	case *arrow.ListType:
		*next++
		id := *next
		elem, err := icebergType(t.Elem(), next)
		if err != nil {
			return nil, err
		}
		return &iceberg.ListType{ElementID: id, Element: elem, ElementRequired: !t.ElemField().Nullable}, nil
	}
	return nil, fmt.Errorf("type %s has no place in Iceberg", t)
}

// newMetadata returns the metadata of a table without snapshots. table.NewMetadata
// would number the schema's fields anew, and otherwise than Java does.
func newMetadata(sc *iceberg.Schema, lay tableLayout, location string, props iceberg.Properties) (table.Metadata, error) {
	b, err := table.NewMetadataBuilder(lay.version)
	if err != nil {
		return nil, err
	}
	spec, order := lay.spec, lay.order
	for _, step := range []func() error{
		func() error { return b.SetUUID(uuid.New()) },
		func() error { return b.AddSchema(sc) },
		func() error { return b.SetCurrentSchemaID(-1) },
		func() error { return b.AddPartitionSpec(&spec, true) },
		func() error { return b.SetDefaultSpecID(-1) },
		func() error { return b.AddSortOrder(&order) },
		func() error { return b.SetDefaultSortOrderID(-1) },
		func() error { return b.SetLoc(location) },
		func() error { return b.SetProperties(props) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.Build()
}

// Tables are made of format version formatVersion unless another is asked for,
// and written up to maxVersion.
const (
	formatVersion = 2
	maxVersion    = 3
)

// shapeDiff tells, column by column, what keeps rows shaped as want from being
// added to a table shaped as have; "" if nothing does. The order of columns does
// not matter: files are read by field id. Columns to spare, which the rows have no
// value for and need none, are a difference too unless they are allowed.
func shapeDiff(have, want *iceberg.Schema, spare bool) string {
	var diff []string
	seen := make(map[string]bool)
	for _, w := range want.Fields() {
		seen[w.Name] = true
		h, ok := fieldByName(have, w.Name)
		switch {
		case !ok:
			diff = append(diff, fmt.Sprintf("%s: not in the table, %s in the source", w.Name, describe(w)))
		case !sameType(h.Type, w.Type), h.Required && !w.Required:
			diff = append(diff, fmt.Sprintf("%s: %s in the table, %s in the source", w.Name, describe(h), describe(w)))
		}
	}
	for _, h := range have.Fields() {
		if !seen[h.Name] && (h.Required || !spare) {
			diff = append(diff, fmt.Sprintf("%s: %s in the table, not in the source", h.Name, describe(h)))
		}
	}
	return strings.Join(diff, "; ")
}

func fieldByName(sc *iceberg.Schema, name string) (iceberg.NestedField, bool) {
	// Only the top level counts: the schema's own index also finds "a.element".
	for _, f := range sc.Fields() {
		if f.Name == name {
			return f, true
		}
	}
	return iceberg.NestedField{}, false
}

// sameType compares types but for the ids within them.
func sameType(a, b iceberg.Type) bool {
	la, oka := a.(*iceberg.ListType)
	lb, okb := b.(*iceberg.ListType)
	if oka && okb {
		return sameType(la.Element, lb.Element) && (lb.ElementRequired || !la.ElementRequired)
	}
	return !oka && !okb && a.Equals(b)
}

func describe(f iceberg.NestedField) string {
	if f.Required {
		return f.Type.String() + " required"
	}
	return f.Type.String()
}
