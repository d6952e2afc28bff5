package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/finding"
)

// logFindings are the settings by which a log does not hold what is needed.
func logFindings(vars map[string]string) []finding.Finding {
	const sessions = "; sessions that are open keep what they have until they connect anew"
	var found []finding.Finding
	fatal := func(check, thing, why, remedy string) {
		found = append(found, finding.Finding{Level: finding.Error, Check: check, Thing: thing, Why: why, Remedy: remedy})
	}
	if vars["log_bin"] != "ON" {
		fatal("log-bin", "the server keeps no binary log", "changes cannot be followed",
			"[mysqld] log_bin = binlog, server_id = 1, and restart (MySQL: remove skip-log-bin)")
		return found // what it would hold matters not
	}
	if f := vars["binlog_format"]; !strings.EqualFold(f, "ROW") {
		fatal("binlog-format", "binlog_format is "+f, "a log of statements holds no rows"+sessions, "SET GLOBAL binlog_format = ROW")
	}
	if i := vars["binlog_row_image"]; i != "" && !strings.EqualFold(i, "FULL") {
		fatal("binlog-row-image", "binlog_row_image is "+i, "the log holds a part of each changed row"+sessions, "SET GLOBAL binlog_row_image = FULL")
	}
	if o := vars["binlog_row_value_options"]; o != "" {
		fatal("partial-json", "binlog_row_value_options is "+o, "changes of JSON are logged in part"+sessions, "SET GLOBAL binlog_row_value_options = ''")
	}
	return found
}

// log looks at what the log holds, for how long, and whether the user may read it.
func (c *checkup) log(ctx context.Context) error {
	found := logFindings(c.vars)
	c.found = append(c.found, found...)
	if c.vars["log_bin"] != "ON" {
		return nil
	}
	if id := c.vars["server_id"]; id == "0" {
		c.add(finding.Finding{
			Level: finding.Error, Check: "server-id", Thing: "server_id is 0", Why: "a server without an id sends its log to nobody", Remedy: "SET GLOBAL server_id = 1",
		})
	}
	for _, step := range []func(context.Context) error{c.logRights, c.filters, c.replica, c.retention} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	c.gtids()
	c.logNotes()
	return nil
}

// logRights reads what only those may read who may read the log.
func (c *checkup) logRights(ctx context.Context) error {
	_, err := c.s.control.query(ctx, "SHOW BINARY LOGS")
	if err == nil {
		err = c.replicas(ctx)
	}
	if !denied(err) {
		return err
	}
	c.add(finding.Finding{
		Level: finding.Error, Check: "grant-log", Thing: "the user may not read the log", Why: err.Error(),
		Remedy: "GRANT " + c.s.logGrants() + " ON *.* TO " + c.user,
	})
	return nil
}

func denied(err error) bool {
	switch code(err) {
	case mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_DBACCESS_DENIED_ERROR, mysql.ER_TABLEACCESS_DENIED_ERROR:
		return true
	}
	return false
}

// replicas looks at who else reads the log.
func (c *checkup) replicas(ctx context.Context) error {
	want := c.s.opts.ServerID
	host, taken, err := c.s.control.replica(ctx, want)
	if err != nil {
		return err
	}
	if want != 0 && itoa(uint64(want)) == c.vars["server_id"] {
		host, taken = "the server itself", true
	}
	if want != 0 && taken && host != replicaName {
		c.add(finding.Finding{
			Level: finding.Error, Check: "server-id", Thing: fmt.Sprintf("server id %d is taken by %s", want, host),
			Why: "two readers of one id drive each other out", Remedy: "leave --server-id out: a free one is found",
		})
	}
	return nil
}

