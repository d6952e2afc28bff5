package ddl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An altering is a table while the clauses of a statement are applied, one after the other.
type altering struct {
	Server
	Table
	renamed map[string]string
	filled  []string
}

func (a *altering) at(name string) int {
	return slices.IndexFunc(a.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) })
}

// spec applies a clause of ALTER TABLE. What has to do with neither columns nor the primary key
// changes nothing.
func (a *altering) spec(s *ast.AlterTableSpec) error {
	switch s.Tp {
	case ast.AlterTableAddColumns:
		return a.addAll(s)
	case ast.AlterTableDropColumn:
		return a.drop(s.OldColumnName.Name.O, s.IfExists)
	case ast.AlterTableModifyColumn:
		return a.change(s, s.NewColumns[0].Name.Name.O)
	case ast.AlterTableChangeColumn:
		return a.change(s, s.OldColumnName.Name.O)
	case ast.AlterTableRenameColumn:
		return a.rename(s.OldColumnName.Name.O, s.NewColumnName.Name.O)
	case ast.AlterTableAddConstraint:
		a.constraint(s.Constraint)
	case ast.AlterTableDropPrimaryKey:
		a.Key = nil
	case ast.AlterTableDropIndex:
		if strings.EqualFold(s.Name, "PRIMARY") {
			a.Key = nil
		}
	case ast.AlterTableOption:
		a.options(s.Options)
	}
	return nil
}

func (a *altering) addAll(s *ast.AlterTableSpec) error {
	at := s.Position
	for _, def := range s.NewColumns {
		if s.IfNotExists && a.at(def.Name.Name.O) >= 0 {
			continue
		}
		if err := a.add(def, at); err != nil {
			return err
		}
	}
	for _, c := range s.NewConstraints {
		a.constraint(c)
	}
	return nil
}

// add puts a new column in its place: at the end if none is said.
func (a *altering) add(def *ast.ColumnDef, at *ast.ColumnPosition) error {
	c, key, err := a.column(def)
	if err != nil {
		return err
	}
	if a.at(c.Name) >= 0 {
		return fmt.Errorf("%w: there is a column %s already", ErrUnknown, c.Name)
	}
	i, err := a.place(at, len(a.Columns))
	if err != nil {
		return err
	}
	a.Columns = slices.Insert(a.Columns, i, c)
	if key {
		a.Key = []string{c.Name}
	}
	if !c.Nullable || fills(def.Options) {
		a.filled = append(a.filled, c.Name)
	}
	return nil
}

// fills reports whether a new column has values in rows that were there.
func fills(options []*ast.ColumnOption) bool {
	return slices.ContainsFunc(options, func(o *ast.ColumnOption) bool {
		if o.Tp == ast.ColumnOptionDefaultValue {
			v, ok := o.Expr.(*test_driver.ValueExpr)
			return !ok || v.Kind() != test_driver.KindNull
		}
		return o.Tp == ast.ColumnOptionGenerated
	})
}

// place is where a column comes.
func (a *altering) place(at *ast.ColumnPosition, none int) (int, error) {
	switch {
	case at == nil || at.Tp == ast.ColumnPositionNone:
		return none, nil
	case at.Tp == ast.ColumnPositionFirst:
		return 0, nil
	}
	i := a.at(at.RelativeColumn.Name.O)
	if i < 0 {
		return 0, a.missing(at.RelativeColumn.Name.O)
	}
	return i + 1, nil
}

func (a *altering) missing(name string) error {
	return fmt.Errorf("%w: there is no column %s", ErrUnknown, name)
}

func (a *altering) drop(name string, ifExists bool) error {
	i := a.at(name)
	if i < 0 {
		if ifExists {
			return nil
		}
		return a.missing(name)
	}
	a.Columns = slices.Delete(a.Columns, i, i+1)
	a.Key = slices.DeleteFunc(a.Key, func(k string) bool { return strings.EqualFold(k, name) })
	return nil
}

// change is MODIFY and CHANGE: a column that is declared anew, perhaps elsewhere.
func (a *altering) change(s *ast.AlterTableSpec, old string) error {
	i := a.at(old)
	if i < 0 {
		if s.IfExists {
			return nil
		}
		return a.missing(old)
	}
	c, key, err := a.column(s.NewColumns[0])
	if err != nil {
		return err
	}
	a.renameKey(a.Columns[i].Name, c.Name)
	a.Columns = slices.Delete(a.Columns, i, i+1)
	to, err := a.place(s.Position, i)
	if err != nil {
		return err
	}
	a.Columns = slices.Insert(a.Columns, to, c)
	if key {
		a.Key = []string{c.Name}
	}
	return nil
}

func (a *altering) rename(old, name string) error {
	i := a.at(old)
	if i < 0 {
		return a.missing(old)
	}
	a.renameKey(a.Columns[i].Name, name)
	a.Columns[i].Name = name
	return nil
}

// renameKey notes that a column has got another name.
func (a *altering) renameKey(old, name string) {
	if old == name {
		return
	}
	for i, k := range a.Key {
		if k == old {
			a.Key[i] = name
		}
	}
	for was, is := range a.renamed { // by an earlier clause
		if is == old {
			a.renamed[was] = name
			return
		}
	}
	a.renamed[old] = name
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
func (a *altering) options(list []*ast.TableOption) {
	if c := a.optionCharset(list); c != "" {
		a.Charset = c
	}
	converts := slices.ContainsFunc(list, func(o *ast.TableOption) bool {
		return o.Tp == ast.TableOptionCharset && o.UintValue == ast.TableOptionCharsetWithConvertTo
	})
	for i := range a.Columns {
		if c := &a.Columns[i]; converts && c.Charset != "" {
			c.Native = converted(c.Native, c.Charset, a.Charset)
			c.Charset = a.Charset
			if t, err := schema.ParseMySQL(c.Native); err == nil {
				c.Type, c.Arrow = t, t.Arrow()
			}
		}
	}
}

// keyed has the key's names be the columns' own, and these not be null.
func (a *altering) keyed() {
	for i, k := range a.Key {
		if at := a.at(k); at >= 0 {
			a.Key[i] = a.Columns[at].Name
			a.Columns[at].Nullable = false
		}
	}
}
