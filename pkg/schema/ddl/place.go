package ddl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

func (a *altering) addAll(s *ast.AlterTableSpec) error {
	at := s.Position
	for _, def := range s.NewColumns {
		if s.IfNotExists && a.there(def.Name.Name.O) {
			continue
		}
		if err := a.add(def, at); err != nil {
			return err
		}
	}
	return nil
}

// there tells a column that IF NOT EXISTS finds: even if the statement drops it.
func (a *altering) there(name string) bool {
	return a.at(name) >= 0 || slices.ContainsFunc(a.from, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) })
}

// add puts a new column in its place: at the end if none is said.
func (a *altering) add(def *ast.ColumnDef, at *ast.ColumnPosition) error {
	c, err := a.column(def)
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
	a.insert(i, c, "", true)
	if !c.Nullable || fills(def.Options) {
		a.filled = append(a.filled, c.Name)
	}
	return nil
}

func (a *altering) insert(i int, c schema.Column, was string, declared bool) {
	a.Columns, a.was, a.declared = slices.Insert(a.Columns, i, c), slices.Insert(a.was, i, was), slices.Insert(a.declared, i, declared)
}

func (a *altering) remove(i int) {
	a.Columns, a.was, a.declared = slices.Delete(a.Columns, i, i+1), slices.Delete(a.was, i, i+1), slices.Delete(a.declared, i, i+1)
}

// move puts a column elsewhere.
func (a *altering) move(i int, at *ast.ColumnPosition) error {
	c, was, declared := a.Columns[i], a.was[i], a.declared[i]
	a.remove(i)
	to, err := a.place(at, i)
	if err != nil {
		return err
	}
	a.insert(to, c, was, declared)
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
	i := a.had(name)
	if i < 0 {
		if ifExists {
			return nil
		}
		return a.missing(name)
	}
	a.remove(i)
	return nil
}

// renameKey gives the key the names that its columns have now. A new column that has the name of one that
// was dropped takes its place.
func (a *altering) renameKey() {
	var key []string
	for _, k := range a.Key {
		if at := a.had(k); at >= 0 {
			key = append(key, a.Columns[at].Name)
		} else if at := a.at(k); at >= 0 && a.was[at] == "" {
			key = append(key, a.Columns[at].Name)
		}
	}
	a.Key = key
}

// renames are columns that have got another name, by the one they had.
func (a *altering) renames() map[string]string {
	names := map[string]string{}
	for i, was := range a.was {
		if was != "" && was != a.Columns[i].Name {
			names[was] = a.Columns[i].Name
		}
	}
	return names
}
