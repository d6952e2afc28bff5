package mysql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// keeps is the table in whose columns rows are handed out once the log has them in those of next; nil
// if these are the same.
func (r *stream) keeps(f *followed, next *schema.Table, left []string) (*schema.Table, error) {
	if r.s.opts.Extent != schema.Nothing {
		return nil, nil //nolint:nilnil // as said
	}
	was := f.kept
	if was == nil {
		was = f.t
	}
	k, err := was.Keep(next, left)
	if err != nil || k == next {
		return nil, err
	}
	r.keepers[next] = newKeeper(next, k, r.s.opts.Narrow)
	return k, nil
}

// keep gives a batch the columns that are handed out.
func (r *stream) keep(b *batch.Batch) (*batch.Batch, error) {
	k := r.keepers[b.Table]
	if b.Table == nil || k == nil {
		return b, nil
	}
	out, err := k.batch(b)
	b.Release()
	if err != nil {
		for _, later := range r.out { // which the table would be behind
			later.Release()
		}
		r.out, r.err = nil, err
		return nil, err
	}
	return out, nil
}

// A keeper gives rows of a table the columns that it had once.
type keeper struct {
	to      *schema.Table
	columns []keptColumn
}

// A keptColumn is the column of the rows at from, or -1 for NULL, whose values have to fit.
type keptColumn struct {
	from int
	fit  func(a arrow.Array) (arrow.Array, error) // nil: they all do
}

func newKeeper(from, to *schema.Table, narrow bool) *keeper {
	k := &keeper{to: to, columns: make([]keptColumn, len(to.Columns))}
	for i, c := range to.Columns {
		at := -1
		if !c.Gone {
			at = from.Index(c.Name)
		}
		k.columns[i].from = at
		if at >= 0 && c.Meta == schema.NotMeta {
			k.columns[i].fit = fitting(from.Columns[at], c, narrow)
		}
	}
	return k
}

// batch returns a batch of its own.
func (k *keeper) batch(b *batch.Batch) (*batch.Batch, error) {
	out := *b
	out.Table = k.to
	if b.Rows == nil {
		return &out, nil
	}
	n := int(b.Rows.NumRows())
	columns := make([]arrow.Array, 0, len(k.columns))
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for i, c := range k.columns {
		if c.from < 0 {
			columns = append(columns, array.MakeArrayOfNull(memory.DefaultAllocator, k.to.Columns[i].Arrow, n))
			continue
		}
		a := b.Rows.Column(c.from)
		if c.fit == nil {
			a.Retain()
		} else {
			var err error
			if a, err = c.fit(a); err != nil {
				is := &k.to.Columns[i]
				err = hint.Wrap(fmt.Errorf("column %s: %w of %s, as it stays at the sink", is.Name, err, is.Native),
					"--schema-change additive makes the column wider from here on; so does evolve")
				return nil, &schema.TableError{Table: k.to.String(), Err: err}
			}
		}
		columns = append(columns, a)
	}
	out.Rows = array.NewRecordBatch(k.to.Arrow, columns, int64(n))
	return &out, nil
}

// fitting returns what makes values of one column such of another one; nil if they are. Those of
// another Arrow type have to fit it, and with narrow those of any the source's type that it had.
func fitting(from, to schema.Column, narrow bool) func(arrow.Array) (arrow.Array, error) {
	if !arrow.TypeEqual(from.Arrow, to.Arrow) {
		return narrowing(from.Arrow, to.Arrow)
	}
	if !narrow || from.Native == to.Native || schema.Widened(from.Native, to.Native) {
		return nil
	}
	check := within(to)
	if check == nil {
		return nil
	}
	return func(a arrow.Array) (arrow.Array, error) {
		for i := range a.Len() {
			if a.IsValid(i) && !check(a, i) {
				return nil, noValue(a, i)
			}
		}
		a.Retain()
		return a, nil
	}
}

