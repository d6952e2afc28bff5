package expr

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
	"vitess.io/vitess/go/vt/vtgate/evalengine"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Rows evaluates an Expr for the rows of batches, one after the other. It is for one goroutine.
type Rows struct {
	x    *Expr
	env  *evalengine.ExpressionEnv
	cols []arrow.Array
	row  []sqltypes.Value
}

// Rows returns an evaluator.
func (x *Expr) Rows() *Rows {
	r := &Rows{x: x, env: x.environment(), row: make([]sqltypes.Value, len(x.Columns)), cols: make([]arrow.Array, len(x.Columns))}
	r.env.Row = r.row
	return r
}

// Take goes on with other rows: those of the table that the expression was compiled for.
func (r *Rows) Take(rows arrow.RecordBatch) {
	for i, c := range r.x.Columns {
		r.cols[i] = rows.Column(c)
	}
}

func (r *Rows) eval(i int) (res evalengine.EvalResult, err error) {
	for k, a := range r.cols {
		if a.IsNull(i) {
			r.row[k] = sqltypes.NULL
			continue
		}
		if r.row[k], err = r.x.args[k].get(a, i); err != nil {
			return evalengine.EvalResult{}, err
		}
	}
	defer func() { // what the engine did not think of is an error of the row's table
		if p := recover(); p != nil {
			err = fmt.Errorf("evaluate %s: %v", r.x.Text, p)
		}
	}()
	res, err = r.env.Evaluate(r.x.code)
	if err != nil {
		return res, fmt.Errorf("evaluate %s: %w", r.x.Text, plain(err))
	}
	return res, nil
}

// True reports whether the expression is true of row i, and neither false nor NULL.
func (r *Rows) True(i int) (bool, error) {
	res, err := r.eval(i)
	return err == nil && res.ToBoolean(), err
}

// Append appends the expression's value for row i to a column of the Expr's Type.
func (r *Rows) Append(i int, to batch.Column) error {
	res, err := r.eval(i)
	if err != nil {
		return err
	}
	v := res.Value(result)
	if v.IsNull() {
		to.Null()
		return nil
	}
	if err := r.x.append(v, to); err != nil {
		return fmt.Errorf("the value of %s: %w", r.x.Text, err)
	}
	return nil
}

func (x *Expr) append(v sqltypes.Value, to batch.Column) error {
	switch c := to.(type) {
	case *batch.Fixed[int64]:
		return x.int64(v, c)
	case *batch.Fixed[float64]:
		f, err := v.ToFloat64()
		c.Append(f)
		return err
	case *batch.Fixed[decimal128.Num]:
		n, err := decimalOf(v.RawStr(), x.Type)
		c.Append(n)
		return err
	case *batch.Fixed[int32]: // a date
		t, err := time.Parse(time.DateOnly, v.RawStr())
		c.Append(int32(arrow.Date32FromTime(t)))
		return err
	case *batch.Bytes:
		c.Append(v.Raw())
		return nil
	}
	return fmt.Errorf("no column for %s", x.Native)
}

func (x *Expr) int64(v sqltypes.Value, c *batch.Fixed[int64]) error {
	if x.Type.Kind == schema.BigInt {
		n, err := strconv.ParseInt(v.RawStr(), 10, 64)
		c.Append(n)
		return err
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999", v.RawStr())
	c.Append(t.UnixMicro())
	return err
}

// decimalOf reads a decimal with as many digits behind the point as the type has, or fewer.
func decimalOf(text string, t schema.Type) (decimal128.Num, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	scale := t.Scale
	if rest := len(fraction) - scale; rest > 0 {
		if strings.Trim(fraction[scale:], "0") != "" {
			return decimal128.Num{}, fmt.Errorf("%s has more than %d digits behind the point: CAST it AS DECIMAL", text, scale)
		}
		fraction = fraction[:scale]
	}
	n, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(min(max(t.Precision, 20), schema.MaxDecimal))), nil)
	if !ok || n.CmpAbs(limit) >= 0 {
		return decimal128.Num{}, fmt.Errorf("%s does not fit", text)
	}
	return decimal128.FromBigInt(n), nil
}

// native is the type of a column of MySQL's that holds an expression's values.
func native(ast sqlparser.Expr, t evalengine.Type, of *schema.Table) string {
	if c := column(of, ast); c != nil {
		switch c.Type.Kind {
		case schema.TinyInt, schema.SmallInt, schema.MediumInt, schema.Int, schema.Year:
		case schema.Enum, schema.Set:
			return "longtext"
		default:
			return c.Native
		}
	}
	if f, ok := ast.(*sqlparser.FuncExpr); ok {
		if known := nativeOf(f, of); known != "" {
			return known
		}
	}
	switch typ := t.Type(); {
	case sqltypes.IsUnsigned(typ):
		return "bigint unsigned"
	case sqltypes.IsSigned(typ):
		return "bigint"
	case sqltypes.IsFloat(typ):
		return "double"
	case typ == sqltypes.Decimal:
		return fmt.Sprintf("decimal(%d,%d)", schema.MaxDecimal, min(max(int(t.Scale()), 0), 30))
	case typ == sqltypes.Date:
		return "date"
	case typ == sqltypes.Datetime || typ == sqltypes.Timestamp:
		return "datetime(6)"
	case sqltypes.IsBinary(typ):
		return "longblob"
	}
	return "longtext"
}

// nativeOf is the type of what some functions return, of which more is known than the engine
// tells; "" for others.
func nativeOf(f *sqlparser.FuncExpr, of *schema.Table) string {
	switch f.Name.Lowered() {
	case "sha256":
		return "varchar(64)"
	case "abs", "floor", "ceil", "ceiling":
		if c := column(of, f.Exprs[0]); c != nil && c.Type.Kind == schema.Decimal {
			if f.Name.Lowered() == "abs" {
				return c.Native
			}
			return fmt.Sprintf("decimal(%d,0)", schema.MaxDecimal)
		}
	case "sha2":
		if l, ok := f.Exprs[1].(*sqlparser.Literal); ok && (l.Val == "256" || l.Val == "0") {
			return "varchar(64)"
		}
		return "varchar(128)"
	case "md5":
		return "varchar(32)"
	case "sha", "sha1":
		return "varchar(40)"
	}
	return ""
}
