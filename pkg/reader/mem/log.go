package mem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Change is one change of a transaction. Updates that move the key are a
// Before and an After.
type Change struct {
	Table   *schema.Table
	Op      batch.Op
	Row     batchtest.Row
	Emptied bool // the table is emptied; Op and Row mean nothing
}

// A transaction is an entry of the log.
type transaction struct {
	version int // of the DB after it
	at      time.Time
	changes []Change
}

// Apply makes changes in one transaction, and notes them in the log.
func (d *DB) Apply(changes ...Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version++
	own := map[*batchtest.Table]bool{}
	for _, c := range changes {
		t := &d.tables[d.find(c.Table)]
		if !own[t] {
			own[t], t.Rows = true, slices.Clone(t.Rows) // what is pinned keeps its own
		}
		same := func(r batchtest.Row) bool {
			return !slices.ContainsFunc(t.Key, func(k int) bool { return r[k] != c.Row[k] })
		}
		switch {
		case c.Emptied:
			t.Rows = nil
			continue
		case c.Op != batch.Insert:
			t.Rows = slices.DeleteFunc(t.Rows, same)
		}
		if c.Op == batch.Insert || c.Op == batch.After {
			t.Rows = append(t.Rows, c.Row)
		}
	}
	d.log = append(d.log, transaction{d.version, time.Now(), changes})
}

// Purge forgets the log so far.
func (d *DB) Purge() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.purged, d.log = d.version, nil
}

func position(version int) batch.Position { return batch.Position("mem:" + strconv.Itoa(version)) }

// Of returns what a position means for one table: it may have come further than
// the others before the log was read for all of them together.
func Of(pos batch.Position, t *schema.Table) batch.Position {
	words := strings.Fields(string(pos))
	for _, w := range words[min(1, len(words)):] {
		if own, ok := strings.CutPrefix(w, t.String()+"="); ok {
			return batch.Position(own)
		}
	}
	if len(words) > 1 && words[1] != "loose" {
		return batch.Position(words[0])
	}
	return pos
}

// Loosen marks a position.
func (s *Stock) Loosen(pos batch.Position) (batch.Position, error) {
	if _, loose, err := versionOf(pos); err != nil || loose {
		return pos, err
	}
	return pos + " loose", nil
}

// Unlogged tells of the tables that the log misses changes of.
func (s *Stock) Unlogged(_ context.Context, tables []*schema.Table) (map[*schema.Table]error, error) {
	why := make(map[*schema.Table]error)
	for _, t := range tables {
		if slices.Contains(s.Misses, t.Name) {
			why[t] = errors.New("the log misses changes of it")
		}
	}
	return why, nil
}

func versionOf(pos batch.Position) (version int, loose bool, err error) {
	text, loose := strings.CutSuffix(string(pos), " loose")
	text, _, _ = strings.Cut(text, " ")
	version, err = strconv.Atoi(strings.TrimPrefix(text, "mem:"))
	if err != nil {
		return 0, false, fmt.Errorf("position %q is none of this source's", pos)
	}
	return version, loose, nil
}

var _ reader.Log = (*Stock)(nil)

// Locate knows "now", "earliest" and its positions.
func (s *Stock) Locate(ctx context.Context, where string) (batch.Position, error) {
	if err := s.begin(ctx, Locate, nil); err != nil {
		return "", err
	}
	s.DB.mu.Lock()
	defer s.DB.mu.Unlock()
	switch where {
	case "now":
		return position(s.DB.version), nil
	case "earliest":
		return position(s.DB.purged), nil
	}
	_, _, err := versionOf(batch.Position(where))
	return batch.Position(where), err
}

// Headroom knows what was purged.
func (s *Stock) Headroom(ctx context.Context, pos batch.Position) (reader.Headroom, error) {
	if err := s.begin(ctx, Headroom, nil); err != nil {
		return reader.Headroom{}, err
	}
	v, _, err := versionOf(pos)
	s.DB.mu.Lock()
	defer s.DB.mu.Unlock()
	return reader.Headroom{Gone: v < s.DB.purged, AtEnd: v == s.DB.version, Ahead: -1, Before: -1}, err
}

