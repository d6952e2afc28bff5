package verify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A Redo makes out which rows of a table at the sink are to be other ones: those of a part of it
// that the source has in another way, or not at all, and those that the sink lacks.
type Redo struct {
	Table *schema.Table // as it is at the sink; it has a key
	// Part is the table of which the source reads the rows of the part alone. Its columns are those
	// of Table, which it is if the part is all of it.
	Part *schema.Table
	// Within returns what tells rows of the part, for one goroutine; nil if the part is all of it.
	Within func() Condition
	// Only, if set, says by the hashes of their keys which rows are meant.
	Only map[uint64]bool
	// Columns, if any, are those that are looked at: rows that have the same in them stay, whatever
	// else they have, and so do those that are at one side alone.
	Columns []string
	// Ignore are columns that are not looked at.
	Ignore []string
	// Deleted is the column that marks rows as deleted, which the source has no more; "" if rows
	// are taken away.
	Deleted string

	Parallel int // readers of each side
	// Memory bounds what is known of the sink's rows at a time, in bytes: of more of them both sides
	// are read several times.
	Memory   int64
	Progress *progress.Table // of rows that are handed on; may be nil
}

// A Condition is evaluated for the rows of batches, one after the other.
type Condition interface {
	Take(rows arrow.RecordBatch)
	True(row int) (bool, error)
}

// Over returns Changes of a sink.
func (r *Redo) Over(sink writer.Scanner) func(context.Context, reader.Snapshot, func(*batch.Batch) error) error {
	return func(ctx context.Context, snap reader.Snapshot, emit func(*batch.Batch) error) error {
		return r.Changes(ctx, snap, sink, emit)
	}
}

// Changes hands on what makes the rows those of the source, as a log's batches have it: After, and
// Delete. Emit is called by one goroutine at a time, and does not release the batch.
func (r *Redo) Changes(ctx context.Context, snap reader.Snapshot, sink writer.Scanner, emit func(*batch.Batch) error) error {
	var mu sync.Mutex
	one := func(b *batch.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		defer b.Release()
		r.Progress.Add(b.Rows.NumRows(), 0)
		return emit(b)
	}
	for turns := uint64(1); ; turns *= 4 {
		for turn := range turns {
			p := &redoing{Redo: r, snap: snap, sink: sink, emit: one, turn: turn, turns: turns, most: max(r.Memory/sinkRowSize, 1000)}
			err := p.run(ctx)
			if errors.Is(err, errTooMany) {
				break // of the first turn, before anything was handed on: the others have as many
			}
			if err != nil {
				return err
			}
			if turn == turns-1 {
				return nil
			}
		}
	}
}

// sinkRowSize is about what is spent on a row of the sink's.
const sinkRowSize = 64

// A redoing is one turn of a Redo: the rows of some keys, chosen by their hash.
type redoing struct {
	*Redo
	snap        reader.Snapshot
	sink        writer.Scanner
	emit        func(*batch.Batch) error
	turn, turns uint64
	most        int64

	rows  [64]sinkRows // what the sink has, by its keys
	count atomic.Int64
}

// sinkRows are some of the sink's rows: the sums of their values by those of their keys.
type sinkRows struct {
	mu sync.Mutex
	of map[bucketSum]bucketSum
}

// notEqual is in place of the sum of rows that are several of one key: no row has it.
var notEqual = bucketSum{}

func (r *redoing) run(ctx context.Context) error {
	for i := range r.rows {
		r.rows[i].of = map[bucketSum]bucketSum{}
	}
	if err := r.scan(ctx, r.note); err != nil {
		return err
	}
	if err := r.stock(ctx); err != nil {
		return err
	}
	if len(r.Columns) > 0 {
		return nil
	}
	left := 0
	for i := range r.rows {
		left += len(r.rows[i].of)
	}
	if left == 0 {
		return nil
	}
	return r.leftOver(ctx)
}

// meant reports whether a row of a batch that was hashed is one of the turn.
func (r *redoing) meant(e *encoder, i int) bool {
	return e.hasher.id2[i]%r.turns == r.turn && (r.Only == nil || r.Only[e.hasher.id[i]])
}

