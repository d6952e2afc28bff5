package files

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
)

// alike reports whether values of one type may be those of another: numbers of one kind
// are, be it that one has more room for them.
func alike(from, to arrow.DataType) bool {
	kind := func(t arrow.DataType) string {
		switch t.ID() {
		case arrow.INT32, arrow.INT64, arrow.DECIMAL128:
			return "exact"
		case arrow.FLOAT32, arrow.FLOAT64:
			return "float"
		}
		return ""
	}
	return arrow.TypeEqual(from, to) || kind(from) != "" && kind(from) == kind(to)
}

// cast returns values as those of a type that is alike. One that it has no
// room for is an error.
func cast(ctx context.Context, a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	out, err := compute.CastArray(ctx, a, compute.SafeCastOptions(to))
	if err != nil {
		return nil, err
	}
	narrow, ok := out.(*array.Float32) // which the library rounds to
	if !ok {
		return out, nil
	}
	wide := a.(*array.Float64)
	for i, v := range narrow.Float32Values() {
		if was := wide.Value(i); wide.IsValid(i) && float64(v) != was && was == was {
			narrow.Release()
			return nil, fmt.Errorf("%v has no place in %s", was, to)
		}
	}
	return out, nil
}
