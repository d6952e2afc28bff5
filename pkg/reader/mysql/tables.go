package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// systemSchemas belong to the server.
const systemSchemas = "'mysql','information_schema','performance_schema','sys'"

// Tables lists the selected base tables. It asks information_schema once for
// tables, columns and keys each, however many there are: a question a table
// takes half an hour on servers with tens of thousands.
func (s *Stock) Tables(ctx context.Context, sel reader.Selection) ([]*schema.Table, error) {
	folds, err := s.control.queryOne(ctx, "SELECT @@GLOBAL.lower_case_table_names")
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	s.folds.Store(folds != "0")
	found, err := s.listSelected(ctx, sel)
	if err != nil {
		return nil, err
	}
	for at, t := range found {
		if len(t.columns) > 0 {
			continue
		}
		// It was dropped since it was listed, unless it has come again.
		if found[at], err = s.listAgain(ctx, t); err != nil {
			return nil, err
		}
		if found[at] == nil {
			delete(found, at)
		}
	}
	if len(found) == 0 {
		return nil, s.none(sel)
	}
	return s.describe(found)
}

// Names returns the names of the selected tables.
func (s *Stock) Names(ctx context.Context, sel reader.Selection) ([]string, error) {
	m, err := s.matcher(sel)
	if err != nil {
		return nil, err
	}
	found, err := s.listTables(ctx, s.scope(sel), nil, m)
	if err != nil {
		return nil, fmt.Errorf("list the names of tables: %w", err)
	}
	names := make([]string, 0, len(found))
	for _, t := range found {
		names = append(names, t.db+"."+t.name)
	}
	slices.Sort(names)
	return names, nil
}

// scope is the condition of information_schema for all that may be selected.
func (s *Stock) scope(sel reader.Selection) string {
	if db := s.fold(cmp.Or(sel.DB, s.cfg.db)); db != "" && len(sel.Include) == 0 {
		return "table_schema = " + literal(db)
	}
	return "table_schema NOT IN (" + systemSchemas + ")"
}

// none is the error of a selection of no table.
func (s *Stock) none(sel reader.Selection) error {
	if len(sel.Exclude) > 0 {
		return hint.Wrap(errors.New("no table is left"), "--exclude may take too many")
	}
	where := "on the server"
	if db := s.fold(cmp.Or(sel.DB, s.cfg.db)); db != "" {
		where = "in database " + db
	}
	return hint.Wrap(fmt.Errorf("there is no table %s", where), "check the database's name, and that the user has SELECT on its tables")
}

