package mem

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A snapshot holds the rows that the tables had when it was pinned.
type snapshot struct {
	stock  *Stock
	tables []batchtest.Table
	pos    batch.Position
	places chan struct{} // as many as there may be open readers
	once   sync.Once
	done   chan struct{}
}

func (s *snapshot) Position() batch.Position { return s.pos }

// Loose implements reader.Loose.
func (s *snapshot) Loose() bool { return s.stock.Loose }

func (s *snapshot) rows(t *schema.Table) ([]batchtest.Row, error) {
	at := slices.IndexFunc(s.tables, func(o batchtest.Table) bool { return same(o.Table, t) })
	if at < 0 {
		return nil, fmt.Errorf("%s is not pinned", t)
	}
	return s.tables[at].Rows, nil
}

func (s *snapshot) Splits(ctx context.Context, t *schema.Table) ([]reader.Split, error) {
	if err := s.stock.begin(ctx, Splits, t); err != nil {
		return nil, err
	}
	rows, err := s.rows(t)
	if err != nil {
		return nil, err
	}
	parts := max(s.stock.Parts, 1)
	if !s.stock.hashes() {
		parts = min(parts, len(rows))
	} else if len(t.Key) == 0 {
		parts = 1
	}
	splits := make([]reader.Split, parts)
	for i := range splits {
		from, to := len(rows)*i/parts, len(rows)*(i+1)/parts
		splits[i] = reader.Split{Table: t, Range: fmt.Sprintf("%d-%d", from, to), Rows: int64(to - from), Seq: i}
		if s.stock.hashes() {
			splits[i].Range = fmt.Sprintf("%d/%d", i, parts)
		}
	}
	return splits, nil
}

func (s *snapshot) Open(ctx context.Context, split reader.Split) (reader.Reader, error) {
	return s.place(ctx, func() (*splitReader, error) { return s.open(ctx, split) })
}

// place opens a reader once there is a place for it.
func (s *snapshot) place(ctx context.Context, open func() (*splitReader, error)) (reader.Reader, error) {
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, ErrClosed
	}
	r, err := open()
	if err != nil {
		<-s.places
		return nil, err
	}
	s.stock.DB.use(1)
	return r, nil
}

// Seek implements reader.Seeker.
func (s *snapshot) Seek(ctx context.Context, t *schema.Table, keys arrow.RecordBatch) (reader.Reader, error) {
	if len(t.Key) == 0 {
		return nil, fmt.Errorf("%s has no key", t)
	}
	wanted, err := batchtest.Rows(keys)
	if err != nil {
		return nil, err
	}
	is := map[string]bool{}
	for _, k := range wanted {
		is[k.String()] = true
	}
	if err := s.stock.begin(ctx, Seek, t); err != nil {
		return nil, err
	}
	return s.place(ctx, func() (*splitReader, error) {
		r, err := s.open(ctx, reader.Split{Table: t})
		if err != nil || len(r.rows) == 0 {
			return r, err
		}
		all := batchtest.Build(memory.DefaultAllocator, t, r.rows)
		defer all.Release()
		read, err := batchtest.Rows(all.Rows) // the keys' values are as a batch has them too
		if err != nil {
			return nil, err
		}
		var rows []batchtest.Row
		for i, row := range read {
			key := make(batchtest.Row, len(t.Key))
			for n, k := range t.Key {
				key[n] = row[k]
			}
			if is[key.String()] {
				rows = append(rows, r.rows[i])
			}
		}
		r.rows = rows
		return r, nil
	})
}

func (s *snapshot) open(ctx context.Context, split reader.Split) (*splitReader, error) {
	select {
	case <-s.done:
		return nil, ErrClosed
	default:
	}
	if err := s.stock.begin(ctx, Open, split.Table); err != nil {
		return nil, err
	}
	rows, err := s.rows(split.Table)
	if err != nil {
		return nil, err
	}
	if s.stock.Loose {
		rows = s.stock.DB.now(split.Table)
	}
	var i, n int
	switch {
	case split.Range == "":
	case s.stock.hashes():
		if _, err := fmt.Sscanf(split.Range, "%d/%d", &i, &n); err != nil || n < 1 {
			return nil, fmt.Errorf("range %q: want I/N", split.Range)
		}
		rows = part(rows, split.Table, i, n)
	default:
		if _, err := fmt.Sscanf(split.Range, "%d-%d", &i, &n); err != nil || i < 0 || i > n || n > len(rows) {
			return nil, fmt.Errorf("range %q: want FROM-TO", split.Range)
		}
		rows = rows[i:n]
	}
	return &splitReader{snap: s, split: split, rows: rows}, nil
}

func (s *snapshot) Close() error {
	s.once.Do(func() {
		close(s.done)
		s.stock.DB.use(-1)
	})
	return nil
}

// A splitReader makes batches of the rows of a split.
type splitReader struct {
	snap  *snapshot
	split reader.Split
	rows  []batchtest.Row // not yet read
	once  sync.Once
}

func (r *splitReader) Read(ctx context.Context) (*batch.Batch, error) {
	if err := r.snap.stock.begin(ctx, Read, r.split.Table); err != nil {
		return nil, err
	}
	if len(r.rows) == 0 {
		return nil, io.EOF
	}
	stock := r.snap.stock
	n, size, limit := 0, 0, cmp.Or(stock.BatchBytes, 64<<10)
	for n < len(r.rows) && (n == 0 || size+r.rows[n].Size() <= limit) {
		size += r.rows[n].Size()
		n++
	}
	b := batchtest.Build(cmp.Or(stock.Alloc, memory.DefaultAllocator), r.split.Table, r.rows[:n])
	b.Origin = r.split.Seq
	r.rows = r.rows[n:]
	return b, nil
}

func (r *splitReader) Close() error {
	r.once.Do(func() {
		<-r.snap.places
		r.snap.stock.DB.use(-1)
	})
	return nil
}

// now returns the rows that a table holds at this moment.
func (d *DB) now(t *schema.Table) []batchtest.Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.find(t)
	if at < 0 {
		return nil
	}
	return slices.Clone(d.tables[at].Rows)
}

// part returns the rows whose key falls into the i-th of n parts, so that every
// key belongs to one part at all times.
func part(rows []batchtest.Row, t *schema.Table, i, n int) []batchtest.Row {
	if n == 1 {
		return rows
	}
	var out []batchtest.Row
	for _, r := range rows {
		h := fnv.New32a()
		for _, k := range t.Key {
			fmt.Fprint(h, r[k], "|")
		}
		if int(h.Sum32()%uint32(n)) == i {
			out = append(out, r)
		}
	}
	return out
}