func (r *redoing) of(e *encoder, i int) (key bucketSum, rows *sinkRows) {
	key = bucketSum{e.hasher.id[i], e.hasher.id2[i]}
	return key, &r.rows[key.lo%uint64(len(r.rows))]
}

// scan hands the sink's rows of the turn that are in the part on: a batch, and which of its rows.
func (r *redoing) scan(ctx context.Context, take func(ctx context.Context, e *encoder, b arrow.RecordBatch, rows []int) error) error {
	n := max(r.Parallel, 1)
	encoders, conditions, lists := make([]*encoder, n), make([]Condition, n), make([][]int, n)
	_, err := r.sink.Scan(ctx, r.Table, n, func(g int, b arrow.RecordBatch) error {
		if encoders[g] == nil {
			encoders[g] = r.encoder()
			if r.Within != nil {
				conditions[g] = r.Within()
			}
		}
		e, c, rows := encoders[g], conditions[g], lists[g][:0]
		if err := e.hash(r.Table, b); err != nil {
			return err
		}
		if c != nil {
			c.Take(b)
		}
		gone := r.gone(b)
		for i := range int(b.NumRows()) {
			if !r.meant(e, i) || gone(i) {
				continue
			}
			if c != nil {
				in, err := c.True(i)
				if err != nil {
					return &schema.TableError{Table: r.Table.String(), Err: err}
				}
				if !in {
					continue
				}
			}
			rows = append(rows, i)
		}
		lists[g] = rows
		return take(ctx, e, b, rows)
	})
	return err
}

func (r *Redo) encoder() *encoder {
	e := newEncoderOf(r.Table, func(i int) bool {
		name := r.Table.Columns[i].Name
		return slices.Contains(r.Table.Key, i) || name != r.Deleted && !slices.Contains(r.Ignore, name) &&
			(len(r.Columns) == 0 || slices.Contains(r.Columns, name))
	})
	e.wide = true
	return e
}

// note keeps the sums of the sink's rows.
func (r *redoing) note(_ context.Context, e *encoder, _ arrow.RecordBatch, rows []int) error {
	keys := 0
	for _, i := range rows {
		key, to := r.of(e, i)
		to.mu.Lock()
		if _, twice := to.of[key]; twice {
			to.of[key] = notEqual
		} else {
			to.of[key] = e.hasher.sum[i]
			keys++
		}
		to.mu.Unlock()
	}
	if r.count.Add(int64(keys)) > r.most && r.turn == 0 {
		return errTooMany
	}
	return nil
}

// stock hands on the source's rows that the sink has not, or not so. What is left of the sink's
// are rows that the source does not have in the part.
func (r *redoing) stock(ctx context.Context) error {
	splits, err := r.snap.Splits(ctx, r.Part)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(max(r.Parallel, 1), len(splits)) {
		g.Go(func() error {
			e := r.encoder()
			for i := next.Add(1) - 1; i < int64(len(splits)); i = next.Add(1) - 1 {
				rd, err := r.snap.Open(ctx, splits[i])
				if err != nil {
					return err
				}
				err = reader.Each(ctx, rd, func(b *batch.Batch) error { return r.compare(ctx, e, b.Rows) })
				if err := errors.Join(err, rd.Close()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// compare hands on those rows of a batch of stock that the sink has not so.
func (r *redoing) compare(ctx context.Context, e *encoder, b arrow.RecordBatch) error {
	if err := e.hash(r.Table, b); err != nil {
		return err
	}
	var differ []int
	for i := range int(b.NumRows()) {
		if !r.meant(e, i) {
			continue
		}
		key, at := r.of(e, i)
		at.mu.Lock()
		sum, there := at.of[key]
		delete(at.of, key)
		at.mu.Unlock()
		if !there && len(r.Columns) > 0 || there && sum == e.hasher.sum[i] {
			continue
		}
		differ = append(differ, i)
	}
	return r.put(ctx, b, differ, batch.After)
}

// put hands rows of a batch on.
func (r *redoing) put(ctx context.Context, b arrow.RecordBatch, rows []int, op batch.Op) error {
	if len(rows) == 0 {
		return nil
	}
	some, err := pick(ctx, b, rows)
	if err != nil {
		return err
	}
	return r.emit(&batch.Batch{Table: r.Table, Rows: some, Ops: slices.Repeat([]batch.Op{op}, len(rows))})
}
