package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A way of pinning opens a snapshot transaction on every connection such that
// all of them show the same content, and returns the log position of it.
type way struct {
	name string
	pin  func(ctx context.Context, s *Stock, conns []*conn, tables []*schema.Table) (position, error)
	// one says that the way holds for a single connection only.
	one bool
	// loose says that the connections show points of their own, none of them
	// before the position.
	loose bool
	// locks says that writers are kept out for a moment.
	locks bool
}

// errNotPinned is a way that the server or the user's grants do not allow, or
// that a busy server did not let through. The next one is tried.
var errNotPinned = errors.New("not possible here")

// The ways, in the order in which they are tried. docs/architecture.md has the
// measurements behind it.
var (
	lockTables  = way{name: "lock tables", pin: pinLocked(lockTablesSQL), locks: true}
	globalLock  = way{name: "global read lock", pin: pinGlobal, locks: true}
	sameLogSpot = way{name: "same log position", pin: pinAgreed}
	ownPoints   = way{name: "points of their own", pin: pinLoose, loose: true}
	oneReader   = way{name: "one connection", pin: pinOne, one: true}
	allWays     = []way{lockTables, globalLock, sameLogSpot, ownPoints, oneReader}
)

// lockedTables is how many tables LOCK TABLES is good for: the server opens each of
// them while those before it are locked already, which took 40 s for 5,000 on a
// busy machine. A global lock opens none.
const lockedTables = 500

// waysFor returns the ways in the order in which they are best for so many tables.
func waysFor(ways []way, tables int) []way {
	lock, global := -1, -1
	for i, w := range ways {
		switch w.name {
		case lockTables.name:
			lock = i
		case globalLock.name:
			global = i
		}
	}
	if tables <= lockedTables || lock < 0 || global < lock {
		return ways
	}
	ways = slices.Clone(ways)
	ways[lock], ways[global] = ways[global], ways[lock]
	return ways
}

const (
	lockTries = 3
	// agreeTries is how often snapshots are opened in the hope that they agree.
	agreeTries = 100

	beginSQL = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
	// A transaction keeps a lock on every table it has read, behind which an
	// ALTER waits, and behind that every other reader. MySQL gives the locks
	// taken since a savepoint up with it; the snapshot stays.
	savepointSQL = "SAVEPOINT before_split"
	unlockSQL    = "ROLLBACK TO SAVEPOINT before_split"
)

func lockTablesSQL(tables []*schema.Table) string {
	parts := make([]string, len(tables))
	for i, t := range tables {
		parts[i] = qualified(t) + " READ"
	}
	return "LOCK TABLES " + strings.Join(parts, ", ")
}

// pinLocked keeps writers out while the snapshots are opened. No transaction
// that changed the tables can then be between its commit in the engine and its
// entry in the log, so the position that is read under the lock is the one that
// the snapshots show. Comparing the position before and after instead proves
// nothing: a commit is visible before it is logged.
func pinLocked(lock func([]*schema.Table) string) func(context.Context, *Stock, []*conn, []*schema.Table) (position, error) {
	return func(ctx context.Context, s *Stock, conns []*conn, tables []*schema.Table) (position, error) {
		holder, err := dial(ctx, s.cfg)
		if err != nil {
			return position{}, err
		}
		defer holder.Close() // also gives the lock up, whatever happens below
		if err := holder.exec(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout=%d", s.opts.LockWait/time.Second)); err != nil {
			return position{}, err
		}
		q := lock(tables)
		for try := 1; ; try++ {
			err := holder.exec(ctx, q)
			if err == nil {
				break
			}
			switch code(err) {
			case mysql.ER_LOCK_WAIT_TIMEOUT, mysql.ER_LOCK_DEADLOCK:
				if try < lockTries {
					// Let those through that queued up behind the lock.
					if err := pause(ctx, 500*time.Millisecond); err != nil {
						return position{}, err
					}
					continue
				}
				return position{}, fmt.Errorf("%w: no lock within %d × %s", errNotPinned, lockTries, s.opts.LockWait)
			case mysql.ER_DBACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR, mysql.ER_TABLEACCESS_DENIED_ERROR,
				mysql.ER_CANT_LOCK, mysql.ER_OPTION_PREVENTS_STATEMENT:
				return position{}, fmt.Errorf("%w: %v", errNotPinned, err)
			case mysql.ER_NO_SUCH_TABLE:
				return position{}, s.gone(ctx, tables, err)
			}
			return position{}, err
		}
		if err := begin(ctx, conns); err != nil {
			return position{}, err
		}
		pos, err := holder.logPosition(ctx)
		if err != nil {
			return position{}, err
		}
		return pos, holder.exec(ctx, "UNLOCK TABLES")
	}
}

