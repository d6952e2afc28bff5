package hdfs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// longestPause is between two attempts to reach one NameNode.
	longestPause = 2 * time.Second
	// afterwards, one whose time is up is asked no more often than this.
	rarely = 5 * time.Second
	// replyTimeout leaves a NameNode the time to collect its garbage.
	replyTimeout = 90 * time.Second
	// dataTimeout is how long a DataNode may be silent.
	dataTimeout = 75 * time.Second
	dialTimeout = 10 * time.Second
)

// A link is how the NameNodes and DataNodes of a cluster are reached. The library dials
// through it, and is so made to wait for NameNodes that will be back.
type link struct {
	nodes     []string
	hostnames bool // DataNodes are reached by their names
	warn      func(string)
	ended     context.Context
	close     context.CancelFunc

	mu       sync.Mutex
	patience time.Duration
	since    time.Time          // when the NameNodes ceased to answer; zero while they do
	tried    map[string]attempt // since then
	dead     map[string]deadNode
}

type attempt struct {
	count int
	at    time.Time
	err   error
}

func newLink(nodes []string, hostnames bool, warn func(string)) *link {
	l := &link{nodes: nodes, hostnames: hostnames, warn: warn, tried: map[string]attempt{}, dead: map[string]deadNode{}}
	l.ended, l.close = context.WithCancel(context.Background())
	return l
}

// wait has the link be patient from now on.
func (l *link) wait(patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.patience = patience
}

// patient is for how long servers are waited for.
func (l *link) patient() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.patience
}

// dial connects to a NameNode, after a pause if it has just failed.
func (l *link) dial(_ context.Context, network, address string) (net.Conn, error) {
	if err := l.pause(address); err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(l.ended, network, address)
	if err != nil {
		l.failed(address, err)
		return nil, err
	}
	context.AfterFunc(l.ended, func() { _ = c.Close() })
	return &rpcConn{Conn: c, link: l, address: address}, nil
}

// pause waits until a NameNode may be tried again.
func (l *link) pause(address string) error {
	l.mu.Lock()
	a := l.tried[address]
	overdue := !l.since.IsZero() && time.Since(l.since) > l.patience
	l.mu.Unlock()
	if a.count == 0 {
		return nil
	}
	wait := min(100*time.Millisecond<<min(a.count-1, 10), longestPause) - time.Since(a.at)
	switch {
	case overdue && time.Since(a.at) < rarely:
		return a.err
	case overdue:
		return nil
	}
	return l.sleep(wait)
}

func (l *link) sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.ended.Done():
		return net.ErrClosed
	}
}

// failed notes that a NameNode did not do what it was asked.
func (l *link) failed(address string, err error) {
	if l.ended.Err() != nil {
		return
	}
	l.mu.Lock()
	a := l.tried[address]
	l.tried[address] = attempt{a.count + 1, time.Now(), err}
	if l.since.IsZero() {
		l.since = time.Now()
	}
	// One that hands over to another is nothing to tell of.
	tell := l.warn != nil && l.patience > 0 && l.tried[address].count == 3
	l.mu.Unlock()
	if tell {
		l.warn(fmt.Sprintf("waiting for the NameNode: %s", l.reason()))
	}
}

// answered notes that a NameNode has done what it was asked, or refused it.
func (l *link) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.since.IsZero() {
		l.since = time.Time{}
		clear(l.tried)
	}
}

var errStandby = errors.New("is not the active one")

// strangers reports whether something else than a NameNode answers at each of the addresses.
func (l *link) strangers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, node := range l.nodes {
		if !errors.Is(l.tried[node].err, errNoRPC) {
			return false
		}
	}
	return true
}

// reason is what was last heard of each NameNode.
func (l *link) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, node := range slices.Compact(slices.Clone(l.nodes)) {
		if a := l.tried[node]; a.err != nil {
			all = append(all, node+" "+cause(a.err))
		}
	}
	return strings.Join(all, ", ")
}

// cause puts the error of a connection in a few words; the address stands before it.
func cause(err error) string {
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errStandby):
		return err.Error()
	case errors.Is(err, errNoRPC):
		return errNoRPC.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "does not answer"
	case errors.As(err, &op) && op.Op == "dial":
		return "cannot be reached: " + strings.TrimPrefix(op.Err.Error(), "connect: ")
	}
	return "closed the connection"
}

// dialData connects to a DataNode.
func (l *link) dialData(_ context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(l.ended, network, address)
	if err != nil {
		return nil, &DataNodeError{address, err}
	}
	return &dataConn{Conn: c, address: address}, nil
}

// A DataNodeError is that a DataNode is gone.
type DataNodeError struct {
	Address string
	err     error
}

func (e *DataNodeError) Error() string { return "the DataNode " + e.Address + " " + cause(e.err) }
func (e *DataNodeError) Unwrap() error { return e.err }

// A dataConn is a connection to a DataNode, whose errors name it and which does not hang.
type dataConn struct {
	net.Conn
	address string
	mu      sync.Mutex
	given   time.Time
}

// SetDeadline is called with a time to end all, and else with none.
func (c *dataConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.given = t
	return c.Conn.SetDeadline(t)
}

// deadline is that of the next call.
func (c *dataConn) deadline() time.Time {
	if !c.given.IsZero() {
		return c.given
	}
	return time.Now().Add(dataTimeout)
}

func (c *dataConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	err := c.Conn.SetReadDeadline(c.deadline())
	c.mu.Unlock()
	n := 0
	if err == nil {
		n, err = c.Conn.Read(b)
	}
	if err != nil {
		err = &DataNodeError{c.address, err}
	}
	return n, err
}

func (c *dataConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	err := c.Conn.SetWriteDeadline(c.deadline())
	c.mu.Unlock()
	n := 0
	if err == nil {
		n, err = c.Conn.Write(b)
	}
	if err != nil {
		err = &DataNodeError{c.address, err}
	}
	return n, err
}
