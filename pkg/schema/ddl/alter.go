package ddl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An altering is a table while the clauses of a statement are applied. Servers do not apply them
// as they are written: what goes, goes first, then columns are declared anew where they are, by
// the names they had, and then others come, and are moved, by the names there are then.
type altering struct {
	Server
	Table
	from     []schema.Column // what the table had
	was      []string        // the names that columns had, "" for new ones
	declared []bool          // columns that the statement declares
	converts bool            // all text becomes the table's character set
	charsets int             // how often the statement names one for the table
	keyed    bool            // the table had a primary key
	filled   []string
}

func altered(s Server, t *Table) *altering {
	a := &altering{Server: s, Table: Table{Columns: slices.Clone(t.Columns), Key: slices.Clone(t.Key), Charset: t.Charset}, from: t.Columns, keyed: len(t.Key) > 0}
	for _, c := range t.Columns {
		a.was = append(a.was, c.Name)
	}
	a.declared = make([]bool, len(a.was))
	return a
}

func (a *altering) at(name string) int {
	return a.Index(name)
}

// had is where the column is that had a name before the statement.
func (a *altering) had(name string) int {
	return slices.IndexFunc(a.was, func(was string) bool { return was != "" && strings.EqualFold(was, name) })
}

// steps are the order in which servers apply clauses. What has to do with neither columns nor the
// primary key changes nothing.
var steps = []func(a *altering, s *ast.AlterTableSpec) error{(*altering).options, (*altering).goes, (*altering).changes, (*altering).comes, (*altering).keys}

// apply applies all clauses.
func (a *altering) apply(specs []*ast.AlterTableSpec) error {
	for i, step := range steps {
		for _, s := range specs {
			if err := step(a, s); err != nil {
				return err
			}
		}
		if i == 3 { // columns are those that there will be
			a.renameKey()
		}
	}
	return a.finish()
}

// goes takes out what is dropped.
func (a *altering) goes(s *ast.AlterTableSpec) error {
	switch s.Tp {
	case ast.AlterTableDropColumn:
		return a.drop(s.OldColumnName.Name.O, s.IfExists)
	case ast.AlterTableDropPrimaryKey:
		a.Key = nil
	case ast.AlterTableDropIndex:
		if strings.EqualFold(s.Name, "PRIMARY") {
			a.Key = nil
		}
	case ast.AlterTableDropCheck:
		if strings.EqualFold(s.Constraint.Name, "PRIMARY") { // DROP CONSTRAINT
			a.Key = nil
		}
	}
	return nil
}

// changes declares columns anew, or renames them, where they are.
func (a *altering) changes(s *ast.AlterTableSpec) error {
	switch s.Tp {
	case ast.AlterTableModifyColumn, ast.AlterTableChangeColumn:
		i, err := a.changed(s)
		if err != nil || i < 0 {
			return err
		}
		c, err := a.column(s.NewColumns[0])
		if err != nil {
			return err
		}
		a.Columns[i], a.declared[i] = c, true
	case ast.AlterTableRenameColumn:
		i := a.had(s.OldColumnName.Name.O)
		if i < 0 {
			return a.missing(s.OldColumnName.Name.O)
		}
		a.Columns[i].Name = s.NewColumnName.Name.O
	}
	return nil
}

// changed is the column that MODIFY or CHANGE is about, or -1 if there need be none.
func (a *altering) changed(s *ast.AlterTableSpec) (int, error) {
	old := s.NewColumns[0].Name.Name.O
	if s.Tp == ast.AlterTableChangeColumn {
		old = s.OldColumnName.Name.O
	}
	i := a.had(old)
	if i < 0 && !s.IfExists {
		return i, a.missing(old)
	}
	return i, nil
}

// comes puts new columns, and those that are moved, in their places.
func (a *altering) comes(s *ast.AlterTableSpec) error {
	switch s.Tp {
	case ast.AlterTableAddColumns:
		return a.addAll(s)
	case ast.AlterTableModifyColumn, ast.AlterTableChangeColumn:
		i, err := a.changed(s)
		if err != nil || i < 0 {
			return err
		}
		return a.move(i, s.Position)
	}
	return nil
}

