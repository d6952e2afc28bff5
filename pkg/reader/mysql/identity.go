package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Under a snapshot a name may come to stand for another table: tools that alter tables
// online fill a copy for hours, and then give it the table's name. If the copy was there
// when the point was pinned, the server shows of it what it held at that point, which is
// any part of the rows, without a word. The same goes for partitions that are dropped or
// exchanged. Tables are told apart by when they were created or last altered, in seconds;
// a table number would need the PROCESS privilege.

// created asks for that of tables. It is asked before the point is pinned: what
// happens in between is an error too many, and not one too few.
func (s *Stock) created(ctx context.Context, tables []*schema.Table) (map[string]string, error) {
	rows, err := s.control.query(ctx, "SELECT table_schema, table_name, COALESCE(create_time,'') FROM information_schema.tables WHERE "+scopeOf(tables))
	if err != nil {
		return nil, fmt.Errorf("ask when tables were created: %w", err)
	}
	all := make(map[string]string, len(rows))
	for _, r := range rows {
		all[s.fold(r[0]+"\x00"+r[1])] = r[2]
	}
	return all, nil
}

// altered returns an error for each of the tables that is another one by now than it was when it
// was listed, by its name: what is read of it would be taken for what it was then. It is asked
// once the point is pinned: what comes behind the point is in the log, and what came before it is
// noticed here, where the seconds of created would not tell two statements of one second apart.
func (s *Stock) altered(ctx context.Context, tables []*schema.Table) (map[string]error, error) {
	found := make(map[string]*listed, len(tables))
	for _, t := range tables {
		found[t.DB+"\x00"+t.Name] = &listed{db: t.DB, name: t.Name}
	}
	if err := s.listColumns(ctx, scopeOf(tables), found); err != nil {
		return nil, fmt.Errorf("list columns once more: %w", err)
	}
	errs := map[string]error{}
	for _, t := range tables {
		if l := found[t.DB+"\x00"+t.Name]; len(l.columns) > 0 && !l.is(t.AtSource(), t.SourceKey()) {
			err := hint.Wrap(errors.New("it was altered since it was listed"), "run the command again")
			errs[t.String()] = &schema.TableError{Table: t.String(), Err: err, Anew: true}
		}
	}
	return errs, nil
}

// is reports whether a table is as it was listed.
func (l *listed) is(t *schema.Table, key []int) bool {
	had := slices.DeleteFunc(slices.Clone(t.Columns), func(c schema.Column) bool { return c.Meta != schema.NotMeta })
	names := make([]string, len(key))
	for i, k := range key {
		names[i] = t.Columns[k].Name
	}
	return slices.Equal(l.key, names) && slices.EqualFunc(l.columns, had, func(now, c schema.Column) bool {
		return now.Name == c.Name && now.Native == c.Native && now.Charset == c.Charset && (c.Nullable || !now.Nullable)
	})
}

// scopeOf is where tables, and maybe others, are.
func scopeOf(tables []*schema.Table) string {
	if len(tables) == 1 {
		return oneTable(tables[0].DB, tables[0].Name)
	}
	var dbs []string
	for _, t := range tables {
		if db := literal(t.DB); !slices.Contains(dbs, db) {
			dbs = append(dbs, db)
		}
	}
	return "table_schema IN (" + strings.Join(dbs, ",") + ")"
}

// oneTable is where the table of a name is.
func oneTable(db, name string) string {
	return "table_schema = " + literal(db) + " AND table_name = " + literal(name)
}

// same returns an error if the table is not the one any more that it was when the point
// was pinned. The caller has read it in a transaction that is still open, so that it
// stays what it is. The snapshot's own connections would not do: theirs is the
// dictionary of the point.
func (p *snapshot) same(ctx context.Context, t *schema.Table) error {
	had, known := p.created[p.s.fold(t.DB+"\x00"+t.Name)]
	if !known {
		return nil
	}
	has, err := p.s.control.queryOne(ctx, "SELECT COALESCE(create_time,'') FROM information_schema.tables WHERE "+oneTable(t.DB, t.Name))
	if err != nil {
		return fmt.Errorf("look whether it is still the same table: %w", err)
	}
	if has == had {
		return nil
	}
	err = errors.New("it was altered while the run was under way, or another table has got its name")
	return &schema.TableError{Table: t.String(), Err: hint.Transient(hint.Wrap(err, "run the command again")), Anew: true}
}
