package mysql

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	lit "github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var _ reader.Seeker = (*snapshot)(nil)

// Seek implements reader.Seeker: the server looks the keys up in the primary key.
func (p *snapshot) Seek(ctx context.Context, t *schema.Table, keys arrow.RecordBatch) (reader.Reader, error) {
	where, err := keysSQL(t, keys)
	if err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	return p.openWhere(ctx, reader.Split{Table: t}, where)
}

// keysSQL is the condition that a row has one of some keys.
func keysSQL(t *schema.Table, keys arrow.RecordBatch) (string, error) {
	if len(t.Key) == 0 || int(keys.NumCols()) != len(t.Key) {
		return "", fmt.Errorf("look up keys of %d columns, where the table's has %d", keys.NumCols(), len(t.Key))
	}
	if keys.NumRows() == 0 {
		return "FALSE", nil
	}
	names := make([]string, len(t.Key))
	for i, k := range t.Key {
		names[i] = ident(t.Columns[k].Name)
	}
	var b strings.Builder
	tuple := func(texts []string) {
		if len(texts) == 1 {
			b.WriteString(texts[0])
			return
		}
		b.WriteString("(" + strings.Join(texts, ",") + ")")
	}
	tuple(names)
	b.WriteString(" IN (")
	values := make([]string, len(t.Key))
	for row := range int(keys.NumRows()) {
		for i, k := range t.Key {
			var err error
			if values[i], err = valueSQL(t.Columns[k], keys.Column(i), row); err != nil {
				return "", err
			}
		}
		if row > 0 {
			b.WriteByte(',')
		}
		tuple(values)
	}
	b.WriteByte(')')
	return b.String(), nil
}

// valueSQL is a literal of a value as it is behind the reader, which is compared as the column is, by
// its index.
func valueSQL(c schema.Column, a arrow.Array, row int) (string, error) {
	if a.IsNull(row) {
		return "NULL", nil // of which no key has one
	}
	switch v := a.(type) {
	case *array.Boolean:
		if v.Value(row) {
			return "1", nil
		}
		return "0", nil
	case *array.Int32:
		return strconv.Itoa(int(v.Value(row))), nil
	case *array.Int64:
		if c.Type.Kind == schema.Time {
			return "'" + string(lit.AppendTime(nil, v.Value(row), 6)) + "'", nil
		}
		return strconv.FormatInt(v.Value(row), 10), nil
	case *array.Decimal128:
		scale := 0
		if t, ok := v.DataType().(*arrow.Decimal128Type); ok {
			scale = int(t.Scale)
		}
		return string(lit.AppendDecimal(nil, v.Value(row), scale)), nil
	case *array.Float32:
		// The column's value becomes a double when it is compared: this is the same one.
		return doubleSQL(float64(v.Value(row))), nil
	case *array.Float64:
		return doubleSQL(v.Value(row)), nil
	case *array.Date32:
		return "'" + string(lit.AppendDate(nil, int64(v.Value(row)))) + "'", nil
	case *array.Timestamp:
		return "'" + string(lit.AppendDateTime(nil, int64(v.Value(row)), ' ', 6)) + "'", nil
	case *array.String:
		text := v.Value(row)
		if c.Type.Kind != schema.Decimal {
			return literal(text), nil
		}
		// Of more digits than Arrow's have. What a sink holds may be anything.
		if !numberText.MatchString(text) {
			return "", fmt.Errorf("column %s: %q is no number", c.Name, text)
		}
		return text, nil
	case *array.Binary:
		return "x'" + hex.EncodeToString(v.Value(row)) + "'", nil
	}
	return "", fmt.Errorf("column %s: a %s cannot be looked up", c.Name, a.DataType())
}

// doubleSQL is a literal that the server reads as just this double: with an exponent it is no decimal.
func doubleSQL(f float64) string { return strconv.FormatFloat(f, 'e', -1, 64) }
