package expr

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

func call(name string, args ...sqlparser.Expr) sqlparser.Expr {
	return &sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI(name), Exprs: args}
}

// rewritten says what was asked for in such words that the engine gives the servers' values.
func rewritten(e sqlparser.Expr, t *schema.Table) sqlparser.Expr {
	_, mixed := collationsOf(e, t)
	out := sqlparser.Rewrite(e, nil, func(at *sqlparser.Cursor) bool {
		switch n := at.Node().(type) {
		case *sqlparser.FuncExpr:
			switch name := n.Name.Lowered(); {
			case name == "nullif" && len(n.Exprs) == 2:
				same := &sqlparser.ComparisonExpr{Operator: sqlparser.EqualOp, Left: n.Exprs[0], Right: n.Exprs[1]}
				at.Replace(&sqlparser.CaseExpr{Whens: []*sqlparser.When{{Cond: comparison(same, t, mixed), Val: &sqlparser.NullVal{}}}, Else: n.Exprs[0]})
			case len(n.Exprs) != 1:
			case name == "lower" || name == "lcase" || name == "upper" || name == "ucase":
				if c := column(t, n.Exprs[0]); c != nil && c.Charset == "utf8mb4" && !strings.Contains(c.Collation, "_0900_") {
					n.Exprs[0] = &sqlparser.CollateExpr{Expr: n.Exprs[0], Collation: "utf8mb4_0900_ai_ci"}
					at.Replace(&sqlparser.CollateExpr{Expr: n, Collation: like(c.Collation)})
				}
			case name == "sha256":
				at.Replace(call("sha2", n.Exprs[0], sqlparser.NewIntLiteral("256")))
			case name == "year": // the engine's cannot be reckoned with
				at.Replace(&sqlparser.CastExpr{Expr: call("left", call("date", n.Exprs[0]), sqlparser.NewIntLiteral("4")), Type: &sqlparser.ConvertType{Type: "signed"}})
			}
		case *sqlparser.CaseExpr:
			if n.Expr != nil && pads(n.Expr, t) {
				n.Expr = trimmed(n.Expr)
				for _, w := range n.Whens {
					w.Cond = trimmed(w.Cond)
				}
			}
		case *sqlparser.ComparisonExpr:
			at.Replace(comparison(n, t, mixed))
		}
		return true
	})
	return out.(sqlparser.Expr) //nolint:forcetypeassert // an expression's root is replaced by one
}

// comparison is one whose sides have no blanks at their end, where the servers take no notice of
// them; and LIKE by its simple forms.
func comparison(n *sqlparser.ComparisonExpr, t *schema.Table, mixed bool) sqlparser.Expr {
	if own, _ := collationsOf(n, t); mixed && own != "" { // its texts are not to be compared as another column's
		m := *n
		m.Left, m.Right = collated(n.Left, own), collated(n.Right, own)
		n = &m
	}
	switch n.Operator {
	case sqlparser.EqualOp, sqlparser.NotEqualOp, sqlparser.NullSafeEqualOp, sqlparser.InOp, sqlparser.NotInOp:
		if pads(n.Left, t) || pads(n.Right, t) {
			m := *n
			m.Left, m.Right = trimmed(n.Left), trimmed(n.Right)
			return &m
		}
	case sqlparser.LikeOp, sqlparser.NotLikeOp:
		text, within, ok := pattern(n)
		if ok && !within && n.Operator == sqlparser.NotLikeOp { // which the engine has wrong
			m := *n
			m.Operator = sqlparser.LikeOp
			return &sqlparser.NotExpr{Expr: &m}
		}
		if !ok || !within {
			return n
		}
		op := sqlparser.GreaterThanOp
		if n.Operator == sqlparser.NotLikeOp {
			op = sqlparser.EqualOp
		}
		return &sqlparser.ComparisonExpr{Operator: op, Left: &sqlparser.LocateExpr{SubStr: sqlparser.NewStrLiteral(text), Str: n.Left}, Right: sqlparser.NewIntLiteral("0")}
	}
	return n
}

// collated is a text, or a list of them, of a collation.
func collated(e sqlparser.Expr, collation string) sqlparser.Expr {
	switch l := e.(type) {
	case sqlparser.ValTuple:
		out := make(sqlparser.ValTuple, len(l))
		for i := range l {
			out[i] = collated(l[i], collation)
		}
		return out
	case *sqlparser.Literal:
		if l.Type == sqlparser.StrVal {
			return &sqlparser.CollateExpr{Expr: l, Collation: collation}
		}
	}
	return e
}

// collationsOf returns the one that all columns of text in an expression have, of those in UTF-8,
// or "", and whether they have several.
func collationsOf(e sqlparser.Expr, t *schema.Table) (one string, mixed bool) {
	_ = sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if c, ok := n.(*sqlparser.ColName); ok {
			if c := column(t, c); c != nil && strings.HasPrefix(like(c.Collation), "utf8") {
				mixed = mixed || one != "" && one != like(c.Collation)
				one = like(c.Collation)
			}
		}
		return true, nil
	}, e)
	if mixed {
		return "", true
	}
	return one, false
}

// pads reports whether an expression is a column of text whose collation does without blanks at
// the end: all do but those by UCA 9.0.0, and MariaDB's that say so.
func pads(e sqlparser.Expr, t *schema.Table) bool {
	if col, ok := e.(*sqlparser.CollateExpr); ok {
		return padding(col.Collation)
	}
	c := column(t, e)
	if c == nil || c.Type.Kind != schema.String && c.Type.Kind != schema.Enum && c.Type.Kind != schema.Set {
		return false
	}
	return padding(c.Collation)
}

func padding(collation string) bool {
	return collation != "" && !strings.Contains(collation, "_0900_") && !strings.Contains(collation, "nopad")
}

// trimmed is an expression, or a list, without blanks at the end.
func trimmed(e sqlparser.Expr) sqlparser.Expr {
	switch e := e.(type) {
	case sqlparser.ValTuple:
		out := make(sqlparser.ValTuple, len(e))
		for i := range e {
			out[i] = trimmed(e[i])
		}
		return out
	case *sqlparser.NullVal:
		return e
	case *sqlparser.CollateExpr:
		if _, ok := e.Expr.(*sqlparser.Literal); ok {
			return &sqlparser.CollateExpr{Expr: trimmed(e.Expr), Collation: e.Collation}
		}
	case *sqlparser.Literal:
		if e.Type != sqlparser.StrVal {
			return e
		}
		return sqlparser.NewStrLiteral(strings.TrimRight(e.Val, " "))
	}
	return &sqlparser.TrimFuncExpr{TrimFuncType: sqlparser.RTrimType, Type: sqlparser.NoTrimType, StringArg: e}
}

// pattern returns the text that LIKE looks for: at the beginning, or anywhere within.
func pattern(n *sqlparser.ComparisonExpr) (text string, within, ok bool) {
	right := n.Right
	if c, ok := right.(*sqlparser.CollateExpr); ok {
		right = c.Expr
	}
	l, ok := right.(*sqlparser.Literal)
	if !ok || l.Type != sqlparser.StrVal || n.Escape != nil {
		return "", false, false
	}
	text, ok = strings.CutSuffix(l.Val, "%")
	text, within = strings.CutPrefix(text, "%")
	return text, within, ok && text != "" && !strings.ContainsAny(text, "%_\\")
}
