package batchtest

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Rows reads a record back, with the columns in the given order; none means as
// they are. It takes the wider types too that other readers of the same data
// hand out. A column or a type that it does not know is an error.
func Rows(rec arrow.RecordBatch, columns ...string) ([]Row, error) {
	if len(columns) == 0 {
		for _, f := range rec.Schema().Fields() {
			columns = append(columns, f.Name)
		}
	}
	if n := rec.Schema().NumFields(); n != len(columns) {
		return nil, fmt.Errorf("record has %d columns, want %d: %s", n, len(columns), rec.Schema())
	}
	rows := make([]Row, rec.NumRows())
	for _, name := range columns {
		at := rec.Schema().FieldIndices(name)
		if len(at) != 1 {
			return nil, fmt.Errorf("record has %d columns %q", len(at), name)
		}
		col := rec.Column(at[0])
		for i := range rows {
			v, err := value(col, i)
			if err != nil {
				return nil, fmt.Errorf("column %q: %w", name, err)
			}
			rows[i] = append(rows[i], v)
		}
	}
	return rows, nil
}

func value(col arrow.Array, i int) (any, error) {
	if col.IsNull(i) {
		return nil, nil
	}
	switch a := col.(type) {
	case *array.Boolean:
		return a.Value(i), nil
	case *array.Int32:
		return int64(a.Value(i)), nil
	case *array.Int64:
		return a.Value(i), nil
	case *array.Float32:
		return a.Value(i), nil
	case *array.Float64:
		return a.Value(i), nil
	case *array.Decimal128:
		return formatDecimal(a.Value(i).BigInt(), int(a.DataType().(*arrow.Decimal128Type).Scale)), nil
	case *array.Date32:
		return a.Value(i).ToTime().Format(dateLayout), nil
	case *array.Timestamp:
		typ := a.DataType().(*arrow.TimestampType)
		text := a.Value(i).ToTime(typ.Unit).Format(timeLayout)
		if typ.TimeZone != "" {
			text += "Z"
		}
		return text, nil
	case *array.String:
		return strings.Clone(a.Value(i)), nil
	case *array.LargeString:
		return strings.Clone(a.Value(i)), nil
	case *array.Binary:
		return append([]byte{}, a.Value(i)...), nil
	case *array.LargeBinary:
		return append([]byte{}, a.Value(i)...), nil
	case *array.FixedSizeBinary:
		return append([]byte{}, a.Value(i)...), nil
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		floats, ok := a.ListValues().(*array.Float32)
		if !ok {
			return nil, fmt.Errorf("a list of %s, not of float32", a.ListValues().DataType())
		}
		return append([]float32{}, floats.Float32Values()[from:to]...), nil
	}
	return nil, fmt.Errorf("no way to read %s", col.DataType())
}

func formatDecimal(n *big.Int, scale int) string {
	digits := new(big.Int).Abs(n).String()
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	if scale > 0 {
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		return "-" + digits
	}
	return digits
}
