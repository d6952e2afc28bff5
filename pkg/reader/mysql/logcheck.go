package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// A logFile is one of a server's log files.
type logFile struct {
	name string
	size int64
}

// A logState is what a server says of its log now.
type logState struct {
	server   string
	maria    bool
	byGTID   bool // transactions have GTIDs, all of them
	files    []logFile
	executed binlog.Set // MySQL
	purged   binlog.Set
	list     binlog.List // MariaDB: the log's end
	state    binlog.Marks
	oldest   binlog.List // where the oldest file begins
	keep     time.Duration
	clock    time.Duration // the server's clock, ahead of this machine's
}

// end returns the spot where the log ends.
func (l *logState) end() spot {
	f := l.files[len(l.files)-1]
	return spot{f.name, uint64(f.size)}
}

// file returns the index of a log file, or −1.
func (l *logState) file(name string) int {
	for i, f := range l.files {
		if f.name == name {
			return i
		}
	}
	return -1
}

// errNoLog is a server that does not write what changes into a log that rows
// can be read from, or does not show it to this user.
var errNoLog = errors.New("the log cannot be followed")

// logState asks for the log's state, and checks that it can be followed.
func (s *Stock) logState(ctx context.Context) (*logState, error) {
	c := s.control
	// Behind one name there may be another server by now.
	server, err := c.serverID(ctx)
	if err != nil {
		return nil, err
	}
	vars, err := c.globals(ctx, "log_bin", "binlog_format", "binlog_row_image", "binlog_row_value_options", "gtid_mode", "gtid_executed", "gtid_purged", "gtid_binlog_pos", "gtid_binlog_state",
		"log_replica_updates", "log_slave_updates", "binlog_expire_logs_seconds", "expire_logs_days", "binlog_expire_logs_auto_purge")
	if err != nil {
		return nil, err
	}
	if err := checkGlobals(vars); err != nil {
		return nil, err
	}
	if vars["log_replica_updates"] == "OFF" || vars["log_slave_updates"] == "OFF" {
		if err := c.checkReplica(ctx); err != nil {
			return nil, err
		}
	}
	st := &logState{server: server, maria: c.maria, keep: keepTime(vars)}
	if c.maria {
		st.byGTID = true
		if st.list, err = binlog.ParseList(vars["gtid_binlog_pos"]); err == nil {
			st.state, err = binlog.ParseMarks(vars["gtid_binlog_state"])
		}
	} else {
		st.byGTID = vars["gtid_mode"] == "ON"
		if st.executed, err = binlog.ParseSet(vars["gtid_executed"]); err == nil {
			st.purged, err = binlog.ParseSet(vars["gtid_purged"])
		}
	}
	if err != nil {
		return nil, err
	}
	now, err := c.queryOne(ctx, "SELECT CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS UNSIGNED)")
	if err != nil {
		return nil, err
	}
	st.clock = time.Until(time.UnixMicro(int64(number(now))))
	rows, err := c.query(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, s.grantError(err)
	}
	for _, r := range rows {
		st.files = append(st.files, logFile{r[0], int64(number(r[1]))})
	}
	if len(st.files) == 0 {
		return nil, fmt.Errorf("%w: the server lists no log files", errNoLog)
	}
	if c.maria {
		g, err := s.gtidsAt(ctx, spot{st.files[0].name, 4})
		if err != nil {
			return nil, err
		}
		st.oldest = g.list
	}
	return st, nil
}

// globals returns those of the variables that the server has.
func (c *conn) globals(ctx context.Context, names ...string) (map[string]string, error) {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "'" + n + "'"
	}
	rows, err := c.query(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+strings.Join(quoted, ",")+")")
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	for _, r := range rows {
		vars[strings.ToLower(r[0])] = compact(r[1])
	}
	return vars, nil
}

// checkGlobals refuses a log that does not hold what is needed.
func checkGlobals(vars map[string]string) error {
	for _, f := range logFindings(vars) {
		return hint.Wrap(fmt.Errorf("%w: %s: %s", errNoLog, f.Thing, f.Why), "%s", f.Remedy)
	}
	return nil
}

// checkReplica refuses a replica, which does not log what it replicates. A user who
// may not see whether it is one is believed.
func (c *conn) checkReplica(ctx context.Context) error {
	q := "SHOW REPLICA STATUS"
	if c.maria {
		q = "SHOW ALL SLAVES STATUS"
	}
	rows, err := c.query(ctx, q)
	if code(err) == mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR || err == nil && len(rows) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return hint.Wrap(fmt.Errorf("%w: the server is a replica and does not log what it replicates", errNoLog),
		"start it with log-replica-updates (MariaDB: log-slave-updates), or follow its source")
}

// keepTime is how long the server keeps its log files; 0 is without end.
func keepTime(vars map[string]string) time.Duration {
	if vars["binlog_expire_logs_auto_purge"] == "OFF" {
		return 0
	}
	if n := number(vars["binlog_expire_logs_seconds"]); n > 0 {
		return time.Duration(n) * time.Second
	}
	whole, _, _ := strings.Cut(vars["expire_logs_days"], ".")
	return time.Duration(number(whole)) * 24 * time.Hour
}

// logGrants are the grants that the log takes.
func (s *Stock) logGrants() string {
	if s.control.maria {
		return "REPLICATION SLAVE, REPLICATION MASTER ADMIN, BINLOG MONITOR"
	}
	return "REPLICATION SLAVE, REPLICATION CLIENT"
}

// grantError says which grants the log takes.
func (s *Stock) grantError(err error) error {
	switch code(err) {
	case mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_DBACCESS_DENIED_ERROR, mysql.ER_TABLEACCESS_DENIED_ERROR:
		return hint.Wrap(fmt.Errorf("%w: %w", errNoLog, err), "GRANT %s ON *.* TO %s", s.logGrants(), s.cfg.user)
	}
	return err
}

// purged says that the log has no longer what a position needs.
func purged(err error) error {
	return hint.Wrap(fmt.Errorf("%w: %w", reader.ErrPurged, err), "--on-purged snapshot copies the tables anew; raise binlog_expire_logs_seconds (MariaDB: expire_logs_days too) so that it does not happen again")
}