func noValue(a arrow.Array, row int) error {
	text := a.ValueStr(row)
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return fmt.Errorf("%s is no value", text)
}

// narrowing is fitting where the Arrow types are two: those that schema.Table.Keep lets be.
func narrowing(from, to arrow.DataType) func(arrow.Array) (arrow.Array, error) {
	switch to := to.(type) {
	case *arrow.Int32Type:
		return func(a arrow.Array) (arrow.Array, error) {
			in, b := a.(*array.Int64), array.NewInt32Builder(memory.DefaultAllocator)
			return each(a, b, func(i int) bool { v := in.Value(i); b.Append(int32(v)); return int64(int32(v)) == v }) //nolint:gosec // as is looked at
		}
	case *arrow.Int64Type:
		return func(a arrow.Array) (arrow.Array, error) {
			in, b := a.(*array.Int32), array.NewInt64Builder(memory.DefaultAllocator)
			return each(a, b, func(i int) bool { b.Append(int64(in.Value(i))); return true })
		}
	case *arrow.Float32Type:
		return func(a arrow.Array) (arrow.Array, error) {
			in, b := a.(*array.Float64), array.NewFloat32Builder(memory.DefaultAllocator)
			return each(a, b, func(i int) bool { v := in.Value(i); b.Append(float32(v)); return float64(float32(v)) == v })
		}
	case *arrow.Float64Type:
		return func(a arrow.Array) (arrow.Array, error) {
			in, b := a.(*array.Float32), array.NewFloat64Builder(memory.DefaultAllocator)
			return each(a, b, func(i int) bool { b.Append(float64(in.Value(i))); return true })
		}
	case *arrow.Decimal128Type:
		return func(a arrow.Array) (arrow.Array, error) {
			in, b := a.(*array.Decimal128), array.NewDecimal128Builder(memory.DefaultAllocator, to)
			return each(a, b, func(i int) bool { b.Append(in.Value(i)); return in.Value(i).FitsInPrecision(to.Precision) })
		}
	}
	return func(arrow.Array) (arrow.Array, error) { return nil, fmt.Errorf("values of %s are none", from) }
}

// each builds an array of a's length; value appends one, and reports whether it is the same.
func each(a arrow.Array, b array.Builder, value func(i int) bool) (arrow.Array, error) {
	defer b.Release()
	b.Reserve(a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else if !value(i) {
			return nil, noValue(a, i)
		}
	}
	return b.NewArray(), nil
}

// within reports of values whether they are such of a column's type at the source; it is nil where all
// of the Arrow type are.
func within(c schema.Column) func(a arrow.Array, row int) bool {
	switch c.Arrow.(type) {
	case *arrow.Int32Type:
		low, high := c.Type.Bounds()
		return func(a arrow.Array, i int) bool {
			v := int64(a.(*array.Int32).Value(i))
			return low <= v && v <= high
		}
	case *arrow.StringType:
		m := typeParts.FindStringSubmatch(c.Native)
		if m == nil || m[1] != "char" && m[1] != "varchar" {
			return nil
		}
		most, err := strconv.Atoi(strings.Trim(m[2], "()"))
		if err != nil {
			return nil
		}
		return func(a arrow.Array, i int) bool { return utf8.RuneCountInString(a.(*array.String).Value(i)) <= most }
	case *arrow.TimestampType:
		part := fraction(c)
		return func(a arrow.Array, i int) bool { return int64(a.(*array.Timestamp).Value(i))%part == 0 }
	case *arrow.Int64Type:
		if c.Type.Kind == schema.Time {
			part := fraction(c)
			return func(a arrow.Array, i int) bool { return a.(*array.Int64).Value(i)%part == 0 }
		}
	}
	return nil
}

// fraction is the least part of a second that a column has, in microseconds.
func fraction(c schema.Column) int64 {
	part := int64(1)
	for range 6 - c.Type.Precision {
		part *= 10
	}
	return part
}
