package route

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Routes say where tables go.
type Routes struct {
	// Alone says that tables keep their names, be they merged at the sink or not. There are no Rules.
	Alone bool
	Rules []Rule // the first one counts that is about a table; tables of none keep their names
	// Shard names the columns that hold the source's database and table and are part of the key
	// of what rules make; "" for none.
	Shard [2]string
	// Distinct says that no two tables that go to the same one have a key in common. Nobody checks:
	// rows of equal keys would take each other's places, or be there twice.
	Distinct bool
	// Source names the source of the tables, if the run has several: rules, and the columns of Shard,
	// have it with a slash in front of the database. "" for none.
	Source string
	// Several says that tables of other sources may go to the same ones, by Sinks of their own.
	Several bool

	done *commits // of all Sinks; nil: each has its own
}

// From returns the same routes for the tables of one of several sources, which may have a name.
func (r *Routes) From(source string) *Routes {
	if r == nil {
		return nil
	}
	of := *r
	of.Source, of.Several = source, true
	return &of
}

// Named is a table or a database as rules and positions name it.
func (r *Routes) Named(name string) string {
	if r == nil || r.Source == "" {
		return name
	}
	return r.Source + "/" + name
}

// plain takes the source's name off again; false if the name is one of another source.
func (r *Routes) plain(name string) (string, bool) {
	if r.Source == "" {
		return name, true
	}
	return strings.CutPrefix(name, r.Source+"/")
}

// Parse reads rules, and the names of the columns of Routes.Shard, of which there are none or two.
func Parse(rules, shard []string) (*Routes, error) {
	r := &Routes{done: newCommits()}
	for _, text := range rules {
		rule, err := ParseRule(text)
		if err != nil {
			return nil, err
		}
		r.Rules = append(r.Rules, rule)
	}
	if len(shard) == 0 {
		return r, nil
	}
	if len(shard) != 2 || shard[0] == "" || shard[1] == "" || strings.EqualFold(shard[0], shard[1]) {
		return nil, hint.Wrap(fmt.Errorf("%q are not the names of two columns", strings.Join(shard, ",")), "want one for the database and one for the table: _db,_table")
	}
	if len(rules) == 0 {
		return nil, errors.New("the columns that tell shards apart are of tables that routes make, and there is no route")
	}
	r.Shard = [2]string(shard)
	return r, nil
}

// Target returns where a table goes, or false if no rule is about it.
func (r *Routes) Target(db, name string) (toDB, to string, ok bool) {
	if r == nil {
		return "", "", false
	}
	i, toDB, to := r.rule(r.Named(db + "." + name))
	return toDB, to, i >= 0
}

// rule returns the number of the rule that is about a table, by its name here, and where that sends
// it; -1 if none is.
func (r *Routes) rule(table string) (i int, db, name string) {
	for i := range r.Rules {
		if db, name, ok := r.Rules[i].target(table); ok {
			return i, db, name
		}
	}
	return -1, "", ""
}

// Targets returns the tables that the sink is to hold: those of no rule as they are, and those that
// rules make in a shape that takes the rows of all of theirs. It is an error if two cannot be one.
func (r *Routes) Targets(tables []*schema.Table) ([]*schema.Table, error) {
	return r.targets(tables, true)
}

// Fitting is Targets of those tables alone whose shapes go together: a run that goes on with others
// leaves the rest behind.
func (r *Routes) Fitting(tables []*schema.Table) ([]*schema.Table, error) {
	return r.targets(tables, false)
}

func (r *Routes) targets(tables []*schema.Table, all bool) ([]*schema.Table, error) {
	if r == nil || len(r.Rules) == 0 {
		return tables, nil
	}
	var out, plain []*schema.Table
	made := map[string]int{}     // where those are that rules make
	first := map[string]string{} // a table that goes there
	for _, t := range tables {
		db, name, ok := r.Target(t.DB, t.Name)
		if !ok {
			out, plain = append(out, t), append(plain, t)
			continue
		}
		form, err := r.form(t, db, name)
		if err != nil {
			if all {
				return nil, err
			}
			continue
		}
		at, more := made[form.String()]
		if !more {
			made[form.String()], first[form.String()] = len(out), t.String()
			out = append(out, form)
			continue
		}
		if err := r.tells(form, t.String(), first[form.String()]); err != nil {
			return nil, fmt.Errorf("merge %s and %s: %w", first[form.String()], t, err)
		}
		sum, err := r.sum(out[at], form, t)
		switch {
		case err == nil:
			out[at] = sum
		case all:
			return nil, fmt.Errorf("merge %s and %s: %w", first[form.String()], t, err)
		}
	}
	for _, t := range plain {
		if first[t.String()] != "" {
			return nil, hint.Wrap(fmt.Errorf("%s goes to %s, which is a table of the source too", first[t.String()], t), "name another target, or leave %s out with --exclude", t)
		}
	}
	return out, nil
}

