package shape

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An Origin is a source whose tables can be shaped.
type Origin interface {
	reader.Stock
	reader.Log
	reader.Ordered
	reader.Herald
	reader.Namer
	reader.Checker
	reader.Planner
	reader.Loader
	reader.Filterer
	DB() string
}

// A Source is an Origin some of whose tables are shaped: those that Shape has made, and what a
// log makes of them. What is said of tables is said of these.
type Source struct {
	Origin
	*book
}

// A book is what is known of shaped tables, whoever reads them.
type book struct {
	engine *expr.Engine

	mu    sync.Mutex
	specs map[string]Spec         // by table
	plans map[*schema.Table]*plan // by what they make
}

// Wrap returns a source like src.
func Wrap(src Origin) (*Source, error) {
	e, err := expr.New()
	if err != nil {
		return nil, err
	}
	return &Source{src, &book{engine: e, specs: map[string]Spec{}, plans: map[*schema.Table]*plan{}}}, nil
}

// Also returns another opening of the same source, whose tables are those of s too.
func (s *Source) Also(src Origin) *Source { return &Source{src, s.book} }

// Shape returns the table that a Spec makes of one of the source.
func (s *book) Shape(t *schema.Table, spec Spec) (*schema.Table, error) {
	p, err := s.plan(spec, t)
	if err != nil {
		return nil, tableError(t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.specs[t.String()] = spec
	s.plans[p.t] = p
	return p.t, nil
}

func tableError(t *schema.Table, err error) error {
	var te *schema.TableError
	if errors.As(err, &te) {
		return err
	}
	return &schema.TableError{Table: t.String(), Err: err}
}

// of returns the plan by which a table is made, nil if it is the source's own.
func (s *book) of(t *schema.Table) (*plan, error) {
	if t.Base == nil {
		return nil, nil //nolint:nilnil // as said
	}
	s.mu.Lock()
	p, spec := s.plans[t], s.specs[t.String()]
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := s.plan(spec, rows(t.Base))
	if err == nil && t.IsChangelog() {
		p, err = p.changes()
	}
	if err != nil {
		return nil, tableError(t, err)
	}
	if !p.t.Arrow.Equal(t.Arrow) {
		return nil, fmt.Errorf("%s is not what it was shaped to", t)
	}
	q := *p
	q.t = t // as it is known by
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[t] = &q
	return &q, nil
}

// Reshape returns the table that is made of another one in the way in which t is.
func (s *book) Reshape(t, base *schema.Table) (*schema.Table, error) {
	s.mu.Lock()
	spec := s.specs[t.String()]
	s.mu.Unlock()
	p, err := s.plan(spec, rows(base))
	if err == nil && t.IsChangelog() {
		p, err = p.changes()
	}
	if err != nil {
		return nil, tableError(t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[p.t] = p
	return p.t, nil
}

// stocks returns tables as the source knows them, and plans by these.
func (s *book) stocks(tables []*schema.Table) ([]*schema.Table, map[*schema.Table]*plan, error) {
	out := make([]*schema.Table, len(tables))
	plans := map[*schema.Table]*plan{}
	for i, t := range tables {
		p, err := s.of(t)
		if err != nil {
			return nil, nil, err
		}
		if out[i] = t; p != nil {
			out[i] = p.stock
			plans[p.stock] = p
		}
	}
	return out, plans, nil
}

// Pin implements reader.Stock.
func (s *Source) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	own, _, err := s.stocks(tables)
	if err != nil {
		return nil, err
	}
	snap, err := s.Origin.Pin(ctx, own, parallel)
	if err != nil {
		return nil, err
	}
	n := &snapshot{Snapshot: snap, s: s}
	if k, ok := snap.(reader.Seeker); ok {
		return &seeker{n, k}, nil
	}
	return n, nil
}

// Unlogged implements reader.Log.
func (s *Source) Unlogged(ctx context.Context, tables []*schema.Table) (map[*schema.Table]error, error) {
	own, plans, err := s.stocks(tables)
	if err != nil {
		return nil, err
	}
	found, err := s.Origin.Unlogged(ctx, own)
	out := make(map[*schema.Table]error, len(found))
	for t, why := range found {
		if p := plans[t]; p != nil {
			t = p.t
		}
		out[t] = why
	}
	return out, err
}

// Check implements reader.Checker.
func (s *Source) Check(ctx context.Context, tables []*schema.Table, p finding.Purpose) ([]finding.Finding, error) {
	own, _, err := s.stocks(tables)
	if err != nil {
		return nil, err
	}
	return s.Origin.Check(ctx, own, p)
}

// Plan implements reader.Planner.
func (s *Source) Plan(ctx context.Context, t *schema.Table) ([]reader.Split, string, error) {
	own, _, err := s.stocks([]*schema.Table{t})
	if err != nil {
		return nil, "", err
	}
	return s.Origin.Plan(ctx, own[0])
}

// Sample implements reader.Planner.
func (s *Source) Sample(ctx context.Context, t *schema.Table, most time.Duration) (reader.Sample, error) {
	own, _, err := s.stocks([]*schema.Table{t})
	if err != nil {
		return reader.Sample{}, err
	}
	return s.Origin.Sample(ctx, own[0], most)
}

// Burden implements reader.Planner.
func (s *Source) Burden(tables []*schema.Table, parallel int) reader.Burden {
	own, _, err := s.stocks(tables)
	if err != nil {
		own = tables
	}
	return s.Origin.Burden(own, parallel)
}

// A snapshot is one of the source, with tables of ours.
type snapshot struct {
	reader.Snapshot
	s *Source
}

// Loose implements reader.Loose.
func (n *snapshot) Loose() bool {
	l, ok := n.Snapshot.(reader.Loose)
	return ok && l.Loose()
}

// Splits implements reader.Snapshot.
func (n *snapshot) Splits(ctx context.Context, t *schema.Table) ([]reader.Split, error) {
	p, err := n.s.of(t)
	if err != nil || p == nil {
		if err != nil {
			return nil, err
		}
		return n.Snapshot.Splits(ctx, t)
	}
	splits, err := n.Snapshot.Splits(ctx, p.stock)
	for i := range splits {
		splits[i].Table = t
	}
	return splits, err
}

// Open implements reader.Snapshot.
func (n *snapshot) Open(ctx context.Context, split reader.Split) (reader.Reader, error) {
	p, err := n.s.of(split.Table)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return n.Snapshot.Open(ctx, split)
	}
	split.Table = p.stock
	rd, err := n.Snapshot.Open(ctx, split)
	if err != nil {
		return nil, err
	}
	return &stockReader{rd, p.shaper()}, nil
}

// A stockReader shapes rows that meet the condition already: the source has asked for no others.
type stockReader struct {
	reader.Reader
	x *shaper
}

// Read implements reader.Reader.
func (r *stockReader) Read(ctx context.Context) (*batch.Batch, error) {
	b, err := r.Reader.Read(ctx)
	if err != nil {
		return nil, err
	}
	return r.x.stock(b)
}

// A seeker is a snapshot of a source that finds rows by their keys.
type seeker struct {
	*snapshot
	own reader.Seeker
}

// Seek implements reader.Seeker.
func (k *seeker) Seek(ctx context.Context, t *schema.Table, keys arrow.RecordBatch) (reader.Reader, error) {
	p, err := k.s.of(t)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return k.own.Seek(ctx, t, keys)
	}
	rd, err := k.own.Seek(ctx, p.stock, keys)
	if err != nil {
		return nil, err
	}
	return &stockReader{rd, p.shaper()}, nil
}
