// Package shape makes tables of a source's tables, row by row: only those that meet a condition,
// with columns that are computed or masked, with what is known of each change, and with rows that
// stay when they are deleted. Neither sources nor sinks know of it.
package shape

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Spec is how a table is made of one of the source.
type Spec struct {
	Where   string // the rows, as a condition of MySQL's; "" for all
	Columns []string
	Set     []Set
	Meta    []string // of MetaColumns
	Deleted string   // the column that marks rows which were deleted; "" for none
}

// A Set is a column that is computed, or has the values of another one's place.
type Set struct{ Column, Expr string }

// MetaColumns are what can be told of each row.
var MetaColumns = []string{"_db", "_table", "_op", "_ts", "_gtid"}

// text tells a Spec apart from others whose rows are not the same. The condition is not part of
// it: schema.Table tells of it.
func (s *Spec) text() string {
	var parts []string
	if len(s.Columns) > 0 {
		parts = append(parts, "--columns "+strings.Join(s.Columns, ","))
	}
	for _, set := range s.Set {
		parts = append(parts, fmt.Sprintf("--set '%s=%s'", set.Column, set.Expr))
	}
	if len(s.Meta) > 0 {
		parts = append(parts, "--meta "+strings.Join(s.Meta, ","))
	}
	if s.Deleted != "" {
		parts = append(parts, "--soft-delete="+s.Deleted)
	}
	return strings.Join(parts, " ")
}

// images reports whether a log's old rows are needed in full, and what it says of each change.
func (s *Spec) images() bool {
	return s.Where != "" || s.Deleted != "" || slices.ContainsFunc(s.Meta, func(m string) bool { return m != "_db" && m != "_table" })
}

// A plan is a Spec made out for one table.
type plan struct {
	spec  Spec
	t     *schema.Table // what it makes
	base  *schema.Table // of what, as the source lists it; a changelog if t is one
	where *expr.Expr    // nil for all rows
	cols  []column      // one for each of t's
	named []int         // columns of base that expressions name
	stock *schema.Table // base with the condition for the server
	log   *schema.Table // base as the log is asked for it
}

// A column is how one column is made: of the column of the source's at from, by an expression, or
// by what it is about.
type column struct {
	from int // -1 if it is not one
	set  *expr.Expr
	meta string
	own  schema.Meta // of a changelog
}

// made says how a column comes about that the source does not have.
func made(name, native string) (schema.Column, error) {
	typ, err := schema.ParseMySQL(native)
	c := schema.Column{Name: name, Native: native, Type: typ, Nullable: true}
	if typ.Kind == schema.String {
		c.Charset = "utf8mb4"
	}
	c.Arrow = typ.Arrow()
	return c, err
}

var metaTypes = map[string]string{"_db": "varchar(64)", "_table": "varchar(64)", "_op": "varchar(1)", "_ts": "timestamp(6)", "_gtid": "varchar(150)"}

// rows leaves out of a table what a log adds to it.
func rows(t *schema.Table) *schema.Table {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Meta != schema.NotMeta {
		n--
	}
	key := t.Key
	if t.IsChangelog() {
		key = t.RowKey
	}
	out := schema.New(t.DB, t.Name, t.Columns[:n], key)
	out.Comment, out.Rows, out.Bytes, out.Whole = t.Comment, t.Rows, t.Bytes, t.Whole
	if t.Now != nil {
		out.Now = rows(t.Now)
	}
	return out
}

