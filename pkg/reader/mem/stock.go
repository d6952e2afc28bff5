package mem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// ErrClosed is what a Stock or a Snapshot answers after its Close.
var ErrClosed = errors.New("closed")

// A Stock reads a DB. Its fields must not change once it is in use.
type Stock struct {
	DB *DB
	// Alloc is where batches come from; nil is Go's own memory.
	Alloc memory.Allocator
	// BatchBytes is what a batch weighs at most, unless it is one row; 0 is 64 KiB.
	BatchBytes int
	// Parts is how many splits a table is cut into, as far as it has rows; 0 is 1.
	Parts int
	// Readers bounds what Pin offers; 0 is as many as the caller asks for.
	Readers int
	// Hashed cuts tables by a hash of their keys, so that a split means the same
	// keys at every point. Otherwise splits are in key order.
	Hashed bool
	// Loose lets Pin pin nothing: each split shows what its table holds when it is
	// opened.
	Loose bool
	// Misses are names of tables of which the log is told to be incomplete.
	Misses []string
	// Fault, if set, is called before every operation; an error is the operation's
	// outcome. It must be safe for concurrent use. t is nil for Tables, Names and Pin.
	Fault func(op Op, t *schema.Table) error

	closed atomic.Bool
}

// An Op is an operation of a Stock and of what it hands out.
type Op string

// The operations that a Fault hears of.
const (
	Tables Op = "tables"
	Names  Op = "names"
	Pin    Op = "pin"
	Splits Op = "splits"
	Open   Op = "open"
	Seek   Op = "seek"
	Read   Op = "read"
	Load   Op = "load"

	Filtered Op = "filtered"

	Locate   Op = "locate"
	Changes  Op = "changes"
	Headroom Op = "headroom"
	ReadLog  Op = "change" // a Read of what Changes returned
)

var _ reader.Stock = (*Stock)(nil)

// Tables lists the selected tables.
func (s *Stock) Tables(ctx context.Context, sel reader.Selection) ([]*schema.Table, error) {
	out, m, err := s.selected(ctx, Tables, sel)
	if err != nil {
		return nil, err
	}
	if unused := sel.Wrong(m, len(out)); len(unused) > 0 {
		return nil, fmt.Errorf("no table matches %s", strings.Join(unused, ", "))
	}
	return out, nil
}

// Names returns the names of the selected tables.
func (s *Stock) Names(ctx context.Context, sel reader.Selection) ([]string, error) {
	tables, _, err := s.selected(ctx, Names, sel)
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.String()
	}
	return names, err
}

func (s *Stock) selected(ctx context.Context, op Op, sel reader.Selection) ([]*schema.Table, *reader.Matcher, error) {
	if err := s.begin(ctx, op, nil); err != nil {
		return nil, nil, err
	}
	m, err := sel.Matcher()
	if err != nil {
		return nil, nil, err
	}
	s.DB.mu.Lock()
	defer s.DB.mu.Unlock()
	var out []*schema.Table
	for _, t := range s.DB.tables {
		if m.Match(t.DB, t.Name) {
			out = append(out, t.Table)
		}
	}
	slices.SortFunc(out, func(a, b *schema.Table) int { return strings.Compare(a.String(), b.String()) })
	return out, m, nil
}

// Pin opens a point.
func (s *Stock) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	if err := s.begin(ctx, Pin, nil); err != nil {
		return nil, err
	}
	if s.Readers > 0 {
		parallel = min(parallel, s.Readers)
	}
	snap := &snapshot{stock: s, places: make(chan struct{}, max(parallel, 1)), done: make(chan struct{})}
	s.DB.mu.Lock()
	defer s.DB.mu.Unlock()
	for _, t := range tables {
		at := s.DB.find(t)
		if at < 0 {
			return nil, missing(t)
		}
		snap.tables = append(snap.tables, s.DB.tables[at])
	}
	if snap.pos = position(s.DB.version); s.Loose {
		snap.pos += " loose"
	}
	s.DB.inUse++
	return snap, nil
}

// Owns knows its positions by their first letters.
func (s *Stock) Owns(pos batch.Position) error {
	if !strings.HasPrefix(string(pos), "mem:") {
		return fmt.Errorf("position %q is none of this source's", pos)
	}
	return nil
}

// Close ends the use of the Stock.
func (s *Stock) Close() error {
	s.closed.Store(true)
	return nil
}

// hashes reports whether splits are read at more than one point.
func (s *Stock) hashes() bool { return s.Loose || s.Hashed }

// begin is how every operation starts.
func (s *Stock) begin(ctx context.Context, op Op, t *schema.Table) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return ErrClosed
	}
	if s.Fault != nil {
		if err := s.Fault(op, t); err != nil {
			return err
		}
	}
	s.DB.mu.Lock()
	defer s.DB.mu.Unlock()
	if t != nil && s.DB.find(t) < 0 {
		return missing(t)
	}
	return nil
}
