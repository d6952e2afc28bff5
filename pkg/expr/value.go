package expr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/charset"
	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/vtgate/evalengine"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// ErrCollation says that a column has come about by a statement that does not tell how its texts
// are compared.
var ErrCollation = errors.New("its collation is not known")

// An arg is how the engine gets the values of a column.
type arg struct {
	typ evalengine.Type
	// get returns the value of a row, which is not null, of an array of the column's.
	get func(a arrow.Array, i int) (sqltypes.Value, error)
}

// arg readies a column's values for the engine.
func (e *Engine) arg(c *schema.Column) (arg, error) {
	k := c.Type.Kind
	plain := func(t sqltypes.Type) evalengine.Type {
		return evalengine.NewTypeEx(t, collations.CollationBinaryID, true, 0, 0, nil)
	}
	switch k {
	case schema.TinyInt, schema.SmallInt, schema.MediumInt, schema.Int, schema.BigInt, schema.Year:
		t := sqltypes.Int64
		if c.Type.Unsigned || k == schema.Year {
			t = sqltypes.Uint64
		}
		return arg{plain(t), integers(t)}, nil
	case schema.Float, schema.Double:
		return arg{plain(sqltypes.Float64), floats}, nil
	case schema.Decimal:
		return arg{evalengine.NewTypeEx(sqltypes.Decimal, collations.CollationBinaryID, true, int32(c.Type.Precision), int32(c.Type.Scale), nil), decimals}, nil
	case schema.Date:
		return arg{plain(sqltypes.Date), dates}, nil
	case schema.DateTime, schema.Timestamp:
		return arg{evalengine.NewTypeEx(sqltypes.Datetime, collations.CollationBinaryID, true, int32(c.Type.Precision), 0, nil), datetimes(c.Type.Precision)}, nil
	case schema.Binary:
		return arg{plain(sqltypes.VarBinary), func(a arrow.Array, i int) (sqltypes.Value, error) {
			b, err := bytesOf(a, i)
			return sqltypes.MakeTrusted(sqltypes.VarBinary, b), err
		}}, nil
	case schema.String, schema.Enum, schema.Set:
		return e.text(c)
	}
	return arg{}, hint.Wrap(fmt.Errorf("column %s (%s) is of a type that cannot be evaluated outside of the server", c.Name, c.Native), "docs/shape.md has the types that can")
}

// text readies a column of text, with its own collation.
func (e *Engine) text(c *schema.Column) (arg, error) {
	name := c.Collation
	if name == "" {
		name = e.Collation
	}
	if name == "" || c.Charset == "" && c.Collation == "" && e.Collation == "" {
		return arg{}, fmt.Errorf("column %s (%s): %w", c.Name, c.Native, ErrCollation)
	}
	id := e.env.CollationEnv().LookupByName(like(name))
	data := colldata.Lookup(id)
	if id == collations.Unknown || data == nil {
		return arg{}, hint.Wrap(fmt.Errorf("the collation %s of column %s cannot be evaluated outside of the server", name, c.Name), "docs/shape.md has those that can")
	}
	to := data.Charset()
	unicode := to.Name() == "utf8mb4" || to.Name() == "utf8mb3" || to.Name() == "utf8"
	return arg{evalengine.NewTypeEx(sqltypes.VarChar, id, true, 0, 0, nil), func(a arrow.Array, i int) (sqltypes.Value, error) {
		b, err := bytesOf(a, i)
		if err == nil && !unicode {
			if b, err = charset.ConvertFromUTF8(nil, to, b); err != nil {
				err = fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
		return sqltypes.MakeTrusted(sqltypes.VarChar, b), err
	}}, nil
}

// like names a collation that the engine has and that tells the same texts apart as one of
// MariaDB's does: UCA 14.0.0 has the weights of 5.2.0 but for letters that were not there yet.
func like(name string) string {
	name = strings.ToLower(name)
	switch {
	case strings.HasPrefix(name, "utf8_"):
		name = "utf8mb3_" + strings.TrimPrefix(name, "utf8_")
	case name == "utf8mb4_uca1400_ai_ci", name == "uca1400_ai_ci":
		return "utf8mb4_unicode_520_ci"
	case strings.HasPrefix(name, "ascii_"): // the same bytes
		return "utf8mb4_" + strings.TrimPrefix(name, "ascii_")
	case name == "utf8mb3_uca1400_ai_ci":
		return "utf8mb3_unicode_520_ci"
	}
	return name
}

func bytesOf(a arrow.Array, i int) ([]byte, error) {
	switch a := a.(type) {
	case *array.String:
		s := a.Value(i)
		return []byte(s), nil
	case *array.Binary:
		return a.Value(i), nil
	}
	return nil, fmt.Errorf("no text: %s", a.DataType())
}

func integers(t sqltypes.Type) func(arrow.Array, int) (sqltypes.Value, error) {
	return func(a arrow.Array, i int) (sqltypes.Value, error) {
		switch a := a.(type) {
		case *array.Int32:
			return sqltypes.MakeTrusted(t, strconv.AppendInt(nil, int64(a.Value(i)), 10)), nil
		case *array.Int64:
			return sqltypes.MakeTrusted(t, strconv.AppendInt(nil, a.Value(i), 10)), nil
		case *array.Decimal128:
			return sqltypes.MakeTrusted(t, []byte(a.Value(i).BigInt().String())), nil
		}
		return sqltypes.NULL, fmt.Errorf("no integer: %s", a.DataType())
	}
}

func floats(a arrow.Array, i int) (sqltypes.Value, error) {
	var f float64
	switch a := a.(type) {
	case *array.Float32:
		f = float64(a.Value(i))
	case *array.Float64:
		f = a.Value(i)
	default:
		return sqltypes.NULL, fmt.Errorf("no float: %s", a.DataType())
	}
	return sqltypes.MakeTrusted(sqltypes.Float64, strconv.AppendFloat(nil, f, 'g', -1, 64)), nil
}

func decimals(a arrow.Array, i int) (sqltypes.Value, error) {
	switch a := a.(type) {
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale //nolint:forcetypeassert // of such an array
		return sqltypes.MakeTrusted(sqltypes.Decimal, []byte(a.Value(i).ToString(scale))), nil
	case *array.String: // wider than Arrow's
		return sqltypes.MakeTrusted(sqltypes.Decimal, []byte(a.Value(i))), nil
	}
	return sqltypes.NULL, fmt.Errorf("no decimal: %s", a.DataType())
}

func dates(a arrow.Array, i int) (sqltypes.Value, error) {
	d, ok := a.(*array.Date32)
	if !ok {
		return sqltypes.NULL, fmt.Errorf("no date: %s", a.DataType())
	}
	return sqltypes.MakeTrusted(sqltypes.Date, d.Value(i).ToTime().AppendFormat(nil, time.DateOnly)), nil
}

func datetimes(digits int) func(arrow.Array, int) (sqltypes.Value, error) {
	form := time.DateTime
	if digits > 0 {
		form += "." + strings.Repeat("0", digits)
	}
	return func(a arrow.Array, i int) (sqltypes.Value, error) {
		d, ok := a.(*array.Timestamp)
		if !ok {
			return sqltypes.NULL, fmt.Errorf("no time: %s", a.DataType())
		}
		return sqltypes.MakeTrusted(sqltypes.Datetime, time.UnixMicro(int64(d.Value(i))).UTC().AppendFormat(nil, form)), nil
	}
}
