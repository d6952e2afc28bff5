package iceberg

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// follows reports whether changes are written to a table from where it is.
func (w *Writer) follows() bool { return w.mode == writer.Follow || w.mode == writer.Extend }

// wholly is the remedy of a table that cannot be followed with the rows that it has.
func (w *Writer) wholly(copied string) string {
	if w.mode == writer.Extend {
		return dropFirst
	}
	return fmt.Sprintf("%s with snapshot --mode replace --tables %s", copied, w.src)
}

// sameKey checks that rows are told by the columns by which they always were. By others
// the older rows might not be found: they have nothing in a column that came later.
func (w *Writer) sameKey() error {
	diff := w.src.KeySince(w.props[shapeProperty])
	if diff == "" {
		return nil
	}
	err := fmt.Errorf("table %s cannot take the source's rows in beside its own: %s", w.name(), diff)
	return w.tableError(writer.Unlike(hint.Wrap(err, dropFirst)))
}

// widen has rows come, in Extend mode, in the types that the table has where these are
// wider, and under its spelling of names: the table may be ahead, by a run that has met a
// later shape or by this one before it was begun anew. What a file holds is then of the
// table's type, keys that are deleted and values by which rows are partitioned among it.
func (w *Writer) widen(have *iceberg.Schema) error {
	if w.mode != writer.Extend || w.unborn {
		return nil
	}
	columns := slices.Clone(w.src.Columns)
	casts := make([]arrow.DataType, len(columns))
	wide, changed := false, false
	for id, f := range partners(have, w.want) {
		h, _ := have.FindFieldByID(id)
		i := slices.IndexFunc(columns, func(c schema.Column) bool { return c.Name == f.Name })
		changed = changed || f.Name != h.Name
		columns[i].Name = h.Name
		if typ := arrowType(h.Type); typ != nil && !sameType(f.Type, h.Type) {
			if _, ok := wider(f.Type, h.Type); ok {
				columns[i].Arrow, casts[i], wide = typ, typ, true
			}
		}
	}
	if !wide && !changed {
		return nil
	}
	src := *w.src
	src.Columns, src.Arrow = columns, schema.New(src.DB, src.Name, columns, src.Key).Arrow
	w.src = &src
	if wide {
		w.casts = casts
	}
	return w.shape()
}

// arrowType is the type of rows that go into a column of a type that others can become;
// nil if that is none of these.
func arrowType(t iceberg.Type) arrow.DataType {
	switch t := t.(type) {
	case iceberg.Int64Type:
		return arrow.PrimitiveTypes.Int64
	case iceberg.Float64Type:
		return arrow.PrimitiveTypes.Float64
	case iceberg.DecimalType:
		return &arrow.Decimal128Type{Precision: int32(t.Precision()), Scale: int32(t.Scale())} //nolint:gosec // at most 38
	}
	return nil
}

// cast returns a batch with its columns as the files have them. It is to be released.
func (w *Writer) cast(ctx context.Context, b *batch.Batch) (out *batch.Batch, release func(), err error) {
	if w.casts == nil || b.Rows == nil {
		return b, func() {}, nil
	}
	columns := slices.Clone(b.Rows.Columns())
	for i, typ := range w.casts {
		if typ == nil {
			columns[i].Retain()
			continue
		}
		a, err := compute.CastArray(ctx, columns[i], compute.SafeCastOptions(typ))
		if err != nil {
			for _, c := range columns[:i] {
				c.Release()
			}
			return b, func() {}, fmt.Errorf("column %q: %w", w.src.Columns[i].Name, err)
		}
		columns[i] = a
	}
	c := *b
	c.Rows = recordOf(w.src.Arrow, columns)
	return &c, c.Rows.Release, nil
}