// listAgain lists one table; nil if it is not there.
func (s *Stock) listAgain(ctx context.Context, t *listed) (*listed, error) {
	scope := oneTable(t.db, t.name)
	rows, err := s.control.query(ctx, tablesSQL+scope+" AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')")
	if err != nil {
		return nil, fmt.Errorf("look for table %s.%s: %w", t.db, t.name, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	t = newListed(rows[0])
	if err := s.listColumns(ctx, scope, map[string]*listed{t.db + "\x00" + t.name: t}); err != nil {
		return nil, fmt.Errorf("list columns of %s.%s: %w", t.db, t.name, err)
	}
	if len(t.columns) == 0 {
		return nil, nil // it has just been dropped
	}
	return t, nil
}

// listSelected lists the selected tables.
func (s *Stock) listSelected(ctx context.Context, sel reader.Selection) (map[string]*listed, error) {
	m, err := s.matcher(sel)
	if err != nil {
		return nil, err
	}
	scope := s.scope(sel)
	found, err := s.listTables(ctx, scope, sel.Include, m)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	if only := s.listing.only; len(only) > 0 {
		return nil, hint.Wrap(fmt.Errorf("%s: a view or a sequence, which is not copied", strings.Join(only, ", ")),
			"only tables are copied: CREATE TABLE … AS SELECT * FROM … makes one of a view")
	}
	if unused := sel.Wrong(m, len(found)); len(unused) > 0 {
		return nil, hint.Wrap(fmt.Errorf("no table matches %s", strings.Join(unused, ", ")),
			"check the spelling, and that the user has SELECT on it: a table without grants is not seen")
	}
	if len(found) == 0 {
		return nil, s.none(sel)
	}
	if err := s.listColumns(ctx, scope, found); err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	return found, nil
}

// matcher readies a selection for names that are folded.
func (s *Stock) matcher(sel reader.Selection) (*reader.Matcher, error) {
	sel.DB = s.fold(cmp.Or(sel.DB, s.cfg.db))
	for _, list := range []*[]string{&sel.Include, &sel.Exclude} {
		folded := make([]string, len(*list))
		for i, p := range *list {
			folded[i] = s.fold(p)
		}
		*list = folded
	}
	return sel.Matcher()
}

// fold returns a name as servers compare it that do not tell cases apart.
func (s *Stock) fold(name string) string {
	if s.folds.Load() {
		return strings.ToLower(name)
	}
	return name
}

// A listed is a table as information_schema has it.
type listed struct {
	db, name, engine, comment string
	rows, bytes               int64
	columns                   []schema.Column
	key                       []string
}

// tablesSQL lists tables, for newListed.
const tablesSQL = `SELECT table_schema, table_name, COALESCE(engine,''), COALESCE(table_rows,0), COALESCE(data_length,0), COALESCE(table_comment,''), table_type
		FROM information_schema.tables WHERE `

func newListed(r []string) *listed {
	t := &listed{db: r[0], name: r[1], engine: r[2], comment: r[5]}
	t.rows, _ = strconv.ParseInt(r[3], 10, 64) // estimates: what is no number is unknown
	t.bytes, _ = strconv.ParseInt(r[4], 10, 64)
	return t
}

func (s *Stock) listTables(ctx context.Context, scope string, include []string, m *reader.Matcher) (map[string]*listed, error) {
	rows, err := s.control.query(ctx, tablesSQL+scope)
	if err != nil {
		return nil, err
	}
	found := map[string]*listed{}
	var others [][]string
	for _, r := range rows {
		if r[6] != "BASE TABLE" && r[6] != "SYSTEM VERSIONED" {
			others = append(others, r)
			continue
		}
		if !m.Match(s.fold(r[0]), s.fold(r[1])) {
			continue
		}
		found[r[0]+"\x00"+r[1]] = newListed(r)
	}
	s.listing.views, s.listing.only = 0, nil
	before := m.Unused()
	for _, r := range others {
		if m.Match(s.fold(r[0]), s.fold(r[1])) {
			s.listing.views++
		}
	}
	// What is to be left out may well be a view.
	after := m.Unused()
	for _, p := range before {
		if slices.Contains(include, p) && !slices.Contains(after, p) {
			s.listing.only = append(s.listing.only, p)
		}
	}
	return found, nil
}

// listColumns lists columns and keys. The two are asked for one after the other, so that what is
// dropped or altered in between would look like a table without a key: it is asked again.
func (s *Stock) listColumns(ctx context.Context, scope string, found map[string]*listed) error {
	if len(found) == 1 {
		for _, t := range found {
			scope = oneTable(t.db, t.name)
		}
	}
	for try := 0; ; try++ {
		torn, err := s.listOnce(ctx, scope, found)
		if err != nil || !torn || try == listTries {
			return err
		}
	}
}

// listTries is how often columns and keys are listed again that do not go together.
const listTries = 10

// listOnce reports whether columns say that they are of a key that is not listed.
func (s *Stock) listOnce(ctx context.Context, scope string, found map[string]*listed) (torn bool, err error) {
	for _, t := range found {
		t.columns, t.key = nil, nil
	}
	rows, err := s.control.query(ctx, `SELECT table_schema, table_name, column_name, column_type, is_nullable, COALESCE(column_comment,''), COALESCE(character_set_name,''), COALESCE(collation_name,''), column_key
		FROM information_schema.columns WHERE `+scope+` ORDER BY table_schema, table_name, ordinal_position`)
	if err != nil {
		return false, err
	}
	keyed := map[*listed]int{}
	for _, r := range rows {
		if t := found[r[0]+"\x00"+r[1]]; t != nil {
			t.columns = append(t.columns, schema.Column{Name: r[2], Native: r[3], Nullable: r[4] == "YES", Comment: r[5], Charset: r[6], Collation: r[7]})
			if r[8] == "PRI" {
				keyed[t]++
			}
		}
	}
	// Where there is no primary key a unique index stands for it in what is told of columns.
	unique := map[*listed]bool{}
	rows, err = s.control.query(ctx, `SELECT table_schema, table_name, column_name, index_name
		FROM information_schema.statistics WHERE non_unique = 0 AND `+scope+` ORDER BY table_schema, table_name, seq_in_index`)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		t := found[r[0]+"\x00"+r[1]]
		switch {
		case t == nil:
		case r[3] == "PRIMARY":
			t.key = append(t.key, r[2])
		default:
			unique[t] = true
		}
	}
	for _, t := range found {
		torn = torn || keyed[t] != len(t.key) && !unique[t]
	}
	return torn, nil
}

// Find returns a selected table as it is now, or nil where there is none that could be copied.
func (s *Stock) Find(ctx context.Context, sel reader.Selection, db, name string) (*schema.Table, error) {
	m, err := s.matcher(sel)
	if err != nil || !m.Match(s.fold(db), s.fold(name)) {
		return nil, err
	}
	l, err := s.listAgain(ctx, &listed{db: db, name: name})
	if l == nil {
		return nil, err
	}
	t, err := s.table(l)
	if err != nil {
		return nil, &schema.TableError{Table: l.db + "." + l.name, Err: err}
	}
	return t, nil
}

// describe turns what was listed into tables, sorted by name.
func (s *Stock) describe(found map[string]*listed) ([]*schema.Table, error) {
	tables := make([]*schema.Table, 0, len(found))
	s.listing.loose = map[string]bool{}
	for _, l := range found {
		t, err := s.table(l)
		if err != nil {
			return nil, fmt.Errorf("table %s.%s: %w", l.db, l.name, err)
		}
		tables = append(tables, t)
		if !s.snapshots(l.engine) {
			s.listing.loose[t.String()] = true
		}
	}
	slices.SortFunc(tables, func(a, b *schema.Table) int {
		return cmp.Or(strings.Compare(a.DB, b.DB), strings.Compare(a.Name, b.Name))
	})
	return tables, nil
}

// table describes a table with its types.
func (s *Stock) table(l *listed) (*schema.Table, error) {
	var key []int
	for i := range l.columns {
		c := &l.columns[i]
		var err error
		if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
			return nil, hint.Wrap(fmt.Errorf("column %s: %w", c.Name, err), "leave the table out with --exclude")
		}
		c.Arrow = c.Type.Arrow()
		inKey := slices.Contains(l.key, c.Name)
		// Such a date has no image at the destination even where the source says NOT NULL.
		c.Nullable = c.Nullable || s.zero == calendar.Null && c.Type.HasZero() && !inKey
	}
	for _, k := range l.key {
		i := slices.IndexFunc(l.columns, func(c schema.Column) bool { return c.Name == k })
		if i < 0 {
			return nil, fmt.Errorf("key column %s is not listed", k)
		}
		key = append(key, i)
	}
	t := schema.New(l.db, l.name, l.columns, key)
	t.Comment, t.Rows, t.Bytes = l.comment, l.rows, l.bytes
	return t, nil
}

// snapshots reports whether an engine's tables can be read as of a point.
func (s *Stock) snapshots(engine string) bool {
	return strings.EqualFold(engine, "InnoDB") || strings.EqualFold(engine, "ROCKSDB") || engine == ""
}

// qualified returns the table's name for use in a statement.
func qualified(t *schema.Table) string { return ident(t.DB) + "." + ident(t.Name) }