// gone narrows err to those of the tables that are not there any more.
func (s *Stock) gone(ctx context.Context, tables []*schema.Table, err error) error {
	var errs []error
	for _, t := range tables {
		n, e := s.control.queryOne(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE "+oneTable(t.DB, t.Name))
		if e != nil {
			return fmt.Errorf("look which tables are gone: %w", e)
		}
		if n == "0" {
			errs = append(errs, tableError(t, err))
		}
	}
	if len(errs) == 0 {
		return err
	}
	return errors.Join(errs...)
}

// pinGlobal locks all tables, where no query runs that has run for a while: MySQL
// flushes tables along with it, and has everybody wait who comes to a table that such
// a query is at, until that has ended. The lock's own time limit ends in vain.
func pinGlobal(ctx context.Context, s *Stock, conns []*conn, tables []*schema.Table) (position, error) {
	if !s.control.maria {
		if err := s.control.atRest(ctx); err != nil {
			return position{}, err
		}
	}
	return pinLocked(func([]*schema.Table) string { return "FLUSH TABLES WITH READ LOCK" })(ctx, s, conns, tables)
}

// atRest checks that no query has been running for a second or longer. It takes
// PROCESS to see those of others.
func (c *conn) atRest(ctx context.Context) error {
	sees, err := c.queryOne(ctx, "SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS' AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')")
	if err != nil {
		return err
	}
	if sees == "0" {
		return fmt.Errorf("%w: without PROCESS it cannot be seen whether a long query runs, which would make others wait", errNotPinned)
	}
	for range lockTries {
		all, err := c.processes(ctx)
		if err != nil || !slices.ContainsFunc(all, c.isLong) {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: a long query runs, which would make others wait", errNotPinned)
}

// isLong reports whether another has been running a query for a second or longer.
func (c *conn) isLong(p process) bool {
	return (p.command == "Query" || p.command == "Execute") && p.seconds >= 1 && p.id != uint64(c.GetConnectionID())
}

// begin opens the snapshots one after the other.
func begin(ctx context.Context, conns []*conn) error {
	for _, c := range conns {
		if err := c.begin(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin opens a snapshot.
func (c *conn) begin(ctx context.Context) error {
	if err := c.exec(ctx, beginSQL); err != nil || c.maria {
		return err
	}
	return c.exec(ctx, savepointSQL)
}

// pinAgreed opens snapshots without a lock until all show the same log
// position. MariaDB takes snapshot and position in one step, so there, unlike
// in MySQL, equal positions mean equal content.
func pinAgreed(ctx context.Context, _ *Stock, conns []*conn, _ []*schema.Table) (position, error) {
	if !conns[0].maria {
		return position{}, errNotPinned
	}
	if all, err := conns[0].logsAll(ctx); err != nil || !all {
		return position{}, fmt.Errorf("%w: the server's log may not hold every change (%v)", errNotPinned, err)
	}
	for range agreeTries {
		if err := begin(ctx, conns); err != nil {
			return position{}, err
		}
		first, err := conns[0].snapshotSpot(ctx)
		if err != nil {
			return position{}, err
		}
		if first.file == "" {
			return position{}, fmt.Errorf("%w: the server keeps no binary log", errNotPinned)
		}
		same := true
		for _, c := range conns[1:] {
			s, err := c.snapshotSpot(ctx)
			if err != nil {
				return position{}, err
			}
			same = same && s == first
		}
		if same {
			return conns[0].positionAt(ctx, first)
		}
	}
	return position{}, fmt.Errorf("%w: the server is too busy", errNotPinned)
}

// logsAll reports whether this MariaDB server writes every change to its log,
// but for those of sessions that switch logging off for themselves.
func (c *conn) logsAll(ctx context.Context) (bool, error) {
	rows, err := c.logStatus(ctx)
	if err != nil || len(rows) == 0 || rows[0][2]+rows[0][3] != "" { // databases logged, and not logged
		return false, err
	}
	logs, err := c.queryOne(ctx, "SELECT @@GLOBAL.log_slave_updates")
	if err != nil || logs == "1" {
		return err == nil, err
	}
	rows, err = c.query(ctx, "SHOW ALL SLAVES STATUS")
	return len(rows) == 0, err
}

// logStatus is where the log ends, and in the third and fourth column which databases
// it holds alone, and which not.
func (c *conn) logStatus(ctx context.Context) (rows [][]string, err error) {
	for _, q := range []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"} {
		if rows, err = c.query(ctx, q); err == nil || code(err) != mysql.ER_PARSE_ERROR {
			break
		}
	}
	return rows, err
}

// pinLoose opens snapshots that agree on nothing. Whoever has the log can do with
// it: once all that changed from before the first snapshot until after the last
// was read has been applied, row by row under their keys, the content is exact.
func pinLoose(ctx context.Context, s *Stock, conns []*conn, tables []*schema.Table) (position, error) {
	for _, t := range tables {
		switch {
		case len(t.Key) == 0:
			return position{}, fmt.Errorf("%w: %s has no key", errNotPinned, t)
		case t.Filter != "":
			return position{}, fmt.Errorf("%w: %s is copied with a condition, which the log is not told by", errNotPinned, t)
		}
	}
	if err := s.canFollow(ctx); err != nil {
		if ctx.Err() != nil || hint.IsTransient(err) {
			return position{}, err
		}
		return position{}, fmt.Errorf("%w: %v", errNotPinned, err)
	}
	if err := s.allLogged(ctx, tables); err != nil {
		return position{}, err
	}
	before, err := s.control.logPosition(ctx)
	if err != nil {
		return position{}, err
	}
	before.Early = true
	return before, begin(ctx, conns)
}

// canFollow checks that the log can be read by this user.
func (s *Stock) canFollow(ctx context.Context) error {
	if _, err := s.logState(ctx); err != nil {
		return err
	}
	// The list of replicas takes the same grant as being one.
	_, _, err := s.control.replica(ctx, 0)
	return s.grantError(err)
}

// pinOne needs no other connection to agree with. MySQL does not tell the
// position of a snapshot, so the one from just before stands for it.
func pinOne(ctx context.Context, s *Stock, conns []*conn, _ []*schema.Table) (position, error) {
	c := conns[0]
	before, err := s.control.logPosition(ctx)
	if err != nil {
		return position{}, err
	}
	if err := c.begin(ctx); err != nil {
		return position{}, err
	}
	if !c.maria {
		before.Early = before.File != "" || before.GTID != ""
		return before, nil
	}
	if before.Early { // a replica, whose own log is not the one that counts
		return before, nil
	}
	at, err := c.snapshotSpot(ctx)
	if err != nil {
		return position{}, err
	}
	return c.positionAt(ctx, at)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