// make makes a plan for a table of the source, one of rows.
func (s *book) plan(spec Spec, base *schema.Table) (*plan, error) {
	p := &plan{spec: spec, base: base}
	if err := s.compile(p); err != nil {
		return nil, err
	}
	columns := make([]schema.Column, 0, len(base.Columns)+len(p.cols))
	place := make([]int, len(base.Columns)) // of columns of base in the table
	kept := p.cols[:0:0]
	add := func(c schema.Column, how column) error {
		if slices.ContainsFunc(columns, func(o schema.Column) bool { return strings.EqualFold(o.Name, c.Name) }) {
			return hint.Wrap(fmt.Errorf("column %s has the name of one that is to be added", c.Name), "leave the table out with --exclude, or the column, with --columns")
		}
		columns, kept = append(columns, c), append(kept, how)
		return nil
	}
	set := map[string]*expr.Expr{}
	for i, c := range p.cols {
		set[strings.ToLower(spec.Set[i].Column)] = c.set
	}
	for i, c := range base.Columns {
		place[i] = -1
		how := column{from: i}
		if x := set[strings.ToLower(c.Name)]; x != nil {
			if slices.Contains(base.Key, i) {
				return nil, hint.Wrap(fmt.Errorf("--set computes %s, which is of the primary key: rows could fall together", c.Name),
					"compute another column, and leave this one in; a key that must not leave the source has to stay out by --columns, with each change as a row of its own")
			}
			var err error
			if c, err = made(c.Name, x.Native); err != nil {
				return nil, err
			}
			how = column{from: -1, set: x}
			delete(set, strings.ToLower(c.Name))
		} else if len(spec.Columns) > 0 && !slices.ContainsFunc(spec.Columns, func(n string) bool { return strings.EqualFold(n, c.Name) }) {
			continue
		}
		place[i] = len(columns)
		if err := add(c, how); err != nil {
			return nil, err
		}
	}
	for _, c := range spec.Set {
		x := set[strings.ToLower(c.Column)]
		if x == nil {
			continue
		}
		col, err := made(c.Column, x.Native)
		if err == nil {
			err = add(col, column{from: -1, set: x})
		}
		if err != nil {
			return nil, err
		}
	}
	p.cols = kept
	if err := p.extra(add); err != nil {
		return nil, err
	}
	var key []int
	for _, k := range base.Key {
		if place[k] < 0 {
			key = nil
			break
		}
		key = append(key, place[k])
	}
	t := schema.New(base.DB, base.Name, columns, key)
	t.Comment, t.Rows, t.Bytes = base.Comment, base.Rows, base.Bytes
	t.Filter, t.Base, t.Shaping = spec.Where, base, spec.text()
	p.t, p.cols = t, kept
	p.ask(false)
	return p, nil
}

// extra adds the columns that are no expressions.
func (p *plan) extra(add func(schema.Column, column) error) error {
	names := slices.Clone(p.spec.Meta)
	if p.spec.Deleted != "" {
		names = append(names, p.spec.Deleted)
	}
	for i, name := range names {
		native := cmp.Or(metaTypes[name], "bit(1)")
		if i == len(p.spec.Meta) {
			name, native = "deleted", "bit(1)"
		}
		c, err := made(names[i], native)
		if err == nil {
			err = add(c, column{from: -1, meta: name})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ask notes in which forms the source is asked for the table.
func (p *plan) ask(changes bool) {
	stock := *p.base
	stock.Filter = p.spec.Where
	p.stock, p.log = &stock, p.base
	if !changes && p.spec.images() && len(p.base.Key) > 0 {
		p.log = schema.Imaged(p.base)
	}
}

// compile reads the expressions.
func (s *book) compile(p *plan) (err error) {
	if p.spec.Where != "" {
		if p.where, err = s.engine.Compile(p.spec.Where, p.base); err != nil {
			return fmt.Errorf("--where: %w", err)
		}
		p.named = append(p.named, p.where.Columns...)
	}
	for _, set := range p.spec.Set {
		x, err := s.engine.Compile(set.Expr, p.base)
		if err != nil {
			return fmt.Errorf("--set %s: %w", set.Column, err)
		}
		p.cols = append(p.cols, column{from: -1, set: x})
		p.named = append(p.named, x.Columns...)
	}
	return nil
}

// changes is the plan of a table in which each change is a row.
func (p *plan) changes() (*plan, error) {
	if p.spec.Deleted != "" {
		return nil, hint.Wrap(errors.New("--soft-delete: each change is a row of its own here, and so is a delete"), "leave it out, or have rows be written: --latest for plain files, none of --changelog and --keyless append")
	}
	t, err := schema.Changelog(p.t)
	if err != nil {
		return nil, err
	}
	q := *p
	q.t, q.base = t, t.Base
	q.cols = slices.Clone(p.cols)
	for i := len(p.t.Columns); i < len(t.Columns); i++ {
		q.cols = append(q.cols, column{from: -1, own: t.Columns[i].Meta})
	}
	q.ask(true)
	return &q, nil
}