// filters looks for databases that the log leaves out.
func (c *checkup) filters(ctx context.Context) error {
	out, err := c.s.leftOut(ctx, c.tables)
	if err != nil {
		return err
	}
	if len(out) > 0 {
		c.add(finding.Finding{
			Level: finding.Error, Check: "log-filter", Thing: "binlog-do-db or binlog-ignore-db leaves them out of the log",
			Why: "their changes cannot be followed", Remedy: "remove binlog-do-db and binlog-ignore-db from the server's configuration, and restart it", Tables: names(out),
		})
	}
	return nil
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// replica looks at what a replica logs, and whether it is one that replicates.
func (c *checkup) replica(ctx context.Context) error {
	if c.vars["log_replica_updates"] != "OFF" && c.vars["log_slave_updates"] != "OFF" {
		return nil
	}
	err := c.s.control.checkReplica(ctx)
	if err == nil || !errors.Is(err, errNoLog) {
		return err
	}
	c.add(finding.Finding{
		Level: finding.Error, Check: "replica-log", Thing: "the server is a replica and does not log what it replicates",
		Why: "changes that come from its source cannot be followed", Remedy: "[mysqld] log_replica_updates = ON (MariaDB: log_slave_updates), and restart; or name its source as SOURCE",
	})
	return nil
}

// minKeep is what a log should be kept at least: a weekend's outage.
const minKeep = 24 * time.Hour

// retention compares how long the log is kept with how long a copy takes, for
// which it must be kept.
func (c *checkup) retention(context.Context) error {
	keep := keepTime(c.vars)
	if keep == 0 {
		return nil
	}
	var bytes int64
	for _, t := range c.tables {
		bytes += t.Bytes
	}
	takes := finding.CopyTime(bytes)
	f := finding.Finding{
		Level: finding.Warning, Check: "log-expiry", Thing: fmt.Sprintf("the log is kept for %s", keep),
		Remedy: "SET GLOBAL binlog_expire_logs_seconds = 604800",
	}
	switch {
	case c.p.Snapshot && takes > keep/2:
		f.Why = fmt.Sprintf("to copy the tables may take %s, and then the log must still hold what has changed meanwhile", takes.Round(time.Minute))
	case keep < minKeep && !c.p.Before:
		f.Why = "a run that stands still for longer has to copy everything anew"
	default:
		return nil
	}
	c.add(f)
	return nil
}

// gtids tells of a log whose positions another server does not understand.
func (c *checkup) gtids() {
	mode := c.vars["gtid_mode"]
	if c.s.control.maria || mode == "ON" {
		return
	}
	remedy := []string{"SET GLOBAL enforce_gtid_consistency = ON"}
	steps := []string{"OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"}
	for _, m := range steps[slices.Index(steps, mode)+1:] {
		remedy = append(remedy, "SET GLOBAL gtid_mode = "+m)
	}
	c.add(finding.Finding{
		Level: finding.Note, Check: "gtid-mode", Thing: "gtid_mode is " + mode,
		Why: "positions are those of this server's log files: after a failover tables have to be copied anew", Remedy: strings.Join(remedy, "; "),
	})
}

// logNotes are what is well, but could be better.
func (c *checkup) logNotes() {
	if m := c.vars["binlog_row_metadata"]; m != "" && !strings.EqualFold(m, "FULL") {
		c.add(finding.Finding{
			Level: finding.Note, Check: "binlog-row-metadata", Thing: "binlog_row_metadata is " + m,
			Why: "the log names no columns, so that an ALTER TABLE is noticed by its statement and by types alone", Remedy: "SET GLOBAL binlog_row_metadata = FULL",
		})
	}
	if c.vars["sync_binlog"] != "1" || c.vars["innodb_flush_log_at_trx_commit"] != "1" {
		c.add(finding.Finding{
			Level: finding.Note, Check: "log-durability", Thing: "sync_binlog or innodb_flush_log_at_trx_commit is not 1",
			Why: "a power loss can take from the source what the sink has already got", Remedy: "SET GLOBAL sync_binlog = 1; SET GLOBAL innodb_flush_log_at_trx_commit = 1",
		})
	}
}

// cascades tells of tables whose rows the engine changes behind the back of the log.
func (c *checkup) cascades(ctx context.Context) error {
	cascading, err := c.s.cascading(ctx, c.tables)
	if err != nil || len(cascading) == 0 {
		return err
	}
	f := finding.Finding{
		Level: finding.Note, Check: "fk-cascade", Thing: "their foreign keys have CASCADE, SET NULL or SET DEFAULT",
		Why:    "this server does not log what such keys do (MySQL does so since 9.6): a snapshot of them that is stopped begins them again",
		Remedy: "copy them at a time when nothing stops the run", Tables: names(cascading),
	}
	if c.p.Tail {
		f.Level = finding.Warning
		f.Why = "this server does not log what such keys do (MySQL does so since 9.6): rows that change so stay as they were in the copies"
		f.Remedy = "copy them anew now and then: tablehaul snapshot SOURCE SINK --mode replace --tables '" + strings.Join(f.Tables[:min(len(f.Tables), 5)], ",") + "'"
	}
	c.add(f)
	return nil
}
