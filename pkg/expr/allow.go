package expr

import (
	"fmt"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Functions are those that expressions may call: each of them gives the values that both servers
// give, which a test compares. docs/shape.md is this list.
var Functions = []string{
	"abs", "char_length", "character_length", "coalesce", "concat", "concat_ws", "crc32", "date", "day", "dayofmonth",
	"dayofweek", "dayofyear", "ceil", "ceiling", "floor", "hex", "hour", "if", "ifnull", "isnull", "lcase", "left", "length", "lower",
	"ltrim", "md5", "mid", "minute", "mod", "month", "nullif", "octet_length", "quarter", "replace", "reverse", "right", "round", "rtrim", "second", "sha",
	"sha1", "sha2", "sha256", "sign", "substr", "substring", "trim", "truncate", "ucase", "upper", "weekday", "year",
}

// allowed refuses what has not been compared with the servers.
func (e *Engine) allowed(ast sqlparser.Expr, t *schema.Table) error {
	var refused error
	err := sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		refused = e.refused(n, t)
		return refused == nil, refused
	}, ast)
	if refused != nil {
		return refused
	}
	return err
}

func unknown(what string) error {
	return hint.Wrap(fmt.Errorf("%s is not among what can be evaluated outside of the server", what), "docs/shape.md has the list of what can")
}

// function refuses a call.
func function(n *sqlparser.FuncExpr, t *schema.Table) error {
	if name := n.Name.Lowered(); !slices.Contains(Functions, name) || !n.Qualifier.IsEmpty() {
		return unknown("the function " + n.Name.String() + "()")
	}
	if len(n.Exprs) == 0 {
		return unknown(n.Name.String() + "() of nothing")
	}
	switch n.Name.Lowered() {
	case "nullif":
		return foreign(t, n)
	case "lower", "lcase", "upper", "ucase":
		if c := column(t, n.Exprs[0]); c != nil && c.Charset != "" && c.Charset != "utf8mb4" && c.Charset != "latin1" {
			return unknown("another case of " + c.Name + ", whose character set is " + c.Charset + ",")
		}
	}
	return nil
}

// compared refuses a comparison.
func compared(n *sqlparser.ComparisonExpr, t *schema.Table) error {
	switch n.Operator {
	case sqlparser.RegexpOp, sqlparser.NotRegexpOp:
		return unknown("REGEXP")
	case sqlparser.LikeOp, sqlparser.NotLikeOp:
		if _, _, ok := pattern(n); !ok {
			return unknown("LIKE with another pattern than 'text%' or '%text%'")
		}
	}
	if n.Modifier != sqlparser.Missing {
		return unknown("ANY and ALL")
	}
	if err := foreign(t, n); err != nil {
		return err
	}
	if err := years(t, n.Left, n.Right); err != nil {
		return err
	}
	return labels(t, n.Operator, n.Left, n.Right)
}

// years has a YEAR be compared with years of four digits alone: of two digits the servers make 1970 to 2069.
func years(t *schema.Table, of ...sqlparser.Expr) error {
	is := func(e sqlparser.Expr) bool {
		c := column(t, e)
		return c != nil && c.Type.Kind == schema.Year
	}
	if !slices.ContainsFunc(of, is) {
		return nil
	}
	for _, e := range of {
		values, ok := e.(sqlparser.ValTuple)
		if !ok {
			values = sqlparser.ValTuple{e}
		}
		for _, v := range values {
			if l, ok := v.(*sqlparser.Literal); ok && len(strings.TrimLeft(l.Val, "0")) < 3 && len(l.Val) < 4 {
				return hint.Wrap(fmt.Errorf("the year %s has two digits", sqlparser.String(l)), "write it with four, as the column has it")
			}
		}
	}
	return nil
}

func (e *Engine) refused(n sqlparser.SQLNode, t *schema.Table) error {
	switch n := n.(type) {
	case *sqlparser.ColName:
		if !n.Qualifier.IsEmpty() {
			return fmt.Errorf("the column %s is named with its table: leave that out", sqlparser.String(n))
		}
	case *sqlparser.FuncExpr:
		return function(n, t)
	case *sqlparser.ComparisonExpr:
		return compared(n, t)
	case *sqlparser.BetweenExpr:
		if err := foreign(t, n); err != nil {
			return err
		}
		if err := years(t, n.Left, n.From, n.To); err != nil {
			return err
		}
		return labels(t, sqlparser.LessThanOp, n.Left, n.From, n.To)
	case *sqlparser.BinaryExpr:
		switch n.Operator {
		case sqlparser.PlusOp, sqlparser.MinusOp, sqlparser.MultOp, sqlparser.DivOp, sqlparser.IntDivOp, sqlparser.ModOp:
			return arithmetic(t, n.Left, n.Right)
		}
		return unknown("the operator " + n.Operator.ToString())
	case *sqlparser.UnaryExpr:
		switch n.Operator {
		case sqlparser.UMinusOp, sqlparser.UPlusOp:
			return arithmetic(t, n.Expr)
		case sqlparser.BangOp:
			return nil
		}
		return unknown("the operator " + n.Operator.ToString())
	case *sqlparser.CastExpr:
		return casts(n)
	case *sqlparser.CaseExpr:
		if n.Expr != nil {
			return foreign(t, n.Expr)
		}
	case *sqlparser.SubstrExpr, *sqlparser.TrimFuncExpr, *sqlparser.IsExpr, *sqlparser.When,
		*sqlparser.AndExpr, *sqlparser.OrExpr, *sqlparser.NotExpr, *sqlparser.XorExpr, *sqlparser.NullVal, *sqlparser.CollateExpr,
		*sqlparser.ConvertType, sqlparser.ValTuple, sqlparser.BoolVal, sqlparser.IdentifierCI, sqlparser.TableName, sqlparser.IdentifierCS, nil:
	case *sqlparser.Literal:
		switch n.Type {
		case sqlparser.StrVal, sqlparser.IntVal, sqlparser.DecimalVal, sqlparser.FloatVal, sqlparser.DateVal, sqlparser.TimestampVal:
			return nil
		}
		return unknown("the literal " + sqlparser.String(n))
	default:
		return unknown(sqlparser.String(n))
	}
	return nil
}