// Changes reads the transactions that Apply has made.
func (s *Stock) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	if err := s.begin(ctx, Changes, nil); err != nil {
		return nil, err
	}
	r := &logReader{s: s, from: map[*schema.Table]int{}, loose: map[*schema.Table]bool{}, until: math.MaxInt, next: math.MaxInt}
	var err error
	if until != "" {
		if r.until, _, err = versionOf(until); err != nil {
			return nil, err
		}
	}
	s.DB.mu.Lock()
	purged := s.DB.purged
	s.DB.mu.Unlock()
	for t, pos := range from {
		if r.from[t], r.loose[t], err = versionOf(Of(pos, t)); err != nil {
			return nil, err
		}
		if r.from[t] < purged {
			return nil, fmt.Errorf("%s at %s: %w", t, pos, reader.ErrPurged)
		}
		r.next = min(r.next, r.from[t])
	}
	s.DB.use(1)
	return r, nil
}

// A logReader turns transactions into batches.
type logReader struct {
	s      *Stock
	from   map[*schema.Table]int
	loose  map[*schema.Table]bool
	until  int
	next   int            // the version that is handed out so far
	ready  []*batch.Batch // of the transaction at work
	closed bool
}

// Read waits for the next transaction, or says now and then that there is none.
func (r *logReader) Read(ctx context.Context) (*batch.Batch, error) {
	var t *schema.Table // the fault of a table is one of its changes
	if len(r.ready) > 0 {
		t = r.ready[0].Table
	}
	if err := r.s.begin(ctx, ReadLog, t); err != nil {
		return nil, err
	}
	for idle := time.Now(); len(r.ready) == 0; {
		if r.next >= r.until {
			return nil, io.EOF
		}
		tx, ok := r.transaction()
		switch {
		case ok:
			r.build(tx)
			r.next = tx.version
		case time.Since(idle) > 5*time.Millisecond:
			return &batch.Batch{Pos: r.position(r.next)}, nil
		default:
			if err := sleep(ctx, time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	b := r.ready[0]
	r.ready = r.ready[1:]
	return b, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transaction returns the one after next. What Set and Drop did is in no log:
// its versions are skipped.
func (r *logReader) transaction() (transaction, bool) {
	r.s.DB.mu.Lock()
	defer r.s.DB.mu.Unlock()
	for _, tx := range r.s.DB.log {
		if tx.version > r.next {
			return tx, true
		}
	}
	r.next = min(r.s.DB.version, r.until)
	return transaction{}, false
}

// build makes batches of a row or a few, in the order of the changes.
func (r *logReader) build(tx transaction) {
	var rows []batchtest.Row
	var ops []batch.Op
	var table *schema.Table
	flush := func() {
		if table != nil && len(rows) > 0 {
			b := batchtest.Build(cmp.Or(r.s.Alloc, memory.DefaultAllocator), table, rows)
			if b.Ops = ops; len(table.Key) == 0 {
				b.Ops = nil
			}
			r.ready = append(r.ready, b)
		}
		rows, ops = nil, nil
	}
	for _, c := range tx.changes {
		c.Table = r.listed(c.Table)
		if c.Table == nil || tx.version <= r.from[c.Table] {
			continue
		}
		if c.Table != table || len(rows) >= 3 {
			flush()
		}
		table = c.Table
		if c.Emptied {
			flush()
			r.ready = append(r.ready, &batch.Batch{Table: table, Emptied: true, Bytes: 1})
			continue
		}
		if c.Op == batch.Insert && r.loose[table] {
			c.Op = batch.After
		}
		rows, ops = append(rows, c.Row), append(ops, c.Op)
	}
	flush()
	if len(r.ready) == 0 {
		r.ready = []*batch.Batch{{}}
	}
	last := r.ready[len(r.ready)-1]
	last.Pos, last.Time = r.position(tx.version), tx.at
}

// position names the tables that are still ahead of the log.
func (r *logReader) position(version int) batch.Position {
	var ahead []string
	for t, from := range r.from {
		if from > version {
			ahead = append(ahead, " "+t.String()+"="+string(position(from)))
		}
	}
	slices.Sort(ahead)
	return position(version) + batch.Position(strings.Join(ahead, ""))
}

// listed returns the table as it was asked for, nil if it was not.
func (r *logReader) listed(t *schema.Table) *schema.Table {
	for l := range r.from {
		if same(l, t) {
			return l
		}
	}
	return nil
}

func (r *logReader) Close() error {
	if !r.closed {
		r.closed = true
		for _, b := range r.ready {
			b.Release()
		}
		r.s.DB.use(-1)
	}
	return nil
}
