package mysql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var _ reader.Checker = (*Stock)(nil)

// checkedVariables are all that a check looks at.
var checkedVariables = []string{
	"log_bin", "binlog_format", "binlog_row_image", "binlog_row_value_options", "binlog_row_metadata", "gtid_mode", "enforce_gtid_consistency",
	"log_replica_updates", "log_slave_updates", "binlog_expire_logs_seconds", "expire_logs_days", "binlog_expire_logs_auto_purge",
	"server_id", "sync_binlog", "innodb_flush_log_at_trx_commit",
	"version", "version_comment", "time_zone", "system_time_zone", "sql_mode", "max_allowed_packet", "max_connections", "lower_case_table_names",
}

// A checkup is a check under way: what was asked, and what came out.
type checkup struct {
	s      *Stock
	p      finding.Purpose
	tables []*schema.Table
	vars   map[string]string
	user   string // as GRANT wants it
	found  []finding.Finding
}

// Check looks for what would keep the tables from being read or followed.
func (s *Stock) Check(ctx context.Context, tables []*schema.Table, p finding.Purpose) ([]finding.Finding, error) {
	c := &checkup{s: s, p: p, tables: tables}
	var err error
	if c.vars, err = s.control.globals(ctx, checkedVariables...); err != nil {
		return nil, fmt.Errorf("ask for the server's settings: %w", err)
	}
	if err := c.who(ctx); err != nil {
		return nil, err
	}
	steps := []func(context.Context) error{c.versions, c.clock, c.listed, c.selects, c.engines}
	if p.Snapshot && !p.Before {
		steps = append(steps, c.locks, c.transactions, c.connections, c.packets)
	}
	if p.Tail {
		steps = append(steps, c.log)
	}
	if p.Tail || !p.Before {
		steps = append(steps, c.cascades)
	}
	if !p.Before {
		steps = append(steps, c.types)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if p.Before {
		return withoutNotes(c.found), nil
	}
	return c.found, nil
}

func withoutNotes(list []finding.Finding) []finding.Finding {
	var out []finding.Finding
	for _, f := range list {
		if f.Level > finding.Note {
			out = append(out, f)
		}
	}
	return out
}

func (c *checkup) add(f finding.Finding) { c.found = append(c.found, f) }

// who finds out the account that the server takes the user for.
func (c *checkup) who(ctx context.Context) error {
	account, err := c.s.control.queryOne(ctx, "SELECT CURRENT_USER()")
	if err != nil {
		return fmt.Errorf("ask who the user is: %w", err)
	}
	at := strings.LastIndexByte(account, '@')
	if at < 0 {
		at = len(account)
		account += "@%"
	}
	c.user = quoted(account[:at]) + "@" + quoted(account[at+1:])
	return nil
}

// quoted writes a name or a value as a statement to be pasted has it, in any mode
// of the server but NO_BACKSLASH_ESCAPES.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// listed tells what Tables has left out.
func (c *checkup) listed(context.Context) error {
	if n := c.s.listing.views; n > 0 {
		c.add(finding.Finding{
			Level: finding.Note, Check: "views", Thing: fmt.Sprintf("%d views or sequences are left out", n),
			Why: "only tables are copied", Remedy: "CREATE TABLE … AS SELECT * FROM …",
		})
	}
	return nil
}

// engines tells of tables that cannot be read as of one point.
func (c *checkup) engines(context.Context) error {
	var loose, alter []string
	for _, t := range c.tables {
		if c.s.listing.loose[t.String()] {
			loose = append(loose, t.String())
			alter = append(alter, "ALTER TABLE "+qualified(t)+" ENGINE=InnoDB")
		}
	}
	if len(loose) > 0 {
		c.add(finding.Finding{
			Level: finding.Warning, Check: "engine", Thing: "their storage engine has no snapshots",
			Why: "there is no consistent point for them: rows are read as they are when they are read", Remedy: some(alter), Tables: loose,
		})
	}
	return nil
}

// some joins the first statements of many.
func some(statements []string) string {
	const most = 5
	if len(statements) > most {
		return strings.Join(statements[:most], "; ") + "; …"
	}
	return strings.Join(statements, "; ")
}

// clock compares the server's clock with ours.
func (c *checkup) clock(ctx context.Context) error {
	now, err := c.s.control.queryOne(ctx, "SELECT CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS UNSIGNED)")
	if err != nil {
		return fmt.Errorf("ask for the server's time: %w", err)
	}
	off := time.Until(time.UnixMicro(int64(number(now)))).Round(time.Second)
	if off.Abs() >= maxClockOff {
		c.add(finding.Finding{
			Level: finding.Warning, Check: "clock", Thing: fmt.Sprintf("the server's clock is %s from this machine's", off),
			Why: "times of changes, --start time: and --until time: are by the server's", Remedy: "timedatectl set-ntp true",
		})
	}
	return nil
}

// maxClockOff is more than a slow network makes of two clocks that agree.
const maxClockOff = 5 * time.Second
