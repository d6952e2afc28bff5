package mem

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// evolve returns the shape that have must get to take the rows of t in: t's, and
// behind it the columns that t does not have. If extend is set, columns may hold more
// than t's as they are.
func evolve(have, t *schema.Table, extend bool) (*schema.Table, error) {
	columns := slices.Clone(t.Columns)
	for _, c := range have.Columns {
		i := slices.IndexFunc(columns, func(n schema.Column) bool { return n.Name == c.Name })
		switch {
		case i < 0:
			c.Nullable = true
			columns = append(columns, c)
		case wider(c.Arrow, columns[i].Arrow):
		case extend && wider(columns[i].Arrow, c.Arrow):
			columns[i].Arrow = c.Arrow
		default:
			return nil, fmt.Errorf("column %s holds %s and cannot hold %s", c.Name, c.Arrow, columns[i].Arrow)
		}
	}
	return schema.New(t.DB, t.Name, columns, t.Key), nil
}

// wider reports whether a column of a type can be made one of another that has the
// same values and more.
func wider(from, to arrow.DataType) bool {
	switch from.ID() {
	case arrow.INT32:
		return to.ID() == arrow.INT32 || to.ID() == arrow.INT64
	case arrow.FLOAT32:
		return to.ID() == arrow.FLOAT32 || to.ID() == arrow.FLOAT64
	case arrow.DECIMAL128:
		f, t := from.(*arrow.Decimal128Type), to
		d, ok := t.(*arrow.Decimal128Type)
		return ok && f.Scale == d.Scale && f.Precision <= d.Precision
	}
	return arrow.TypeEqual(from, to)
}

// reshape returns rows of one shape in another: columns that they do not have hold
// nothing.
func reshape(rows []batchtest.Row, from, to *schema.Table) []batchtest.Row {
	if from == to || from == nil {
		return rows
	}
	at := make([]int, len(to.Columns))
	for i, c := range to.Columns {
		at[i] = slices.IndexFunc(from.Columns, func(o schema.Column) bool { return o.Name == c.Name })
	}
	out := make([]batchtest.Row, len(rows))
	for n, row := range rows {
		out[n] = make(batchtest.Row, len(at))
		for i, j := range at {
			if j < 0 {
				continue
			}
			out[n][i] = row[j]
			if f, ok := row[j].(float32); ok && to.Columns[i].Arrow.ID() == arrow.FLOAT64 {
				out[n][i] = float64(f)
			}
		}
	}
	return out
}
