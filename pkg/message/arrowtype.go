package message

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// fieldType returns the type of a Field of Schema.fbs, nil if it is none that messages
// have.
func fieldType(f *flat, field int) arrow.DataType {
	t := f.table(field, 3)
	switch f.number(field, 2, 1, 0) {
	case 2: // Int
		return intType(f, t)
	case 3: // FloatingPoint
		return floatType(f, t)
	case 4:
		return arrow.BinaryTypes.Binary
	case 5:
		return arrow.BinaryTypes.String
	case 6:
		return arrow.FixedWidthTypes.Boolean
	case 7: // Decimal
		return decimalType(f, t)
	case 8: // Date
		if f.number(t, 0, 2, 1) == 0 {
			return arrow.FixedWidthTypes.Date32
		}
	case 10: // Timestamp
		if zone := f.text(t, 1); f.number(t, 0, 2, 0) == 2 && (zone == "" || zone == "UTC") {
			return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: zone}
		}
	case 12: // List
		items, n := f.vector(field, 5, 4)
		if n != 1 {
			return nil
		}
		if item := f.ref(items); f.number(item, 2, 1, 0) == 3 && floatType(f, f.table(item, 3)) == arrow.PrimitiveTypes.Float32 {
			return arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32)
		}
	}
	return nil
}

func intType(f *flat, t int) arrow.DataType {
	if f.number(t, 1, 1, 0) == 0 {
		return nil // unsigned
	}
	switch f.number(t, 0, 4, 0) {
	case 32:
		return arrow.PrimitiveTypes.Int32
	case 64:
		return arrow.PrimitiveTypes.Int64
	}
	return nil
}

func floatType(f *flat, t int) arrow.DataType {
	switch f.number(t, 0, 2, 0) {
	case 1:
		return arrow.PrimitiveTypes.Float32
	case 2:
		return arrow.PrimitiveTypes.Float64
	}
	return nil
}

func decimalType(f *flat, t int) arrow.DataType {
	digits, scale := f.number(t, 0, 4, 0), f.number(t, 1, 4, 0)
	if f.number(t, 2, 4, 128) != 128 || digits < 1 || digits > schema.MaxDecimal || scale < 0 || scale > digits {
		return nil
	}
	return &arrow.Decimal128Type{Precision: int32(digits), Scale: int32(scale)}
}
