package mysql

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// longTransaction is how many seconds a transaction may be open before it is told.
const longTransaction = 10

// transactions looks for transactions that have written and are not over: a lock,
// however short, has to wait for those of its tables.
func (c *checkup) transactions(ctx context.Context) error {
	// The times there are of the server's own zone.
	rows, err := c.s.control.query(ctx, fmt.Sprintf(`SELECT trx_mysql_thread_id, age, trx_rows_modified FROM
		(SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, CONVERT_TZ(NOW(), @@SESSION.time_zone, 'SYSTEM')) age, trx_rows_modified
		FROM information_schema.innodb_trx) t WHERE age >= %d AND trx_rows_modified > 0 ORDER BY age DESC LIMIT 5`, longTransaction))
	if denied(err) {
		c.add(finding.Finding{
			Level: finding.Note, Check: "grant-process", Thing: "long transactions and replicas cannot be seen", Why: "a lock may have to wait for them", Remedy: "GRANT PROCESS ON *.* TO " + c.user,
		})
		return nil
	}
	if code(err) == erCannotConvertString {
		return nil // a warning less, for as long as such a statement runs
	}
	if err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	for _, r := range rows {
		c.add(finding.Finding{
			Level: finding.Warning, Check: "long-transaction", Thing: fmt.Sprintf("connection %s has a transaction open for %s s that has changed %s rows", r[0], r[1], r[2]),
			Why: fmt.Sprintf("LOCK TABLES waits for it if they are rows of these tables, and gives up after %d tries of %s", lockTries, c.s.opts.LockWait), Remedy: "KILL " + r[0],
		})
	}
	all, err := c.s.control.processes(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.state != "Waiting for table metadata lock" || !c.mentions(p.info) {
			continue
		}
		c.add(finding.Finding{
			Level: finding.Warning, Check: "waiting-ddl", Thing: fmt.Sprintf("connection %d waits for the lock of a table: %.80s", p.id, p.info),
			Why: "everybody who comes to that table queues up behind it", Remedy: "KILL " + itoa(p.id),
		})
	}
	c.beside(all)
	return nil
}

// mentions reports whether a statement holds the name of one of the tables.
func (c *checkup) mentions(statement string) bool {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(c.s.fold(statement), func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		words[w] = true
	}
	for _, t := range c.tables {
		if words[c.s.fold(t.Name)] {
			return true
		}
	}
	return false
}

// beside tells of replicas, which may be read instead.
func (c *checkup) beside(all []process) {
	n := 0
	for _, p := range all {
		if strings.HasPrefix(p.command, "Binlog Dump") {
			n++
		}
	}
	if n > 0 {
		c.add(finding.Finding{
			Level: finding.Note, Check: "replicas", Thing: fmt.Sprintf("%d connections read the log, such as replicas", n),
			Why: "a replica as SOURCE spares this server", Remedy: "SHOW REPLICAS",
		})
	}
}

// connections looks whether there is room for as many as are going to be opened.
func (c *checkup) connections(ctx context.Context) error {
	rows, err := c.s.control.query(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
	if err != nil || len(rows) == 0 {
		return err
	}
	most, open := int(number(c.vars["max_connections"])), int(number(rows[0][1]))
	need := c.p.Parallel + runConnections
	if free := most - open; free < need {
		c.add(finding.Finding{
			Level: finding.Warning, Check: "connections", Thing: fmt.Sprintf("a run opens %d connections, and %d are free", need, max(free, 0)),
			Why: "it fails if others do not leave it as many", Remedy: fmt.Sprintf("SET GLOBAL max_connections = %d", open+need),
		})
	}
	return nil
}

// runConnections is how many a run has beside those that read splits: for
// questions, for the lock while it is held, for the log.
const runConnections = 3

// packets looks for tables whose rows may be larger than the server sends.
func (c *checkup) packets(context.Context) error {
	limit := int64(number(c.vars["max_allowed_packet"]))
	var names []string
	for _, t := range c.tables {
		if maxRow(t) > limit {
			names = append(names, t.String())
		}
	}
	if len(names) == 0 || limit >= 1<<30 {
		return nil
	}
	f := finding.Finding{
		Level: finding.Note, Check: "max-allowed-packet", Thing: fmt.Sprintf("max_allowed_packet is %d MiB", limit>>20),
		Why: "the server refuses to send a row that is larger, and the table fails", Remedy: "SET GLOBAL max_allowed_packet = 1073741824", Tables: names,
	}
	if limit < 16<<20 {
		f.Level = finding.Warning
	}
	c.add(f)
	return nil
}

// maxRow is how large a row may be by its long columns.
func maxRow(t *schema.Table) (n int64) {
	for _, col := range t.Columns {
		switch name, _, _ := strings.Cut(strings.ToLower(col.Native), "("); name {
		case "longtext", "longblob", "json", "geometry":
			n += 1 << 32
		case "mediumtext", "mediumblob":
			n += 1 << 24
		}
	}
	return n
}
