package mysql

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

var _ reader.Loader = (*Stock)(nil)

// A gauge is what Load keeps between its calls: connections of its own, because
// those for other questions may be busy for long.
type gauge struct {
	ownMu sync.Mutex
	own   map[uint32]bool // ids of connections over which rows and logs come

	mu       sync.Mutex
	source   *conn
	replicas []*replica // nil until lag was asked for
}

// A replica is a server that is asked how far it is behind.
type replica struct {
	name string
	c    *conn
}

// owns notes that connections are ours, or are no more.
func (g *gauge) owns(yes bool, conns ...*conn) {
	g.ownMu.Lock()
	defer g.ownMu.Unlock()
	for _, c := range conns {
		if id := c.GetConnectionID(); !yes {
			delete(g.own, id)
		} else {
			if g.own == nil {
				g.own = map[uint32]bool{}
			}
			g.own[id] = true
		}
	}
}

func (g *gauge) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.replicas {
		_ = r.c.Close()
	}
	if g.source != nil {
		_ = g.source.Close()
	}
	g.source, g.replicas = nil, nil
}

// Load asks for status variables and for lags. The replicas are found when lag is
// asked for first: one that vanishes from the source's list later on is behind all
// the same.
func (s *Stock) Load(ctx context.Context, variables []string, lag bool) (reader.Load, error) {
	g := &s.gauge
	g.mu.Lock()
	defer g.mu.Unlock()
	var l reader.Load
	if g.source == nil {
		c, err := s.lasting(ctx, s.cfg)
		if err != nil {
			return l, err
		}
		g.source = c
	}
	var err error
	if l.Values, err = s.status(ctx, variables); err != nil || !lag {
		return l, err
	}
	if g.replicas == nil {
		if g.replicas, err = s.findReplicas(ctx); err != nil {
			return l, err
		}
	}
	if l.Lags, err = g.source.lags(ctx, "the source"); err != nil {
		return l, s.lagError("the source", err)
	}
	for _, r := range g.replicas {
		lags, err := r.c.lags(ctx, "replica "+r.name)
		if err == nil && len(lags) == 0 {
			lags = []reader.Lag{{Server: "replica " + r.name, Stopped: "it replicates nobody"}}
		}
		if err != nil {
			return l, s.lagError("replica "+r.name, err)
		}
		l.Lags = append(l.Lags, lags...)
	}
	return l, nil
}

// lasting opens a connection that is made anew when it is lost.
func (s *Stock) lasting(ctx context.Context, cfg config) (*conn, error) {
	c, err := dial(ctx, cfg)
	if err == nil {
		c.again = &cfg
	}
	return c, err
}

// status returns the values of status variables.
func (s *Stock) status(ctx context.Context, names []string) ([]float64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = literal(n)
	}
	rows, err := s.gauge.source.query(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ("+strings.Join(quoted, ",")+")")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, r := range rows {
		found[strings.ToLower(r[0])] = r[1]
	}
	values := make([]float64, len(names))
	for i, n := range names {
		text, ok := found[strings.ToLower(n)]
		if !ok {
			return nil, hint.Wrap(fmt.Errorf("the server has no status variable %s", n), "SHOW GLOBAL STATUS lists them")
		}
		if values[i], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("status variable %s is no number but %q", n, text)
		}
		if strings.EqualFold(n, "threads_running") {
			own, err := s.running(ctx)
			if err != nil {
				return nil, err
			}
			values[i] = max(0, values[i]-own)
		}
	}
	return values, nil
}

// running is how many of the server's running threads are ours. The server is asked
// which are at it: one that has sent all its rows, for which there was room on the
// way, sleeps while we read them. Everybody may see threads of his own.
func (s *Stock) running(ctx context.Context) (float64, error) {
	all, err := s.gauge.source.processes(ctx)
	if err != nil {
		return 0, err
	}
	n := 0.0
	s.gauge.ownMu.Lock()
	for _, p := range all {
		_, own := s.gauge.own[uint32(p.id)] //nolint:gosec // MySQL's ids have 32 bits
		if (own || p.id == uint64(s.gauge.source.GetConnectionID())) && p.command != "Sleep" {
			n++
		}
	}
	s.gauge.ownMu.Unlock()
	// The connection for other questions, such as the planner's.
	if s.control.mu.TryLock() {
		s.control.mu.Unlock()
	} else {
		n++
	}
	return n, nil
}