// Unused refuses a rule that is about none of the tables, which are named as Named does.
func (r *Routes) Unused(tables []string) error {
	if r == nil || len(tables) == 0 {
		return nil
	}
	used := make([]bool, len(r.Rules))
	for _, t := range tables {
		if i, _, _ := r.rule(t); i >= 0 {
			used[i] = true
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return hint.Wrap(fmt.Errorf("the route %q is about none of the tables", r.Rules[i].text), "its expression has to match a whole DB.TABLE, such as %s", tables[0])
	}
	return nil
}

// form is a table as it is at the sink, were it the only one that goes there.
func (r *Routes) form(t *schema.Table, db, name string) (*schema.Table, error) {
	if db == "" || name == "" {
		return nil, &schema.TableError{Table: t.String(), Err: fmt.Errorf("its route leads to %q, which names no table", db+"."+name)}
	}
	var columns []schema.Column
	if r.Shard[0] != "" {
		for i, shard := range r.Shard {
			if at := t.Index(shard); at >= 0 {
				err := hint.Wrap(fmt.Errorf("it has a column %s of its own", t.Columns[at].Name), "--shard-columns takes other names: --shard-columns _shard_db,_shard_table")
				return nil, &schema.TableError{Table: t.String(), Err: err}
			}
			native := shardType
			if i == 0 && r.Source != "" {
				native = longType
			}
			c, err := shardColumn(shard, native, t.IsChangelog())
			if err != nil {
				return nil, err
			}
			columns = append(columns, c)
		}
	}
	n := len(columns)
	keyOf := func(key []int) []int {
		if len(key) == 0 {
			return nil
		}
		var out []int
		for i := range n {
			out = append(out, i)
		}
		for _, k := range key {
			out = append(out, k+n)
		}
		return out
	}
	out := schema.New(db, name, append(columns, t.Columns...), keyOf(t.Key))
	out.Comment, out.Rows, out.Bytes, out.Filter, out.RowKey = t.Comment, t.Rows, t.Bytes, t.Filter, keyOf(t.RowKey)
	return out, nil
}

// Types that hold any name of a database or a table, and that of a database behind the one of a
// source.
const (
	shardType = "varchar(64)"
	longType  = "varchar(192)"
)

func shardColumn(name, native string, nullable bool) (schema.Column, error) {
	typ, err := schema.ParseMySQL(native)
	return schema.Column{Name: name, Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: nullable, Charset: "utf8mb4"}, err
}

// tells refuses to merge a table with another one if rows of equal keys could not be told apart.
func (r *Routes) tells(form *schema.Table, table, other string) error {
	if r.Shard[0] != "" || r.Distinct || len(form.Key) == 0 {
		return nil
	}
	err := hint.Wrap(fmt.Errorf("a row of %s may have the key of one in %s, and they would be one row of %s", table, other, form),
		"--shard-columns puts the source's database and table into the key; --distinct-keys says that no two have the same")
	return &schema.TableError{Table: table, Err: err}
}

// Tells is tells of a table of one source, and of what another source sends to the same target.
func (r *Routes) Tells(t *schema.Table, target, other string) error {
	form := *t // of which the key matters, and the name
	if db, name, ok := strings.Cut(target, "."); ok {
		form.DB, form.Name = db, name
	}
	return r.tells(&form, t.String(), other)
}

// union takes the form of a further table in. It is have itself where that takes the rows as it is:
// what is open at the sink stays open.
func (r *Routes) union(have, form, of *schema.Table) (*schema.Table, error) {
	if have.Filter != form.Filter {
		return nil, errors.New("--where is another for each of them")
	}
	u, err := schema.Union(have, form)
	var te *schema.TableError
	if errors.As(err, &te) {
		err = hint.Wrap(errors.New(te.Err.Error()), "a route of its own takes %s elsewhere, --exclude %s leaves it out", of, of)
		return nil, &schema.TableError{Table: of.String(), Err: err}
	}
	return u, err
}

// sum is union with the estimates of both, for planning.
func (r *Routes) sum(have, form, of *schema.Table) (*schema.Table, error) {
	u, err := r.union(have, form, of)
	if err != nil {
		return nil, err
	}
	sum := *u
	sum.Rows, sum.Bytes = have.Rows+form.Rows, have.Bytes+form.Bytes
	sum.Comment = cmp.Or(have.Comment, form.Comment)
	return &sum, nil
}
