// Package ddl makes of a table's shape what a statement makes of the table: CREATE TABLE and ALTER
// TABLE of MySQL and MariaDB, by TiDB's parser. That a log is read far behind the server is why:
// the server tells what a table is now, and not what it was when the rows came.
package ddl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // of literals, which the parser leaves to a driver

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// ErrUnknown is that a statement cannot be read, or says less than it does: the table has to be
// asked for.
var ErrUnknown = errors.New("the statement cannot be read")

// A Table is a table's shape as statements make it. It is immutable.
type Table struct {
	Columns []schema.Column // as information_schema has them
	Key     []string        // names of the primary key's columns, in its order
	Charset string          // of columns of text that name none
}

// A Server is whose statements are read.
type Server struct {
	Maria bool // MariaDB, which prints widths of integers
	// CharsetOf is the character set of a collation, by the server; nil is by the parser.
	CharsetOf func(collation string) string
	// ImplicitTimestamps is that explicit_defaults_for_timestamp was off: a TIMESTAMP is not to be
	// NULL unless it says so.
	ImplicitTimestamps bool
}

// An Alteration is what an ALTER TABLE makes of a table.
type Alteration struct {
	*Table
	Renamed map[string]string // columns that have got another name, by the one they had
	// Filled are new columns in which rows that were there have a value: that of a default, or
	// one that is computed.
	Filled []string
	// Gone are columns that are there no longer, even if others have their names.
	Gone []string
}

// Alter returns what an ALTER TABLE makes of a table.
func (s Server) Alter(t *Table, statement string) (*Alteration, error) {
	node, err := s.parse(statement, t)
	if err != nil {
		return nil, err
	}
	a := altered(s, t)
	switch stmt := node.(type) {
	case *ast.AlterTableStmt:
		err = a.apply(stmt.Specs)
	case *ast.DropIndexStmt:
		err = a.apply([]*ast.AlterTableSpec{{Tp: ast.AlterTableDropIndex, Name: stmt.IndexName}})
	case *ast.AnalyzeTableStmt, *ast.CreateIndexStmt: // ALTER TABLE … ANALYZE PARTITION is one
	default:
		err = fmt.Errorf("%w: it is no ALTER TABLE", ErrUnknown)
	}
	if err != nil {
		return nil, err
	}
	if len(a.Columns) == 0 {
		return nil, fmt.Errorf("%w: no column is left", ErrUnknown)
	}
	filled := slices.DeleteFunc(a.filled, func(name string) bool { return a.at(name) < 0 })
	var gone []string
	for _, c := range t.Columns {
		if a.had(c.Name) < 0 {
			gone = append(gone, c.Name)
		}
	}
	return &Alteration{&a.Table, a.renames(), filled, gone}, nil
}

// Index is where the column of a name is, in whatever case; -1 if there is none.
func (t *Table) Index(name string) int {
	return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) })
}

// Create returns what a CREATE TABLE makes, in a database of a character set. like, which may be
// nil, returns the table that is named in CREATE TABLE … LIKE.
func (s Server) Create(statement, charset string, like func(db, name string) *Table) (*Table, error) {
	node, err := s.parse(statement, nil)
	if err != nil {
		return nil, err
	}
	stmt, ok := node.(*ast.CreateTableStmt)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: it is no CREATE TABLE", ErrUnknown)
	case stmt.Select != nil:
		return nil, fmt.Errorf("%w: columns are those of a SELECT", ErrUnknown)
	case stmt.ReferTable != nil:
		if like != nil {
			if t := like(stmt.ReferTable.Schema.O, stmt.ReferTable.Name.O); t != nil {
				return t, nil
			}
		}
		return nil, fmt.Errorf("%w: columns are those of %s", ErrUnknown, stmt.ReferTable.Name.O)
	}
	a := altered(s, &Table{Charset: charset})
	if c := s.optionCharset(stmt.Options); c != "" {
		a.Charset = c
	}
	for _, def := range stmt.Cols {
		if err := a.add(def, nil); err != nil {
			return nil, err
		}
		a.keyOf(def)
	}
	for _, c := range stmt.Constraints {
		a.constraint(c)
	}
	if err := a.finish(); err != nil {
		return nil, err
	}
	return &a.Table, nil
}

// parse reads one statement about a table, which is nil if it is made.
func (s Server) parse(statement string, table *Table) (ast.StmtNode, error) {
	if !utf8.ValidString(statement) {
		return nil, fmt.Errorf("%w: its text is of another character set than UTF-8", ErrUnknown)
	}
	list := tokens(statement, s.Maria)
	if r := (&reading{list: list}); r.accept("SET", "STATEMENT") { // … FOR another one, of MariaDB
		for !r.end() && !r.accept("FOR") {
			if len(r.group()) == 0 {
				r.i++
			}
		}
		list = r.rest()
	}
	// Of these types the parser does not tell the character set.
	national := slices.ContainsFunc(list, func(t token) bool { return t.is("NATIONAL", "NCHAR", "NVARCHAR") })
	node, err := parse(written(list))
	if err == nil && !national {
		return node, nil
	}
	if list, ok := s.loosen(list, table); ok {
		if node, err := parse(written(list)); err == nil {
			return node, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%w: it may have a type of the national character set", ErrUnknown)
	}
	return nil, err
}

func parse(statement string) (ast.StmtNode, error) {
	p := parser.New()
	p.EnableWindowFunc(true)
	list, _, err := p.ParseSQL(statement)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	case len(list) != 1:
		return nil, fmt.Errorf("%w: there are %d of them", ErrUnknown, len(list))
	}
	return list[0], nil
}
