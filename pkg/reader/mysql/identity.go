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
	var dbs []string
	for _, t := range tables {
		if db := literal(t.DB); !slices.Contains(dbs, db) {
			dbs = append(dbs, db)
		}
	}
	scope := "table_schema IN (" + strings.Join(dbs, ",") + ")"
	if len(tables) == 1 {
		scope = oneTable(tables[0])
	}
	rows, err := s.control.query(ctx, "SELECT table_schema, table_name, COALESCE(create_time,'') FROM information_schema.tables WHERE "+scope)
	if err != nil {
		return nil, fmt.Errorf("ask when tables were created: %w", err)
	}
	all := make(map[string]string, len(rows))
	for _, r := range rows {
		all[s.fold(r[0]+"\x00"+r[1])] = r[2]
	}
	return all, nil
}

func oneTable(t *schema.Table) string {
	return "table_schema = " + literal(t.DB) + " AND table_name = " + literal(t.Name)
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
	has, err := p.s.control.queryOne(ctx, "SELECT COALESCE(create_time,'') FROM information_schema.tables WHERE "+oneTable(t))
	if err != nil {
		return fmt.Errorf("look whether it is still the same table: %w", err)
	}
	if has == had {
		return nil
	}
	err = errors.New("it was altered while the run was under way, or another table has got its name")
	return &schema.TableError{Table: t.String(), Err: hint.Transient(hint.Wrap(err, "run the command again")), Anew: true}
}
