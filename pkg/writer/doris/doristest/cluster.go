// Package doristest stands in for a cluster of Apache Doris, of which no server can be had
// where the tests run: front ends, back ends and the MySQL port, in this process. It speaks
// as the sources and the official clients of Doris say it does, and official clients prove
// it; docs/doris.md tells what of it is like the real one.
package doristest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options are a cluster's. The zero value is one front end and one back end, and the user
// root without a password.
type Options struct {
	Frontends, Backends int
	User, Password      string
	// Cloud refuses two phases of commit for unique tables that merge on write, as a cluster
	// whose storage is apart from its computers.
	Cloud bool
	// MaxLabels is how many finished loads of a database are remembered; 2000 is the default.
	MaxLabels int
	// PrecommitTimeout is how long a load may stay precommitted; an hour is the default.
	PrecommitTimeout time.Duration
	// MaxString is the most bytes of a STRING; 1 MiB is the default.
	MaxString int
	// AlterTime is how long a schema change takes that is not light; 50 ms is the default.
	AlterTime time.Duration
	// Redirect, if set, is the host and port that front ends name in place of a back end's.
	Redirect func(backend string) string
	// TLS has all ports speak it, with a certificate that is believed by Roots.
	TLS bool
	// Discard has loads counted and not kept, for benchmarks, but for those of tables with a
	// sequence.
	Discard bool
}

// A Cluster is a running stand-in.
type Cluster struct {
	opts Options

	mu      sync.Mutex
	dbs     map[string]*database
	lastTxn int64
	inject  func(Call) Fault
	errors  map[string]string // of loads, by the path of their ErrorURL
	loads   map[string]int    // at work now, by table

	discarded Discarded
	tls       *tls.Config
	roots     []byte

	frontends, backends []*http.Server
	fe, be              []string
	sql                 net.Listener
	sqlConns            sync.WaitGroup
	closed              chan struct{}
}

// Start starts a cluster on ports of this machine that are free.
func Start(o Options) (*Cluster, error) {
	o.Frontends, o.Backends = max(o.Frontends, 1), max(o.Backends, 1)
	o.User = cmp.Or(o.User, "root")
	o.MaxLabels = cmp.Or(o.MaxLabels, 2000)
	o.PrecommitTimeout = cmp.Or(o.PrecommitTimeout, time.Hour)
	o.MaxString = cmp.Or(o.MaxString, 1<<20)
	o.AlterTime = cmp.Or(o.AlterTime, 50*time.Millisecond)
	c := &Cluster{
		opts: o, dbs: map[string]*database{"information_schema": {tables: map[string]*table{}}},
		errors: map[string]string{}, loads: map[string]int{}, closed: make(chan struct{}),
	}
	if o.TLS {
		c.certify()
	}
	serve := func(list *[]*http.Server, at *[]string, h http.Handler) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		*list, *at = append(*list, s), append(*at, l.Addr().String())
		if c.tls != nil {
			l = tls.NewListener(l, c.tls)
		}
		go func() { _ = s.Serve(l) }()
		return nil
	}
	var err error
	for range o.Backends {
		err = errors.Join(err, serve(&c.backends, &c.be, http.HandlerFunc(c.serveBackend)))
	}
	for i := range o.Frontends {
		err = errors.Join(err, serve(&c.frontends, &c.fe, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serveFrontend(w, r, i) })))
	}
	if err == nil {
		err = c.serveSQL()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Frontends are the addresses of the front ends' HTTP ports.
func (c *Cluster) Frontends() []string { return c.fe }

// Backends are the addresses of the back ends' HTTP ports.
func (c *Cluster) Backends() []string { return c.be }

// SQL is the address of the MySQL port.
func (c *Cluster) SQL() string { return c.sql.Addr().String() }

// StopFrontend ends a front end, whose address refuses connections from then on.
func (c *Cluster) StopFrontend(i int) error { return c.frontends[i].Close() }

// StopBackend ends a back end.
func (c *Cluster) StopBackend(i int) error { return c.backends[i].Close() }

// Close ends all of it.
func (c *Cluster) Close() error {
	close(c.closed)
	var err error
	for _, s := range append(c.frontends, c.backends...) {
		err = errors.Join(err, s.Close())
	}
	if c.sql != nil {
		err = errors.Join(err, c.sql.Close())
		c.sqlConns.Wait()
	}
	return err
}

// A Call is one thing that a cluster is asked to do.
type Call struct {
	// What is "load", "commit", "abort", "state" or "sql".
	What      string
	DB, Table string
	Label     string
	Txn       int64
	SQL       string
}

// A Fault is what goes wrong with a call.
type Fault struct {
	// Before has the connection cut before anything is done, After once all is done: the
	// reply is lost.
	Before, After bool
	// Status and Message are answered in place of what would be done: a load's status, or the
	// message of an SQL error.
	Status, Message string
	// Late has what is committed be seen only when PublishLate is called, as with
	// "Publish Timeout".
	Late bool
	Wait time.Duration // before anything is done
}

// Inject has f asked about every call from now on. It may be nil.
func (c *Cluster) Inject(f func(Call) Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inject = f
}

// fault asks what is to go wrong, and waits.
func (c *Cluster) fault(ctx context.Context, call Call) Fault {
	c.mu.Lock()
	f := c.inject
	c.mu.Unlock()
	if f == nil {
		return Fault{}
	}
	fault := f(call)
	select {
	case <-time.After(fault.Wait):
	case <-ctx.Done():
	case <-c.closed:
	}
	return fault
}

// PublishLate makes visible what was committed and is not yet seen.
func (c *Cluster) PublishLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.dbs {
		for _, x := range d.txns {
			if x.state == committed {
				x.publish()
			}
		}
	}
}
