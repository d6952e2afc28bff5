package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Unlogged tells of tables whose foreign keys cascade, where the server does not log
// what they do, and of those in databases that its configuration leaves out of the log.
// What sessions keep out of the log by sql_log_bin cannot be seen.
func (s *Stock) Unlogged(ctx context.Context, tables []*schema.Table) (map[*schema.Table]error, error) {
	why := make(map[*schema.Table]error)
	cascading, err := s.cascading(ctx, tables)
	if err != nil {
		return nil, err
	}
	for _, t := range cascading {
		why[t] = errors.New("its foreign keys have CASCADE, SET NULL or SET DEFAULT, and this server does not log what they do")
	}
	out, err := s.leftOut(ctx, tables)
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		why[t] = errors.New("binlog-do-db or binlog-ignore-db leaves it out of the log")
	}
	return why, nil
}

// allLogged refuses a way that needs a whole log of all the tables.
func (s *Stock) allLogged(ctx context.Context, tables []*schema.Table) error {
	why, err := s.Unlogged(ctx, tables)
	if err != nil {
		return err
	}
	for t, err := range why {
		return fmt.Errorf("%w: the log may not hold every change of %s: %v", errNotPinned, t, err)
	}
	return nil
}

// cascading returns the tables whose rows the engine changes by itself, for foreign
// keys. It does so behind the back of the log, in all servers but MySQL since 9.6.
func (s *Stock) cascading(ctx context.Context, tables []*schema.Table) ([]*schema.Table, error) {
	vars, err := s.control.globals(ctx, "innodb_native_foreign_keys")
	if err != nil || vars["innodb_native_foreign_keys"] == "OFF" {
		return nil, err
	}
	const scope = "constraint_schema NOT IN (" + systemSchemas + ")"
	referring, err := s.control.query(ctx, "SELECT DISTINCT table_schema, table_name FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL AND "+scope)
	if err != nil {
		return nil, fmt.Errorf("list foreign keys: %w", err)
	}
	if len(referring) == 0 {
		return nil, nil
	}
	rules, err := s.control.query(ctx, "SELECT constraint_schema, table_name, MAX("+active("delete_rule")+" OR "+active("update_rule")+")"+
		" FROM information_schema.referential_constraints WHERE "+scope+" GROUP BY constraint_schema, table_name")
	if err != nil {
		return nil, fmt.Errorf("list rules of foreign keys: %w", err)
	}
	told := make(map[string]bool, len(rules))
	for _, r := range rules {
		told[s.fold(r[0]+"."+r[1])] = r[2] == "1"
	}
	known := s.byName(tables)
	var found []*schema.Table
	for _, r := range referring {
		name := s.fold(r[0] + "." + r[1])
		t := known[name]
		if t == nil {
			continue
		}
		cascades, ok := told[name]
		if !ok {
			// MariaDB, and MySQL before 8, show rules to those only who may do more to
			// the table than read it.
			if cascades, err = s.control.cascades(ctx, t); err != nil {
				return nil, err
			}
		}
		if cascades {
			found = append(found, t)
		}
	}
	return found, nil
}

func active(rule string) string { return rule + " IN ('CASCADE','SET NULL','SET DEFAULT')" }

// activeRule is a line of a CREATE TABLE, in which names and comments hold no newline.
var activeRule = regexp.MustCompile("(?m)^ *CONSTRAINT .* ON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT)")

// cascades looks for such rules in the table's definition.
func (c *conn) cascades(ctx context.Context, t *schema.Table) (bool, error) {
	rows, err := c.query(ctx, "SHOW CREATE TABLE "+qualified(t))
	if err != nil || len(rows) == 0 {
		if code(err) == mysql.ER_NO_SUCH_TABLE {
			return false, nil // told by whoever reads it
		}
		return false, fmt.Errorf("ask for the foreign keys of %s: %w", t, err)
	}
	return activeRule.MatchString(rows[0][1]), nil
}

// leftOut returns the tables of databases that the server keeps out of its log. Who
// may not ask may not read the log either.
func (s *Stock) leftOut(ctx context.Context, tables []*schema.Table) ([]*schema.Table, error) {
	rows, err := s.control.logStatus(ctx)
	if denied(err) || err == nil && len(rows) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	only, not := list(rows[0][2]), list(rows[0][3])
	var out []*schema.Table
	for _, t := range tables {
		db := s.fold(t.DB)
		if len(only) > 0 && !slices.Contains(only, db) || slices.Contains(not, db) {
			out = append(out, t)
		}
	}
	return out, nil
}

// byName returns the tables by the names that the server knows them by.
func (s *Stock) byName(tables []*schema.Table) map[string]*schema.Table {
	known := make(map[string]*schema.Table, len(tables))
	for _, t := range tables {
		known[s.fold(t.String())] = t
	}
	return known
}

// names returns what the tables are called.
func names(tables []*schema.Table) []string {
	out := make([]string, len(tables))
	for i, t := range tables {
		out[i] = t.String()
	}
	return out
}
