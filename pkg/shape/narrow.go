package shape

import (
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Narrow returns the part of a table whose rows meet a condition of MySQL's, and the condition as
// it is told of rows that are made of the source's. It may name columns that are as the source has
// them, and no others: the source picks the rows, by its own.
func (s *book) Narrow(t *schema.Table, cond string) (*schema.Table, *expr.Expr, error) {
	x, err := s.engine.Compile(cond, t)
	if err != nil {
		return nil, nil, tableError(t, err)
	}
	spec, base := Spec{}, t
	if t.Base != nil {
		s.mu.Lock()
		spec, base = s.specs[t.String()], rows(t.Base)
		s.mu.Unlock()
	}
	if spec.Where == "" {
		spec.Where = cond
	} else {
		spec.Where = "(" + spec.Where + ") AND (" + cond + ")"
	}
	p, err := s.plan(spec, base)
	if err != nil {
		return nil, nil, tableError(t, err)
	}
	for _, c := range x.Columns {
		if p.cols[c].from < 0 {
			err := fmt.Errorf("the condition %q names %s, which is computed", cond, t.Columns[c].Name)
			return nil, nil, tableError(t, hint.Wrap(err, "a part is told by columns that are copied as they are"))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[p.t] = p
	return p.t, x, nil
}
