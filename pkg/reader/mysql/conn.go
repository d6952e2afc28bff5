package mysql

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// A conn is one connection to the server. Plain statements go through
// go-mysql's client; rows of stock are read from the same socket by a
// packetReader while no statement of the client's is under way.
type conn struct {
	*client.Conn
	mu      sync.Mutex // one statement at a time
	bulk    *bulkReader
	packets *packetReader
	stopped atomic.Bool // guard has ended what the connection waited for
	maria   bool
	version string
	again   *config // if set, query connects anew when the connection is lost
	lost    bool    // guarded by mu
}

// session is what every connection sets: times in UTC whatever the server's
// zone, no limit that ends a read early, while it is paused for one, or cuts it short, and no mode that
// changes what a statement or a value means. A table that somebody is altering
// is waited for a little only: the pending ALTER keeps everybody else waiting.
const (
	session = "SET SESSION time_zone='+00:00', sql_mode='', sql_select_limit=18446744073709551615, sql_big_selects=1," +
		" net_write_timeout=31536000, net_read_timeout=3600, wait_timeout=31536000, lock_wait_timeout=10"
	mysqlSession = "SET SESSION max_execution_time=0" +
		" /*!80000 , information_schema_stats_expiry=0 */" // how many rows there are now, not a day ago
	mariaSession = "SET SESSION max_statement_time=0, idle_transaction_timeout=0, idle_readonly_transaction_timeout=0" +
		" /*M!100318 , in_predicate_conversion_threshold=0 */" // IN with a thousand values is no join with a table of them
)

// handshakeTime is how long a server may take to answer a new connection.
const handshakeTime = 30 * time.Second

// dial connects and readies the session.
func dial(ctx context.Context, cfg config) (*conn, error) {
	network := "tcp"
	if cfg.socket() {
		network = "unix"
	}
	raw, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, cfg.addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, connectError(cfg, err)
	}
	cc, err := greet(ctx, raw, cfg)
	if err != nil {
		raw.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, connectError(cfg, err)
	}
	c := &conn{Conn: cc, version: cc.GetServerVersion()}
	c.maria = strings.Contains(strings.ToLower(c.version), "mariadb")
	c.bulk = &bulkReader{conn: cc.Conn.Conn, stopped: &c.stopped}
	c.packets = newPacketReader(c.bulk)
	own := mysqlSession
	if c.maria {
		own = mariaSession
	}
	for _, q := range []string{"SET NAMES utf8mb4", session, own, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"} {
		if err := c.exec(ctx, q); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// greet goes through the connection phase, in which the end of ctx is heeded as well,
// and gives the connection to go-mysql's client, without the password.
func greet(ctx context.Context, raw net.Conn, cfg config) (*client.Conn, error) {
	if err := raw.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, err
	}
	release := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	ready, g, err := shake(ctx, raw, cfg)
	if !release() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	played := func(context.Context, string, string) (net.Conn, error) { return newGreeted(ready, g), nil }
	cc, err := client.ConnectWithDialer(ctx, "tcp", cfg.addr, cfg.user, "", "", played)
	if err != nil {
		return nil, err
	}
	cc.Conn.Conn = ready // in place of the one that was played
	return cc, ready.SetDeadline(time.Time{})
}

// guard makes ctx's end interrupt whatever the connection waits for. The
// returned function must be called when the work is over; after an
// interruption the connection is of no more use.
func (c *conn) guard(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() {
		c.stopped.Store(true)
		_ = c.SetDeadline(time.Unix(1, 0))
	})
	return func() { stop() }
}

// query runs a statement and returns its rows as text; NULL is "".
func (c *conn) query(ctx context.Context, q string) ([][]string, error) {
	_, rows, err := c.table(ctx, q)
	return rows, err
}

// table is query with the names of the columns.
func (c *conn) table(ctx context.Context, q string) (names []string, rows [][]string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err // guard would end the connection for a statement not yet begun
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.revive(ctx); err != nil {
		return nil, nil, err
	}
	names, rows, err = c.ask(ctx, q)
	// A connection that lasts may have ended while nobody asked it anything. What it
	// is asked changes nothing, so it can be asked twice.
	if err != nil && c.lost && c.again != nil && ctx.Err() == nil && c.revive(ctx) == nil {
		return c.ask(ctx, q)
	}
	return names, rows, err
}

// ask runs a statement and notes whether the connection is lost by it.
func (c *conn) ask(ctx context.Context, q string) (names []string, rows [][]string, err error) {
	defer c.guard(ctx)()
	res, err := c.Execute(q)
	if err != nil {
		c.lost = code(err) == 0 || ctx.Err() != nil || ended(code(err))
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, serverError(err)
	}
	defer res.Close()
	if res.Resultset == nil {
		return nil, nil, nil
	}
	for _, f := range res.Fields {
		names = append(names, string(f.Name))
	}
	rows = make([][]string, res.RowNumber())
	for i := range rows {
		rows[i] = make([]string, res.ColumnNumber())
		for j := range rows[i] {
			// The error is for values that are no string: plain results are text.
			text, err := res.GetString(i, j)
			if err != nil {
				return nil, nil, fmt.Errorf("result of %q: %w", q, err)
			}
			// The client's buffers are used again once the result is closed.
			rows[i][j] = strings.Clone(text)
		}
	}
	return names, rows, nil
}

// revive connects anew if the connection is lost and was meant to last.
func (c *conn) revive(ctx context.Context) error {
	if !c.lost || c.again == nil {
		return nil
	}
	n, err := dial(ctx, *c.again)
	if err != nil {
		return err
	}
	c.Conn.Close()
	c.Conn, c.bulk, c.packets, c.maria, c.version, c.lost = n.Conn, n.bulk, n.packets, n.maria, n.version, false
	c.stopped.Store(false)
	c.bulk.stopped = &c.stopped
	return nil
}

func (c *conn) exec(ctx context.Context, q string) error {
	_, err := c.query(ctx, q)
	return err
}

// queryOne returns the first column of the first row, or "".
func (c *conn) queryOne(ctx context.Context, q string) (string, error) {
	rows, err := c.query(ctx, q)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0][0], nil
}

// ident quotes a name for use in a statement.
func ident(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal quotes text for use in a statement. It is hexadecimal so that no
// mode, charset or content can end it early.
func literal(s string) string {
	if s == "" {
		return "''"
	}
	return fmt.Sprintf("_utf8mb4 x'%x'", s)
}
