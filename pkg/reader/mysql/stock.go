package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Stock is a MySQL or MariaDB server as a source.
type Stock struct {
	cfg     config
	opts    Options
	zero    calendar.Policy
	control *conn // for questions; rows have connections of their own
	gauge   gauge
	server  string
	folds   atomic.Bool // names of tables are the same in any case
	listing listing

	zeroDates zeroDates
	herald    func(binlog.Name) // may be nil
}

var (
	_ reader.Stock  = (*Stock)(nil)
	_ reader.Log    = (*Stock)(nil)
	_ reader.Herald = (*Stock)(nil)
	_ reader.Namer  = (*Stock)(nil)
	_ reader.Loose  = (*snapshot)(nil)
)

// A listing is what Tables has noticed, for Check to tell.
type listing struct {
	views int             // and sequences, left out
	only  []string        // patterns that select nothing else
	loose map[string]bool // tables whose engine has no snapshots
}

// Open connects to the server that url names: mysql://user@host:port/database.
func Open(ctx context.Context, url string, opts Options) (*Stock, error) {
	opts.Login.warn = opts.Warn
	cfg, err := configure(url, opts.Login)
	if err != nil {
		return nil, err
	}
	zero, err := calendar.Parse(opts.ZeroDate)
	if err != nil {
		return nil, err
	}
	opts.Memory = cmp.Or(opts.Memory, 64<<20)
	opts.Parallel = cmp.Or(opts.Parallel, 1)
	opts.LockWait = cmp.Or(opts.LockWait, 2*time.Second)
	opts.Heartbeat = cmp.Or(opts.Heartbeat, 2*time.Second)
	opts.SplitBytes = cmp.Or(opts.SplitBytes, 64<<20)
	if opts.ways == nil {
		opts.ways = allWays
	}
	if opts.alloc == nil {
		opts.alloc = &batch.Pool{Limit: opts.Memory / 2}
	}
	if opts.batchBytes == 0 {
		opts.batchBytes = int(max(opts.Memory/int64(4*opts.Parallel), 1<<20))
	}
	c, err := dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c.again = &cfg
	server, err := c.serverID(ctx)
	if err != nil {
		c.Close()
		return nil, err
	}
	return &Stock{cfg: cfg, opts: opts, zero: zero, control: c, server: server}, nil
}

// DB returns the database that the URL names, or "".
func (s *Stock) DB() string { return s.cfg.db }

// Close ends the connections, and warns of what was read otherwise than it is stored.
func (s *Stock) Close() error {
	s.zeroDates.tell(s.zero, s.warn)
	s.gauge.close()
	return s.control.Close()
}

// Herald has a function called for each selected table that a log tells of and that is not
// followed.
func (s *Stock) Herald(sel reader.Selection, tell func(db, table string)) error {
	m, err := s.matcher(sel)
	if err != nil {
		return err
	}
	s.herald = func(n binlog.Name) {
		if m.Match(s.fold(n.DB), s.fold(n.Table)) {
			tell(n.DB, n.Table)
		}
	}
	return nil
}

// Dropped reports whether a table was dropped at a position.
func (s *Stock) Dropped(pos batch.Position, name string) bool {
	p, err := parsePosition(pos)
	return err == nil && slices.Contains(p.Gone, name)
}

// Doomed reports whether a table was dropped at a position, and its copy is to go.
func (s *Stock) Doomed(pos batch.Position, name string) bool {
	p, err := parsePosition(pos)
	return err == nil && slices.Contains(p.Doomed, name)
}

// tell tells of a table that is not followed.
func (s *Stock) tell(n binlog.Name) {
	if s.herald != nil {
		s.herald(n)
	}
}

func (s *Stock) warn(msg string) {
	if s.opts.Warn != nil {
		s.opts.Warn(msg)
	}
}

// Pin opens a snapshot transaction on as many connections as there are to be
// readers. Where no way lets several agree on a point, each has one of its own,
// if the log makes up for it; else it opens one connection.
func (s *Stock) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	created, err := s.created(ctx, tables)
	if err != nil {
		return nil, err
	}
	var why []string
	for _, w := range waysFor(s.opts.ways, len(tables)) {
		if w.locks && s.opts.LockWait < 0 {
			why = append(why, w.name+" is not wanted")
			continue
		}
		n := max(parallel, 1)
		if w.one {
			n = 1
		}
		conns, err := s.connect(ctx, n)
		if err != nil {
			return nil, err
		}
		pos, err := w.pin(ctx, s, conns, tables)
		if err == nil {
			if w.one && parallel > 1 {
				s.warn("reading with one connection, as several cannot be pinned to one point; GRANT LOCK TABLES lets them: " + strings.Join(why, "; "))
			}
			snap := s.newSnapshot(conns, pos)
			snap.loose, snap.created = w.loose, created
			if snap.altered, err = s.altered(ctx, tables); err != nil {
				return nil, errors.Join(err, snap.Close())
			}
			return snap, nil
		}
		for _, c := range conns {
			c.Close()
		}
		if !errors.Is(err, errNotPinned) {
			return nil, fmt.Errorf("by %s: %w", w.name, err)
		}
		why = append(why, fmt.Sprintf("%s is %v", w.name, err))
	}
	return nil, errors.New(strings.Join(why, "; "))
}

func (s *Stock) connect(ctx context.Context, n int) ([]*conn, error) {
	conns := make([]*conn, 0, n)
	for range n {
		c, err := dial(ctx, s.cfg)
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// A snapshot is a set of connections whose transactions show one point.
type snapshot struct {
	s     *Stock
	pos   position
	free  chan *conn
	all   []*conn
	loose bool
	// created is when each table was, by its name.
	created map[string]string
	// altered are the tables that are not as they were listed, by their names, as errors.
	altered map[string]error
}

func (s *Stock) newSnapshot(conns []*conn, pos position) *snapshot {
	snap := &snapshot{s: s, pos: pos, all: conns, free: make(chan *conn, len(conns))}
	for _, c := range conns {
		snap.free <- c
	}
	s.gauge.owns(true, conns...)
	return snap
}

// Loose reports whether the connections show points of their own.
func (p *snapshot) Loose() bool { return p.loose }

// Position is the log position of the point.
func (p *snapshot) Position() batch.Position { return p.pos.encode() }

// Close ends the transactions.
func (p *snapshot) Close() error {
	p.s.gauge.owns(false, p.all...)
	for _, c := range p.all {
		c.Close()
	}
	return nil
}

// Open waits for a free connection and runs the split's SELECT on it.
func (p *snapshot) Open(ctx context.Context, sp reader.Split) (reader.Reader, error) {
	where, err := rangeSQL(source(sp.Table), sp.Range)
	if err != nil {
		return nil, err
	}
	return p.openWhere(ctx, sp, where)
}

func (p *snapshot) openWhere(ctx context.Context, sp reader.Split, where string) (reader.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // and not only if the select below takes it for the first that is ready
	}
	if err := p.altered[sp.Table.String()]; err != nil {
		return nil, err
	}
	select {
	case c := <-p.free:
		return p.open(ctx, c, sp, where)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64) // the server's own numbers
	return n
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// compact drops the line breaks that the server puts into long GTID sets.
func compact(gtid string) string { return strings.ReplaceAll(gtid, "\n", "") }
