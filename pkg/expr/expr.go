// Package expr evaluates expressions of MySQL's SQL over the columns of a batch, by the
// evaluation engine of Vitess. What that engine does otherwise than the servers is refused when
// an expression is compiled: see allowed.
package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/vt/sqlparser"
	"vitess.io/vitess/go/vt/vtenv"
	"vitess.io/vitess/go/vt/vtgate/evalengine"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An Engine compiles expressions. It is for any number of goroutines.
type Engine struct {
	env *vtenv.Environment
	// Collation is that of columns of text whose own is not known; "" refuses them.
	Collation string
}

// New returns an Engine.
func New() (*Engine, error) {
	env, err := vtenv.New(vtenv.Options{MySQLServerVersion: "8.4.6"})
	if err != nil {
		return nil, fmt.Errorf("ready the evaluation of expressions: %w", err)
	}
	return &Engine{env: env}, nil
}

// An Expr is an expression about the rows of one table. It is immutable.
type Expr struct {
	Text string
	// Columns are the places of the columns that it names, in the table that it was compiled for.
	Columns []int
	// Native and Type are the type of its values, as a column of MySQL's would have it.
	Native string
	Type   schema.Type

	engine *Engine
	code   evalengine.Expr
	args   []arg // one for each of Columns
}

// result is the collation that texts come out in: all columns behind a reader are UTF-8.
const result = collations.ID(255) // utf8mb4_0900_ai_ci

// Compile reads an expression about rows of a table. What is wrong with it is told by word.
func (e *Engine) Compile(text string, t *schema.Table) (*Expr, error) {
	ast, err := e.env.Parser().ParseExpr(text)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the expression %q cannot be read: %w", text, syntax(err)), "it is what stands behind WHERE in a SELECT of one table alone")
	}
	x := &Expr{Text: text, engine: e}
	if err := e.allowed(ast, t); err != nil {
		return nil, fmt.Errorf("the expression %q: %w", text, err)
	}
	asked := ast
	ast = rewritten(sqlparser.Clone(ast), t)
	// Texts that are written down are compared as the columns are: the engine takes both for equals.
	texts := result
	if one, mixed := collationsOf(ast, t); mixed {
		if err := unmixed(ast); err != nil {
			return nil, fmt.Errorf("the expression %q: %w", text, err)
		}
	} else if id := e.env.CollationEnv().LookupByName(one); one != "" && id != collations.Unknown {
		texts = id
	}
	var unfit error
	place := func(c *sqlparser.ColName) (int, error) {
		i := t.Index(c.Name.String())
		if i < 0 {
			unfit = t.NoColumn(c.Name.String())
			return 0, unfit
		}
		at := slices.Index(x.Columns, i)
		if at < 0 {
			a, err := e.arg(&t.Columns[i])
			if err != nil {
				return 0, err
			}
			at = len(x.Columns)
			x.Columns, x.args = append(x.Columns, i), append(x.args, a)
		}
		return at, nil
	}
	x.code, err = evalengine.Translate(ast, &evalengine.Config{
		ResolveColumn: place,
		ResolveType: func(n sqlparser.Expr) (evalengine.Type, bool) {
			c, ok := n.(*sqlparser.ColName)
			if !ok {
				return evalengine.Type{}, false
			}
			at, err := place(c)
			if err != nil {
				unfit = err
				return evalengine.Type{}, false
			}
			return x.args[at].typ, true
		},
		Collation: texts, Environment: e.env,
	})
	if unfit != nil {
		err = unfit
	}
	if errors.Is(err, ErrCollation) || unfit != nil && hint.Of(unfit) != "" {
		return nil, fmt.Errorf("the expression %q: %w", text, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the expression %q: %w", text, plain(err))
	}
	typ, err := x.environment().TypeOf(x.code)
	if err != nil {
		return nil, fmt.Errorf("the expression %q: %w", text, plain(err))
	}
	x.Native = native(asked, typ, t)
	if x.Type, err = schema.ParseMySQL(x.Native); err != nil {
		return nil, fmt.Errorf("the expression %q: %w", text, err)
	}
	return x, nil
}

func (x *Expr) environment() *evalengine.ExpressionEnv {
	env := evalengine.EmptyExpressionEnv(x.engine.env)
	env.SetTime(time.Unix(0, 0).UTC()) // nothing that asks for it is allowed
	return env
}

// syntax leaves out what the parser says of itself.
func syntax(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "syntax error at "))
}

// plain is what the engine says, without the words of its own trade.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "VT12001: unsupported: ")
	return errors.New(strings.TrimPrefix(text, "unsupported: "))
}