// lags asks a server how far it is behind those that it replicates, if any.
func (c *conn) lags(ctx context.Context, name string) ([]reader.Lag, error) {
	rows, err := c.named(ctx, "SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
	if err != nil {
		return nil, err
	}
	var lags []reader.Lag
	for _, r := range rows {
		lag := reader.Lag{Server: name}
		if channel := cmp.Or(r["channel_name"], r["connection_name"]); channel != "" {
			lag.Server += ", channel " + channel
		}
		io, sql := cmp.Or(r["replica_io_running"], r["slave_io_running"]), cmp.Or(r["replica_sql_running"], r["slave_sql_running"])
		behind := cmp.Or(r["seconds_behind_source"], r["seconds_behind_master"])
		switch {
		case io != "Yes" || sql != "Yes":
			why := cmp.Or(r["last_sql_error"], r["last_io_error"], "its threads do not run")
			lag.Stopped = fmt.Sprintf("io %s, sql %s: %s", io, sql, why)
		case behind == "":
			lag.Stopped = "it does not tell how far it is behind"
		default:
			lag.Behind = time.Duration(number(behind)) * time.Second
		}
		lags = append(lags, lag)
	}
	return lags, nil
}

// named returns the rows of the first of the statements that the server knows, by
// the names of the columns in lower case.
func (c *conn) named(ctx context.Context, statements ...string) (out []map[string]string, err error) {
	for _, q := range statements {
		var names []string
		var rows [][]string
		names, rows, err = c.table(ctx, q)
		if code(err) == mysql.ER_PARSE_ERROR {
			continue
		}
		for _, r := range rows {
			m := map[string]string{}
			for i, n := range names {
				m[strings.ToLower(n)] = r[i]
			}
			out = append(out, m)
		}
		return out, err
	}
	return nil, err
}

// findReplicas connects to the replicas that the operator has named, or else to
// those that the source lists, which is the reason for a name with a port there.
func (s *Stock) findReplicas(ctx context.Context) (found []*replica, err error) {
	defer func() {
		if err != nil {
			for _, r := range found {
				_ = r.c.Close()
			}
			found = nil
		}
	}()
	cfgs, err := s.replicaConfigs(ctx)
	if err != nil {
		return nil, err
	}
	found = []*replica{} // that there are none is known then
	for _, cfg := range cfgs {
		c, err := s.lasting(ctx, cfg)
		if err != nil {
			err = fmt.Errorf("replica %s: %w", cfg.addr, err)
			if len(s.opts.Replicas) == 0 {
				err = hint.Wrap(err, "the source lists it so: name the replicas that are to be asked by --replicas")
			}
			return found, err
		}
		found = append(found, &replica{cfg.addr, c})
	}
	return found, nil
}

func (s *Stock) replicaConfigs(ctx context.Context) ([]config, error) {
	var cfgs []config
	for _, url := range s.opts.Replicas {
		cfg, err := configure(url, s.opts.Login)
		if err != nil {
			return nil, fmt.Errorf("replica: %w", err)
		}
		cfgs = append(cfgs, cfg)
	}
	if len(cfgs) > 0 {
		return cfgs, nil
	}
	rows, err := s.gauge.source.named(ctx, "SHOW REPLICAS", "SHOW SLAVE HOSTS")
	if err != nil {
		return nil, s.lagError("the list of replicas", err)
	}
	for _, r := range rows {
		host := r["host"]
		switch {
		case strings.HasPrefix(host, replicaPrefix): // one of us, who reads the log
			continue
		case host == "":
			err := fmt.Errorf("the replica of server id %s does not report its host", r["server_id"])
			return nil, hint.Wrap(err, "name the replicas that are to be asked by --replicas, or set report_host on it")
		}
		cfgs = append(cfgs, s.cfg.at(net.JoinHostPort(host, cmp.Or(r["port"], "3306"))))
	}
	return cfgs, nil
}

// lagError says which grants it takes to ask for lags.
func (s *Stock) lagError(whom string, err error) error {
	err = fmt.Errorf("%s: %w", whom, err)
	switch code(err) {
	case mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_ERROR:
		grants := "REPLICATION CLIENT, REPLICATION SLAVE"
		if s.control.maria {
			grants = "SLAVE MONITOR, REPLICATION MASTER ADMIN"
		}
		return hint.Wrap(err, "GRANT %s ON *.* TO %s, on the source and on its replicas", grants, s.cfg.user)
	}
	return err
}
