package doris

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A sqlClient speaks to the front ends' port of MySQL's protocol, over one connection: what
// goes there are few and short statements.
type sqlClient struct {
	hosts          []string // with ports
	user, password string
	tls            *tls.Config // nil for none

	turn chan struct{} // of who has it
	conn *client.Conn
	last int // front end that has answered
}

const (
	connectTime   = 10 * time.Second
	statementTime = 2 * time.Minute
)

func (c *sqlClient) close() {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.drop()
}

func (c *sqlClient) drop() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// connect sees to it that there is a connection, to whichever front end lets one be made.
func (c *sqlClient) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	var unreached []string
	for i := range c.hosts {
		n := (c.last + i) % len(c.hosts)
		conn, err := c.dial(ctx, c.hosts[n])
		if err == nil {
			c.conn, c.last = conn, n
			return nil
		}
		var refused *mysql.MyError
		if errors.As(err, &refused) {
			return answered(c.hosts[n], c.user, refused)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		unreached = append(unreached, (&unreachedError{c.hosts[n], err}).Error())
	}
	return hint.Transient(hint.Wrap(fmt.Errorf("no front end answers: %s", strings.Join(unreached, ", ")),
		"%s", sqlRemedy(strings.Join(unreached, ", "))))
}

// sqlRemedy is what can be done where no front end is connected to.
func sqlRemedy(why string) string {
	if strings.Contains(why, "no such host") {
		return "check the host in the URL"
	}
	return cmp.Or(tlsRemedy(why), "check that it is up, and its port of MySQL's protocol (9030), which query-port=… in the URL names")
}

// dial connects to a front end. What does not greet as a server of MySQL does is not waited
// for longer than a connection is.
func (c *sqlClient) dial(ctx context.Context, host string) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var under net.Conn
	stop := func() bool { return true }
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		if under, err = (&net.Dialer{}).DialContext(ctx, network, address); err == nil {
			stop = context.AfterFunc(ctx, func() { _ = under.SetDeadline(time.Unix(1, 0)) })
		}
		return under, err
	}
	conn, err := client.ConnectWithDialer(ctx, "tcp", host, c.user, c.password, "", dial, c.secured(host)...)
	if err == nil {
		// Names may have letters of any script in them; older versions have no such variable.
		_, _ = conn.Execute("SET enable_unicode_name_support = true")
		if !stop() {
			_ = conn.Close()
			err = ctx.Err()
		}
	}
	var refused *mysql.MyError
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil && under != nil && !errors.As(err, &refused) {
		err = fmt.Errorf("it has not greeted as MySQL's protocol has it, for %s", connectTime)
	}
	return conn, err
}

// secured has a connection to a host be encrypted, if any is.
func (c *sqlClient) secured(hostPort string) []client.Option {
	if c.tls == nil {
		return nil
	}
	conf := c.tls.Clone()
	conf.ServerName, _, _ = net.SplitHostPort(hostPort)
	return []client.Option{func(conn *client.Conn) error {
		conn.SetTLSConfig(conf)
		return nil
	}}
}

// run executes a statement, and returns its rows as texts; NULL is "". After an error that is
// not the server's own, nothing is known of what it has done.
func (c *sqlClient) run(ctx context.Context, statement string) ([][]string, error) {
	_, rows, err := c.table(ctx, statement)
	return rows, err
}

// table is run with the names of the columns.
func (c *sqlClient) table(ctx context.Context, statement string) (names []string, rows [][]string, err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	// A front end that hangs is not waited for by all others.
	asker := ctx
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	if err := c.connect(ctx); err != nil {
		return nil, nil, err
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	res, err := conn.Execute(statement)
	interrupted := !stop()
	var refused *mysql.MyError
	switch {
	case errors.As(err, &refused):
		return nil, nil, answered(c.hosts[c.last], c.user, refused)
	case err != nil, interrupted:
		c.drop()
	}
	if asker.Err() != nil {
		return nil, nil, asker.Err()
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("for %s", statementTime)
	}
	if err != nil {
		return nil, nil, hint.Transient(&unansweredError{fmt.Errorf("%s has not answered: %w", c.hosts[c.last], err)})
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
		for j := range res.ColumnNumber() {
			v, err := res.GetString(i, j)
			if err != nil {
				return nil, nil, err
			}
			rows[i] = append(rows[i], strings.Clone(v)) // it is the memory of the result, which is used again
		}
	}
	return names, rows, nil
}

// read is run for statements that change nothing, and are tried again.
func (c *sqlClient) read(ctx context.Context, statement string) (rows [][]string, err error) {
	for range 3 {
		rows, err = c.run(ctx, statement)
		var open *unansweredError
		if !errors.As(err, &open) || ctx.Err() != nil {
			break
		}
	}
	return rows, err
}

// A refusal is a front end's word on a statement.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }

// answered makes a refusal of what a front end says.
func answered(host, user string, e *mysql.MyError) error {
	_, what, found := strings.Cut(e.Message, "detailMessage = ")
	if !found {
		what = e.Message
	}
	err := &refusal{what}
	switch {
	case e.Code == mysql.ER_ACCESS_DENIED_ERROR:
		return hint.Wrap(fmt.Errorf("%s does not let user %s in: %w", host, user, err), "check the user in the URL, and its password in TABLEHAUL_DORIS_PASSWORD")
	case strings.Contains(what, "Failed to find enough backend"):
		return hint.Wrap(err, "a cluster of fewer than three back ends needs --replication, 1 for a single one")
	case strings.Contains(strings.ToLower(what), "denied"):
		return hint.Wrap(err, "GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV, CREATE_PRIV, DROP_PRIV on the database to the user")
	}
	return classify(err)
}

// refusedWith reports whether a front end has refused a statement in words that have these
// in them.
func refusedWith(err error, words ...string) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, w := range words {
		if strings.Contains(strings.ToLower(r.text), strings.ToLower(w)) {
			return true
		}
	}
	return false
}
