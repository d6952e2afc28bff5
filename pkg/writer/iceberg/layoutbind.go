package iceberg

import (
	"fmt"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// bindPartition makes a spec of the terms, with the names that Java's builder
// gives to partition fields.
func bindPartition(terms []partitionTerm, sc *iceberg.Schema) (iceberg.PartitionSpec, error) {
	var none iceberg.PartitionSpec
	fields := make([]iceberg.PartitionField, len(terms))
	for i, t := range terms {
		source, err := column(sc, t.column)
		if err != nil {
			return none, err
		}
		if err := transformable(t.transform, source); err != nil {
			return none, err
		}
		name := source.Name
		switch t.transform.(type) {
		case iceberg.IdentityTransform:
		case iceberg.BucketTransform:
			name += "_bucket"
		case iceberg.TruncateTransform:
			name += "_trunc"
		case iceberg.VoidTransform:
			name += "_null"
		default:
			name += "_" + t.transform.String()
		}
		name = avroName(name)
		if other, ok := fieldByName(sc, name); ok && other.ID != source.ID {
			return none, fmt.Errorf("%s would be called %s, which is the name of a column", t, name)
		}
		for j, f := range fields[:i] {
			if f.Name == name || f.SourceID() == source.ID && isTime(f.Transform) && isTime(t.transform) {
				return none, fmt.Errorf("%s and %s: one of them is enough", terms[j], t)
			}
		}
		fields[i] = iceberg.PartitionField{SourceIDs: []int{source.ID}, FieldID: 1000 + i, Name: name, Transform: t.transform}
	}
	return iceberg.NewPartitionSpecID(0, fields...), nil
}

// avroName makes a name of Avro of any name, in the way that Java's writer does:
// partition fields are fields of manifests too.
func avroName(name string) string {
	var b strings.Builder
	for i, c := range name {
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9' && i > 0:
			b.WriteRune(c)
		case '0' <= c && c <= '9':
			b.WriteString("_" + string(c))
		default:
			fmt.Fprintf(&b, "_x%X", c)
		}
	}
	return b.String()
}

func isTime(t iceberg.Transform) bool {
	switch t.(type) {
	case iceberg.YearTransform, iceberg.MonthTransform, iceberg.DayTransform, iceberg.HourTransform:
		return true
	}
	return false
}

// transformable tells what keeps a column from being partitioned so.
func transformable(t iceberg.Transform, f iceberg.NestedField) error {
	_, void := t.(iceberg.VoidTransform)
	_, list := f.Type.(*iceberg.ListType)
	if list && !void || !t.CanTransform(f.Type) {
		return fmt.Errorf("column %s: %s does not go with %s", f.Name, t, f.Type)
	}
	if _, ok := t.(iceberg.IdentityTransform); ok && isFloat(f.Type) {
		// Readers take such values from the partition, where -0 is not 0 and NaN
		// equals itself.
		return fmt.Errorf("column %s: partitions by %s are not supported", f.Name, f.Type)
	}
	return nil
}

func isFloat(t iceberg.Type) bool {
	return t.Equals(iceberg.PrimitiveTypes.Float32) || t.Equals(iceberg.PrimitiveTypes.Float64)
}

// bindSort makes a sort order of the fields.
func bindSort(fields []sortTerm, sc *iceberg.Schema) (table.SortOrder, error) {
	out := make([]table.SortField, len(fields))
	for i, f := range fields {
		source, err := column(sc, f.column)
		if err != nil {
			return table.SortOrder{}, err
		}
		if _, ok := source.Type.(*iceberg.ListType); ok {
			return table.SortOrder{}, fmt.Errorf("column %s: a %s has no order", source.Name, source.Type)
		}
		for _, g := range out[:i] {
			if g.SourceID() == source.ID {
				return table.SortOrder{}, fmt.Errorf("column %s is there twice", source.Name)
			}
		}
		out[i] = table.SortField{SourceIDs: []int{source.ID}, Transform: iceberg.IdentityTransform{}, Direction: f.direction, NullOrder: f.nulls}
	}
	return table.NewSortOrder(1, out)
}

// column finds a column by its name, in any case as MySQL does, if not exactly so.
func column(sc *iceberg.Schema, name string) (iceberg.NestedField, error) {
	if f, ok := fieldByName(sc, name); ok {
		return f, nil
	}
	for _, f := range sc.Fields() {
		if strings.EqualFold(f.Name, name) {
			return f, nil
		}
	}
	return iceberg.NestedField{}, fmt.Errorf("there is no column %s", name)
}
