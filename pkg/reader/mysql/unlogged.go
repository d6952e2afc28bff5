package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
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
		why[t] = errors.New("its foreign keys have CASCADE, SET NULL or SET DEFAULT, or cannot be seen by this user, and this server does not log what they do")
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
	if len(tables) == 0 {
		return nil, nil
	}
	vars, err := s.control.globals(ctx, "innodb_native_foreign_keys")
	if err != nil || vars["innodb_native_foreign_keys"] == "OFF" {
		return nil, err
	}
	dbs := databases(tables)
	// MariaDB opens each table that it is asked about, and waits for those that are
	// being made or altered: none but those of the databases it is asked for by name.
	uses, err := s.control.query(ctx, "SELECT table_schema, table_name, MAX(referenced_table_name IS NOT NULL) FROM information_schema.key_column_usage"+
		" WHERE table_schema IN ("+dbs+") GROUP BY table_schema, table_name")
	if err != nil {
		return nil, fmt.Errorf("list foreign keys: %w", err)
	}
	rules, err := s.control.query(ctx, "SELECT constraint_schema, table_name, MAX("+active("delete_rule")+" OR "+active("update_rule")+")"+
		" FROM information_schema.referential_constraints WHERE constraint_schema IN ("+dbs+") GROUP BY constraint_schema, table_name")
	if err != nil {
		return nil, fmt.Errorf("list rules of foreign keys: %w", err)
	}
	may, err := s.control.grants(ctx)
	if err != nil {
		return nil, err
	}
	refers, told := s.flags(uses), s.flags(rules)
	var found []*schema.Table
	for _, t := range tables {
		name := s.fold(t.String())
		cascades, ok := told[name]
		// MariaDB, and MySQL before 8, show rules to those only who may do more to the
		// table than read it, and foreign keys not to those who may read columns alone.
		if !ok && (refers[name] || !may.has("SELECT", t)) {
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

// flags returns the third column of rows by the table that the first two name.
func (s *Stock) flags(rows [][]string) map[string]bool {
	m := make(map[string]bool, len(rows))
	for _, r := range rows {
		m[s.fold(r[0]+"."+r[1])] = r[2] == "1"
	}
	return m
}

// databases lists those of the tables, for an IN.
func databases(tables []*schema.Table) string {
	var names []string
	for _, t := range tables {
		if db := literal(t.DB); !slices.Contains(names, db) {
			names = append(names, db)
		}
	}
	return strings.Join(names, ",")
}

func active(rule string) string { return rule + " IN ('CASCADE','SET NULL','SET DEFAULT')" }

// activeRule is at the end of a CREATE TABLE, behind the columns. Names may hold
// newlines.
var activeRule = regexp.MustCompile("(?s)\n +CONSTRAINT .* ON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT)")

// cascades looks for such rules in the table's definition. Where that is not to be
// had, for one by who may read columns alone, there may be some.
func (c *conn) cascades(ctx context.Context, t *schema.Table) (bool, error) {
	rows, err := c.query(ctx, "SHOW CREATE TABLE "+qualified(t))
	switch {
	case ctx.Err() != nil, hint.IsTransient(err):
		return false, fmt.Errorf("ask for the foreign keys of %s: %w", t, err)
	case err != nil, len(rows) != 1:
		return true, nil //nolint:nilerr // as said
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

// names returns what the tables are called.
func names(tables []*schema.Table) []string {
	out := make([]string, len(tables))
	for i, t := range tables {
		out[i] = t.String()
	}
	return out
}
