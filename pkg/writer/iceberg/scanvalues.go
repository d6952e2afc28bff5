package iceberg

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A conversion returns values in another type, or an error if one of them has no place there.
// The caller releases them.
type conversion func(ctx context.Context, a arrow.Array) (arrow.Array, error)

// conversionTo returns the conversion from a type of the lake to one of the source's columns,
// or nil if no value of the one is one of the other. Mostly they are the same: others are in
// tables that columns have become wider in, or that other programs have made.
func conversionTo(to, from arrow.DataType) conversion {
	if arrow.TypeEqual(to, from) {
		return func(_ context.Context, a arrow.Array) (arrow.Array, error) { a.Retain(); return a, nil }
	}
	switch f := from.(type) {
	case *extensions.UUIDType:
		if to.ID() == arrow.STRING {
			return uuidText
		}
		return storageTo(to, f.StorageType())
	case arrow.ExtensionType:
		return storageTo(to, f.StorageType())
	case *arrow.ListType:
		if l, ok := to.(*arrow.ListType); ok {
			return listTo(l, f)
		}
		return nil
	case *arrow.Time64Type:
		if to.ID() == arrow.INT64 && f.Unit == arrow.Microsecond { // as the source's TIME is
			return viewAs(to)
		}
		return nil
	case *arrow.Decimal128Type:
		if to.ID() == arrow.STRING {
			return decimalText(f.Scale)
		}
	case *arrow.TimestampType:
		if t, ok := to.(*arrow.TimestampType); !ok || (t.TimeZone == "") != (f.TimeZone == "") {
			return nil
		}
	}
	for _, kin := range [][]arrow.Type{
		{arrow.INT32, arrow.INT64, arrow.DECIMAL128},
		{arrow.FLOAT32, arrow.FLOAT64},
		{arrow.TIMESTAMP},
		{arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY},
	} {
		if slices.Contains(kin, to.ID()) && slices.Contains(kin, from.ID()) {
			return exactly(to)
		}
	}
	return nil
}

// exactly converts values that come back from the other type as what they were.
func exactly(to arrow.DataType) conversion {
	return func(ctx context.Context, a arrow.Array) (arrow.Array, error) {
		out, err := compute.CastArray(ctx, a, compute.SafeCastOptions(to))
		if err != nil {
			return nil, fmt.Errorf("%s as %s: %w", a.DataType(), to, err)
		}
		if to.ID() == arrow.BINARY { // Arrow knows no way back, and takes all bytes
			return out, nil
		}
		again, err := compute.CastArray(ctx, out, compute.SafeCastOptions(a.DataType()))
		if err != nil {
			out.Release()
			return nil, fmt.Errorf("%s as %s: %w", a.DataType(), to, err)
		}
		defer again.Release()
		if array.ApproxEqual(a, again, array.WithNaNsEqual(true), array.WithAbsTolerance(0)) {
			return out, nil
		}
		defer out.Release()
		for i := range a.Len() {
			if a.IsValid(i) && a.ValueStr(i) != again.ValueStr(i) {
				return nil, fmt.Errorf("%s is %s, which is not a value of %s", a.ValueStr(i), a.DataType(), to)
			}
		}
		return nil, fmt.Errorf("a value of %s is not one of %s", a.DataType(), to)
	}
}

// storageTo converts what values of an extension type are stored as.
func storageTo(to, storage arrow.DataType) conversion {
	convert := conversionTo(to, storage)
	if convert == nil {
		return nil
	}
	return func(ctx context.Context, a arrow.Array) (arrow.Array, error) {
		return convert(ctx, a.(array.ExtensionArray).Storage())
	}
}

// viewAs takes the same bytes for values of another type.
func viewAs(to arrow.DataType) conversion {
	return func(_ context.Context, a arrow.Array) (arrow.Array, error) {
		d := a.Data()
		data := array.NewData(to, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())
		defer data.Release()
		return array.MakeFromData(data), nil
	}
}

// listTo converts lists, whose elements may be of another name and type.
func listTo(to, from *arrow.ListType) conversion {
	convert := conversionTo(to.Elem(), from.Elem())
	if convert == nil {
		return nil
	}
	return func(ctx context.Context, a arrow.Array) (arrow.Array, error) {
		elements, err := convert(ctx, a.(*array.List).ListValues())
		if err != nil {
			return nil, err
		}
		defer elements.Release()
		if !to.ElemField().Nullable && elements.NullN() > 0 {
			return nil, fmt.Errorf("a NULL in a list of %s", to.Elem())
		}
		d := a.Data()
		data := array.NewData(to, d.Len(), d.Buffers(), []arrow.ArrayData{elements.Data()}, d.NullN(), d.Offset())
		defer data.Release()
		return array.MakeFromData(data), nil
	}
}

// decimalText prints decimals as the source prints those that no decimal of Arrow's holds.
func decimalText(scale int32) conversion {
	return textOf(func(a arrow.Array, i int) string { return a.(*array.Decimal128).Value(i).ToString(scale) })
}

func uuidText(ctx context.Context, a arrow.Array) (arrow.Array, error) {
	return textOf(func(a arrow.Array, i int) string { return a.(*extensions.UUIDArray).Value(i).String() })(ctx, a)
}

func textOf(text func(a arrow.Array, i int) string) conversion {
	return func(_ context.Context, a arrow.Array) (arrow.Array, error) {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		defer b.Release()
		for i := range a.Len() {
			if a.IsNull(i) {
				b.AppendNull()
			} else {
				b.Append(text(a, i))
			}
		}
		return b.NewStringArray(), nil
	}
}
