package doris

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Options tune a Sink. The zero value is ready for use.
type Options struct {
	Password string
	// Layout says how a table is to lie that is made. It may be nil.
	Layout func(*schema.Table) Layout
	// Compression of loads on the wire is "gzip", "lz4" or "none", the default.
	Compression string
	LoadSize    int64 // a load of stock ends at about so many bytes; the default is 32 MiB
	Memory      int64 // rows that are gathered may take so much; the default is 256 MiB

	// Step, if set, is called with the name of each step of a commit: "rows written",
	// "commit sent", "commit landed", "published", "tidied"; and with "dead run discarded"
	// where something of one is found. For tests that kill the process.
	Step func(name string)
	Warn func(msg string)
	// Look opens the sink only to be looked at, Existing only if there is something there.
	Look, Existing bool
}

// A Sink is an opened cluster. It is safe for concurrent use.
type Sink struct {
	opts     Options
	store    *store
	at       location
	run      string       // names this run among all
	buffered atomic.Int64 // what is gathered and not yet loaded, in bytes
	clearing atomic.Int64 // of that, keys of rows that are to go
	loadSize atomic.Int64
	onePhase atomic.Bool  // tables with a key take no load in two
	stages   atomic.Int64 // numbers given out

	relief sync.Mutex // of who makes room

	mu       sync.Mutex
	writers  map[*Writer]struct{} // that are open
	made     map[string]bool      // databases that are there
	held     map[stage]note       // whose owner is this run
	seen     map[stage]*state     // commits that are shown, and not yet noted to be
	stopBeat context.CancelFunc   // nil until there is something to tend to
	alive    sync.WaitGroup
}

// A stage is what a writer has at a table that is not committed.
type stage struct{ db, name, part string }

var (
	_ writer.Sink   = (*Sink)(nil)
	_ writer.Lister = (*Sink)(nil)
)

// Open opens the cluster that the URL names, as doris://USER@FE:8030,FE2:8030/DATABASE.
// Without a database tables go to those that are called as their own.
func Open(ctx context.Context, url string, opts Options) (*Sink, error) {
	l, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := newSink(l, opts)
	dbs, err := s.store.sql.read(ctx, "SHOW DATABASES")
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if opts.Existing && l.db != "" && !slices.ContainsFunc(dbs, func(r []string) bool { return r[0] == l.db }) {
		err := hint.Wrap(fmt.Errorf("there is no database %s", l.db), "check the spelling; snapshot, tail and dump make what they write to")
		return nil, errors.Join(err, s.Close())
	}
	if err := s.isDoris(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if !opts.Look { // which asks by SQL alone
		if err := s.hello(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func newSink(l location, opts Options) *Sink {
	if opts.LoadSize <= 0 {
		opts.LoadSize = 32 << 20
	}
	if opts.Memory <= 0 {
		opts.Memory = 256 << 20
	}
	opts.LoadSize = min(opts.LoadSize, opts.Memory/4)
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	if opts.Step == nil {
		opts.Step = func(string) {}
	}
	if opts.Layout == nil {
		opts.Layout = func(*schema.Table) Layout { return Layout{} }
	}
	h, q := l.clients(opts.Password)
	id := uuid.New()
	s := &Sink{
		opts: opts, at: l, run: fmt.Sprintf("%x", id[:6]), made: map[string]bool{}, writers: map[*Writer]struct{}{}, held: map[stage]note{}, seen: map[stage]*state{},
		store: &store{
			tokens: map[string]string{}, httpClient: h, sql: q, warn: opts.Warn, patience: 15 * time.Minute, forgetful: time.Minute,
			replication: opts.Layout(&schema.Table{}).Replication,
		},
	}
	s.loadSize.Store(opts.LoadSize)
	return s
}

// place is the database and the name of a table.
func (s *Sink) place(t *schema.Table) (db, name string) {
	db = s.at.db
	if db == "" {
		db = tableName(t.DB)
	}
	name = tableName(t.Name)
	if strings.HasPrefix(strings.ToLower(name), "tablehaul_") { // which are this program's own
		name = tableName("\x00" + t.Name)
	}
	return db, name
}

// ready sees to it that a database is there, and its table of positions.
func (s *Sink) ready(ctx context.Context, db string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made[db] {
		return nil
	}
	err := s.store.make(ctx, db)
	s.made[db] = err == nil
	return err
}

// Open readies the place of t.
func (s *Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := s.open(ctx, t, mode)
	if err != nil {
		return nil, err // not a *Writer that is nil
	}
	return w, nil
}

func (s *Sink) open(ctx context.Context, t *schema.Table, mode writer.Mode) (*Writer, error) {
	w := s.writer(t, mode)
	if err := s.ready(ctx, w.db); err != nil {
		return nil, fmt.Errorf("open %s: %w", w.place(), err)
	}
	if err := w.look(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", w.place(), err)
	}
	if err := s.tidy(ctx, w); err != nil {
		return nil, fmt.Errorf("remove what earlier runs have left at %s: %w", w.place(), err)
	}
	if err := w.admit(ctx); err != nil {
		if hint.IsTransient(err) || ctx.Err() != nil {
			return nil, err
		}
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers[w] = struct{}{}
	return w, nil
}

func (s *Sink) writer(t *schema.Table, mode writer.Mode) *Writer {
	w := &Writer{sink: s, src: t}
	w.mode, w.once = mode.Once()
	w.db, w.name = s.place(t)
	return w
}

// List returns the tables that hold a position.
func (s *Sink) List(ctx context.Context) ([]writer.Held, error) {
	dbs := []string{s.at.db}
	if s.at.db == "" {
		rows, err := s.store.sql.read(ctx, "SELECT TABLE_SCHEMA FROM information_schema.tables WHERE TABLE_NAME = "+text(positions))
		if err != nil {
			return nil, err
		}
		dbs = nil
		for _, r := range rows {
			dbs = append(dbs, r[0])
		}
	}
	var held []writer.Held
	for _, db := range dbs {
		rows, err := s.store.sql.read(ctx, "SELECT `name`, `state` FROM "+quoted(db, positions)+" WHERE `part` = ''")
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			st, err := parseState(r[1])
			if err != nil {
				return nil, err
			}
			if st.Source == "" { // all of it was taken back
				continue
			}
			held = append(held, writer.Held{
				Name: db + "." + r[0], Source: st.Source, Position: st.Position, Shape: st.Shape, Committed: st.Committed, Rows: -1,
			})
		}
	}
	slices.SortFunc(held, func(a, b writer.Held) int { return strings.Compare(a.Name, b.Name) })
	return held, nil
}

// Close ends the sink. Its writers are closed before.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.stopBeat != nil {
		s.stopBeat()
		s.stopBeat = nil
	}
	s.mu.Unlock()
	s.alive.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	s.mark(ctx)
	s.store.close()
	s.store.sql.close()
	return nil
}