// keys takes primary keys over, of columns and of the table.
func (a *altering) keys(s *ast.AlterTableSpec) error {
	switch s.Tp {
	case ast.AlterTableModifyColumn, ast.AlterTableChangeColumn:
		if i, err := a.changed(s); err != nil || i < 0 {
			return err
		}
		a.keyOf(s.NewColumns[0])
	case ast.AlterTableAddConstraint:
		a.constraint(s.Constraint)
	case ast.AlterTableAddColumns:
		for _, def := range s.NewColumns {
			// IF NOT EXISTS is also about the key, whether the column is there or not.
			if !s.IfNotExists || !a.keyed {
				a.keyOf(def)
			}
		}
		for _, c := range s.NewConstraints {
			a.constraint(c)
		}
	}
	return nil
}

// keyOf takes over that a column is declared as the primary key.
func (a *altering) keyOf(def *ast.ColumnDef) {
	for _, o := range def.Options {
		if o.Tp == ast.ColumnOptionPrimaryKey {
			a.Key = []string{def.Name.Name.O}
		}
	}
}

// constraint takes a primary key over.
func (a *altering) constraint(c *ast.Constraint) {
	if c.Tp != ast.ConstraintPrimaryKey {
		return
	}
	a.Key = nil
	for _, k := range c.Keys {
		if k.Column != nil {
			a.Key = append(a.Key, k.Column.Name.O)
		}
	}
}

// options are those of the table: its character set, perhaps with that of its columns.
func (a *altering) options(s *ast.AlterTableSpec) error {
	if s.Tp != ast.AlterTableOption {
		return nil
	}
	for _, o := range s.Options {
		if o.Tp == ast.TableOptionCharset && o.Default {
			return fmt.Errorf("%w: the character set is that of the database", ErrUnknown)
		}
		a.converts = a.converts || o.Tp == ast.TableOptionCharset && o.UintValue == ast.TableOptionCharsetWithConvertTo
	}
	if c := a.optionCharset(s.Options); c != "" {
		a.Charset = c
		a.charsets++
	}
	if a.converts && a.charsets > 1 {
		return fmt.Errorf("%w: it converts to one character set, and names another", ErrUnknown)
	}
	return nil
}

// finish does what is done to all columns in the end.
func (a *altering) finish() error {
	for i := range a.Columns {
		c := &a.Columns[i]
		if !a.converts || c.Charset == "" || c.Charset == "binary" {
			continue
		}
		switch {
		case a.declared[i] && c.Native == "text" && !a.Maria: // which MySQL makes a TINYTEXT if it was declared without a length
			return fmt.Errorf("%w: column %s is declared and converted", ErrUnknown, c.Name)
		case garbles(c, a.Charset):
			return fmt.Errorf("%w: the labels of column %s become others", ErrUnknown, c.Name)
		}
		a.convert(c, a.declared[i])
	}
	a.hiddenKey()
	for i, k := range a.Key { // by the names that columns have, which are not NULL
		if at := a.at(k); at >= 0 {
			a.Key[i] = a.Columns[at].Name
			a.Columns[at].Nullable = false
		}
	}
	return nil
}

// convert gives a column the table's character set.
func (a *altering) convert(c *schema.Column, declared bool) {
	c.Native = converted(c.Native, c.Charset, a.Charset, declared)
	c.Charset, c.Collation = a.Charset, "" // that of the character set, or of the table
	if t, err := schema.ParseMySQL(c.Native); err == nil {
		c.Type, c.Arrow = t, t.Arrow()
	}
	if c.Type.Kind == schema.Binary || a.Charset == "binary" && !a.Maria {
		c.Charset = ""
	}
}

// hiddenKey has the key that MySQL generates (sql_generate_invisible_primary_key) stay the first column.
func (a *altering) hiddenKey() {
	i := slices.Index(a.was, "my_row_id")
	if a.Maria || i <= 0 || a.from[0].Name != "my_row_id" || a.declared[i] || !slices.Equal(a.Key, a.was[i:i+1]) {
		return
	}
	c := a.Columns[i]
	a.remove(i)
	a.insert(0, c, "my_row_id", false)
}
