package iceberg

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// scanColumns are the columns of a table of the source, each with what makes it of the
// lake's of its name.
type scanColumns struct {
	src  *schema.Table
	make []conversion
}

// scanColumns compares the columns of the two. Those that the lake has in addition are of
// no matter if they are such as the source had and has no longer: nobody says so, but they
// may be NULL, and are none that it had when it was last looked at.
func (w *Writer) scanColumns(tbl *table.Table) (*scanColumns, error) {
	out := &scanColumns{src: w.src}
	have := tbl.Schema()
	var diff []string
	for _, c := range w.src.Columns {
		f, ok := fieldByName(have, c.Name)
		if !ok {
			diff = append(diff, c.Name+": not in the table, but in the source")
			continue
		}
		from, err := arrowOf(f)
		if err != nil {
			return nil, w.tableError(fmt.Errorf("column %q: %w", c.Name, err))
		}
		convert := conversionTo(c.Arrow, from)
		if convert == nil {
			diff = append(diff, fmt.Sprintf("%s: %s in the table, %s in the source", c.Name, f.Type, c.Native))
		}
		out.make = append(out.make, convert)
	}
	for _, f := range have.Fields() {
		if w.src.Index(f.Name) < 0 && (f.Required || !w.hasLost(f.Name)) {
			diff = append(diff, f.Name+": in the table, but not in the source")
		}
	}
	if len(diff) > 0 {
		err := fmt.Errorf("table %s has another shape: %s", w.name(), strings.Join(diff, "; "))
		return nil, w.tableError(hint.Wrap(err, "follow the source until the table has its shape, or copy the table anew with snapshot --mode replace"))
	}
	return out, nil
}

// hasLost reports whether the source had lost a column of the table by the last commit.
func (w *Writer) hasLost(name string) bool {
	if w.src.Base != nil || w.src.Now != nil || batch.Position(w.props[positionProperty]).Merged() {
		return true // the shape is of other columns than the table's
	}
	text := w.props[shapeProperty]
	if text == "" {
		return false
	}
	was, err := schema.FromShape(w.src.DB, w.src.Name, text)
	return err == nil && was.Index(name) < 0
}

// arrowOf returns the type that a scan gives the values of a column.
func arrowOf(f iceberg.NestedField) (arrow.DataType, error) {
	sc, err := table.SchemaToArrowSchema(iceberg.NewSchema(0, f), nil, false, false)
	if err != nil {
		return nil, err
	}
	return sc.Field(0).Type, nil
}

func (s *scanColumns) names() []string {
	names := make([]string, len(s.src.Columns))
	for i, c := range s.src.Columns {
		names[i] = c.Name
	}
	return names
}

// convert makes a batch of the source's columns of one of the lake's. The caller releases it. NULL is
// taken where the source has none: it may be of another table that is in the same one.
func (s *scanColumns) convert(ctx context.Context, rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, 0, len(s.make))
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for i, c := range s.src.Columns {
		at := rec.Schema().FieldIndices(c.Name)
		if len(at) != 1 {
			return nil, fmt.Errorf("column %q is there %d times", c.Name, len(at))
		}
		a, err := s.make[i](ctx, rec.Column(at[0]))
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		columns = append(columns, a)
	}
	return array.NewRecordBatch(s.src.Arrow, columns, rec.NumRows()), nil
}