// casts are those to types that the engine makes as the servers do.
func casts(n *sqlparser.CastExpr) error {
	switch strings.ToLower(n.Type.Type) {
	case "signed", "unsigned", "decimal", "date":
		return nil
	}
	return unknown("CAST to " + n.Type.Type)
}

// column returns the table's column that an expression is, or nil.
func column(t *schema.Table, e sqlparser.Expr) *schema.Column {
	if c, ok := e.(*sqlparser.ColName); ok {
		if i := t.Index(c.Name.String()); i >= 0 {
			return &t.Columns[i]
		}
	}
	return nil
}

// labels has a column of ENUM or SET be compared with texts alone, and for equality: the servers
// take it for a number where it meets another one, and order it by that.
func labels(t *schema.Table, op sqlparser.ComparisonExprOperator, of ...sqlparser.Expr) error {
	for i, e := range of {
		c := column(t, e)
		if c == nil || c.Type.Kind != schema.Enum && c.Type.Kind != schema.Set {
			continue
		}
		switch op {
		case sqlparser.EqualOp, sqlparser.NotEqualOp, sqlparser.NullSafeEqualOp, sqlparser.InOp, sqlparser.NotInOp, sqlparser.LikeOp, sqlparser.NotLikeOp:
		default:
			return unknown("comparing the labels of " + c.Name + " by order")
		}
		for j, o := range of {
			if i != j && !texts(o) {
				return unknown("comparing the labels of " + c.Name + " with anything but texts")
			}
		}
	}
	return nil
}

// texts reports whether an expression is a text, or a list of them.
func texts(e sqlparser.Expr) bool {
	switch e := e.(type) {
	case *sqlparser.Literal:
		return e.Type == sqlparser.StrVal
	case *sqlparser.NullVal:
		return true
	case sqlparser.ValTuple:
		return !slices.ContainsFunc(e, func(o sqlparser.Expr) bool { return !texts(o) })
	}
	return false
}

// arithmetic is on numbers alone.
func arithmetic(t *schema.Table, of ...sqlparser.Expr) error {
	for _, e := range of {
		if l, ok := e.(*sqlparser.Literal); ok && l.Type == sqlparser.StrVal {
			return unknown("arithmetic with the text " + sqlparser.String(l))
		}
		if c := column(t, e); c != nil {
			switch c.Type.Kind {
			case schema.TinyInt, schema.SmallInt, schema.MediumInt, schema.Int, schema.BigInt, schema.Float, schema.Double, schema.Decimal, schema.Year:
			default:
				return unknown("arithmetic with " + c.Name + ", which is no number,")
			}
		}
	}
	return nil
}

// unmixed refuses what compares texts with columns of several collations in other ways than by
// operators, which see to it.
func unmixed(ast sqlparser.Expr) error {
	return sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		what := ""
		switch n := n.(type) {
		case *sqlparser.BetweenExpr:
			what = "BETWEEN"
		case *sqlparser.CaseExpr:
			if n.Expr != nil {
				what = "CASE with a value"
			}
		}
		if what != "" {
			return false, unknown(what + " with columns of several collations")
		}
		return true, nil
	}, ast)
}

// foreign refuses to compare texts of another character set than UTF-8, whose collations the
// engine mixes up with that of the texts that they are compared with.
func foreign(t *schema.Table, of sqlparser.SQLNode) error {
	return sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if c, ok := n.(*sqlparser.ColName); ok {
			if c := column(t, c); c != nil && c.Charset != "" && c.Charset != "utf8mb4" && c.Charset != "utf8mb3" && c.Charset != "utf8" && c.Charset != "ascii" {
				return false, unknown("comparing " + c.Name + ", whose character set is " + c.Charset + ",")
			}
		}
		return true, nil
	}, of)
}
