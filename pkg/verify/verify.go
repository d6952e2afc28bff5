package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Options tell how tables are compared.
type Options struct {
	Parallel int // readers of each side; at least 1
	// Wait is for how long rows that differ are looked at again while the sink is behind the source,
	// or cannot tell whether it is.
	Wait time.Duration
	// Most is how many differing rows of a table are told.
	Most int
	// Memory bounds the bytes of rows that are held to be told apart; 0 is 64 MiB.
	Memory int64
	// Reached, if set, reports whether a position that the sink holds is one at which it has all that a
	// point of the source shows; an error is that the two cannot be compared.
	Reached func(held, point batch.Position) (bool, error)
	// Same, if set, reports whether nothing has happened between two points of the source.
	Same func(a, b batch.Position) bool
	// Deleted is the column that marks rows as deleted which the source has no more; "" if rows are
	// taken away. Rows at the sink that are marked count for none.
	Deleted string
	Ignore  []string // columns that are not compared
	// Sample is the share of the rows that are compared, if above 0 and below 1: those with one key are
	// compared or not at both ends. Which ones these are differs with Seed.
	Sample   float64
	Seed     uint64
	Progress *progress.Run // may be nil
	Pause    time.Duration // between the first looks at what differs; further ones take up to 16 times as long; 0 is 250 ms
}

// Run compares tables one after the other. What keeps one of them from being compared is in its
// Result; an error ends the run.
func Run(ctx context.Context, src reader.Stock, sink writer.Scanner, tables []*schema.Table, opts Options) ([]Result, error) {
	opts.Parallel = max(opts.Parallel, 1)
	opts.Memory = cmp.Or(opts.Memory, 64<<20)
	opts.Pause = cmp.Or(opts.Pause, 250*time.Millisecond)
	var out []Result
	for _, t := range tables {
		c := &comparison{src: src, sink: sink, table: t, opts: opts, res: Result{Table: t.String()}, prog: opts.Progress.Table(t.String(), t.Rows)}
		began := time.Now()
		err := c.run(ctx)
		c.res.Took = time.Since(began)
		var te *schema.TableError
		if errors.As(err, &te) && ctx.Err() == nil {
			c.res.Err, err = te, nil
			c.prog.Fail(te)
		} else if err == nil {
			c.prog.Done()
		}
		if err != nil {
			return out, err // of this table nothing is known
		}
		out = append(out, c.res)
	}
	return out, nil
}

// A comparison is that of one table.
type comparison struct {
	src   reader.Stock
	sink  writer.Scanner
	table *schema.Table
	opts  Options
	res   Result
	prog  *progress.Table
	again bool // the rows are counted already
}

// A look is one reading of both sides: the source as of a point, and the sink as of later.
type look struct {
	point, held   batch.Position
	source, sinks int64
	deleted       int64 // the sink's that are marked so, and not among the others
	sampled       int64 // of the source's, where there is a sample
	sought        bool  // of the source some keys alone were looked up
}

func (c *comparison) run(ctx context.Context) error {
	if c.table.IsChangelog() {
		return c.fails(errors.New("its rows at the sink are changes, and there is nothing to compare them with"))
	}
	s := newSums(c.table.Rows)
	first, err := c.look(ctx, nil, func(e *encoder, sink bool) taker {
		p := s.part()
		return func(arrow.RecordBatch) error {
			p.add(&e.hasher, sink)
			return nil
		}
	})
	if err != nil {
		return err
	}
	if first.held == "" {
		return c.fails(hint.Wrap(errors.New("it is not at the sink"), "snapshot, tail or backfill brings it there"))
	}
	c.res.SourceRows, c.res.SinkRows, c.res.Deleted, c.res.Sampled, c.res.Position = first.source, first.sinks, first.deleted, first.sampled, first.held
	c.again = true
	differing := s.differing()
	if len(differing) == 0 {
		return nil
	}
	return c.drill(ctx, s, differing)
}

func (c *comparison) fails(err error) error {
	return &schema.TableError{Table: c.table.String(), Err: err}
}

// A taker takes the batches of one goroutine, whose encoder has hashed their rows.
type taker func(b arrow.RecordBatch) error

// look reads both sides, and hands all rows on, to a taker of each goroutine. Of keys, if any, it may
// do without the source's other rows.
func (c *comparison) look(ctx context.Context, keys []string, taking func(e *encoder, sink bool) taker) (l look, err error) {
	snap, err := c.src.Pin(ctx, []*schema.Table{c.table}, c.opts.Parallel)
	if err != nil {
		return l, fmt.Errorf("pin a point of %s: %w", c.table, err)
	}
	defer snap.Close()
	l.point = snap.Position()
	parts, err := c.parts(ctx, snap, keys)
	if err != nil {
		return l, err
	}
	l.sought = len(parts) > 0 && parts[0].keys != nil
	var source, sinks, sampled atomic.Int64
	todo := make(chan sourcePart, len(parts))
	for _, p := range parts {
		todo <- p
	}
	close(todo)
	g, gctx := errgroup.WithContext(ctx)
	c.prog.Begin()
	for range c.opts.Parallel {
		g.Go(func() error {
			e := c.encoder()
			defer func() { sampled.Add(e.sampled) }()
			rows := taking(e, false)
			for p := range todo {
				if err := c.read(gctx, snap, p, e, &source, rows); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if c.again {
		if err := g.Wait(); err != nil { // the later the sink is read the sooner it has come to the point
			return l, err
		}
		g, gctx = errgroup.WithContext(ctx)
	}
	g.Go(func() error {
		encoders, takers := make([]*encoder, c.opts.Parallel), make([]taker, c.opts.Parallel)
		deleted := -1
		if c.opts.Deleted != "" {
			deleted = c.table.Index(c.opts.Deleted)
		}
		var err error
		l.held, err = c.sink.Scan(gctx, c.table, c.opts.Parallel, func(n int, b arrow.RecordBatch) error {
			if encoders[n] == nil {
				encoders[n] = c.encoder()
				encoders[n].deleted = deleted
				takers[n] = taking(encoders[n], true)
			}
			sinks.Add(b.NumRows())
			return encoders[n].take(c.table, b, takers[n])
		})
		for _, e := range encoders {
			if e != nil {
				l.deleted += e.marked
			}
		}
		return c.sinkError(gctx, err)
	})
	err = g.Wait()
	l.source, l.sinks, l.sampled = source.Load(), sinks.Load()-l.deleted, sampled.Load()
	return l, err
}

// sinkError narrows what the sink's table could not be read for to it: a data file that is damaged
// says nothing of the others.
func (c *comparison) sinkError(ctx context.Context, err error) error {
	var te *schema.TableError
	if err == nil || ctx.Err() != nil || errors.Is(err, errTooMany) || errors.As(err, &te) || hint.IsTransient(err) {
		return err
	}
	return c.fails(err)
}

// encoder returns one for a goroutine.
func (c *comparison) encoder() *encoder {
	e := newEncoderOf(c.table, func(i int) bool {
		name := c.table.Columns[i].Name
		return slices.Contains(c.table.Key, i) || name != c.opts.Deleted && !slices.Contains(c.opts.Ignore, name)
	})
	e.sample = newSampler(c.table, c.opts.Sample, c.opts.Seed)
	return e
}

// take hashes the rows of a batch, or those of the sample, and hands them on.
func (e *encoder) take(t *schema.Table, b arrow.RecordBatch, rows taker) error {
	gone := e.marks(b)
	for _, is := range gone {
		if is {
			e.marked++
		}
	}
	if e.sample != nil {
		some, err := e.sample.pick(b)
		if err != nil {
			return err
		}
		defer some.Release()
		if e.sampled += some.NumRows(); some.NumRows() == 0 {
			return nil
		}
		b = some
		gone = e.marks(b)
	}
	e.hasher.gone = gone
	if err := e.hash(t, b); err != nil {
		return err
	}
	return rows(b)
}

// marks tells which rows of a batch are marked as deleted; nil if none is.
func (e *encoder) marks(b arrow.RecordBatch) (out []bool) {
	if e.deleted < 0 {
		return nil
	}
	marks, ok := b.Column(e.deleted).(*array.Boolean)
	for i := range int(b.NumRows()) {
		if !ok || marks.IsNull(i) || !marks.Value(i) {
			continue
		}
		if out == nil {
			out = make([]bool, b.NumRows())
		}
		out[i] = true
	}
	return out
}

// some hands on the encodings of those rows of a batch whose hash of the key is wanted, and whether
// they are marked as deleted.
func (e *encoder) some(t *schema.Table, b arrow.RecordBatch, wanted func(id uint64) bool, rows func(hash uint64, row, id []byte, gone bool) error) error {
	bound := false
	for i, id := range e.hasher.id {
		if !wanted(id) {
			continue
		}
		if !bound {
			if err := e.bind(t, b); err != nil {
				return err
			}
			bound = true
		}
		row, key := e.encode(i)
		if e.only != nil && !e.only[string(key)] {
			continue
		}
		if err := rows(id, row, key, e.hasher.gone != nil && e.hasher.gone[i]); err != nil {
			return err
		}
	}
	return nil
}

// steady is how many looks in a row have to find the same difference of a row, where the source goes
// on meanwhile: what differs because the sink is behind, or ahead of the source's point, differs in
// another way the next time.
const steady = 5

// A suspect is a key whose rows differ.
type suspect struct {
	pair
	looks   int // in a row that have found just this
	reached bool
}

// drill finds out which rows differ in some buckets, and looks at them until that is no matter of time.
func (c *comparison) drill(ctx context.Context, s *sums, differing map[uint64]bool) error {
	began := time.Now()
	c.prog.Busy("finding the rows that differ")
	suspects, wanted := map[string]*suspect(nil), func([]byte) bool { return true }
	near := func(id uint64) bool { return differing[s.bucket(id)] }
	var before look
	for n := 0; ; n++ {
		got := newCollection(c.opts.Memory, wanted)
		l, err := c.look(ctx, slices.Collect(maps.Keys(suspects)), func(e *encoder, sink bool) taker {
			return func(b arrow.RecordBatch) error {
				return e.some(c.table, b, near, func(hash uint64, row, id []byte, gone bool) error { return got.add(hash, row, id, sink, gone) })
			}
		})
		if errors.Is(err, errTooMany) {
			c.res.Many = int64(len(differing)) // which rows is not told
			return nil
		}
		if err != nil {
			return err
		}
		c.count(l, suspects, got.pairs)
		reached, told := c.reached(l)
		still := n > 0 && c.opts.Same != nil && c.opts.Same(before.point, l.point) && before.held == l.held
		suspects = next(suspects, got.pairs, reached)
		late := n > 0 && time.Since(began) >= c.opts.Wait
		done := true
		for _, x := range suspects {
			done = done && (still && reached && x.looks > 1 || x.reached && x.looks >= steady || late)
		}
		if done {
			c.res.Behind = told && !reached
			c.report(suspects, settled(still && reached, n))
			return nil
		}
		c.prog.Busy("looking again at " + progress.Plural(int64(len(suspects)), "differing row"))
		wanted = func(id []byte) bool { return suspects[string(id)] != nil }
		before = l
		if err := sleep(ctx, c.opts.Pause<<min(n/2, 4)); err != nil {
			return err
		}
	}
}

// count notes how many rows there are. A look that has sought some counts those alone: the others are
// as many as they were.
func (c *comparison) count(l look, was map[string]*suspect, now map[string]*pair) {
	c.res.Position, c.res.Deleted = l.held, l.deleted
	if !l.sought {
		c.res.SourceRows, c.res.SinkRows, c.res.Sampled = l.source, l.sinks, l.sampled
		return
	}
	for id, x := range was {
		p := now[id]
		if p == nil {
			p = &pair{}
		}
		c.res.SourceRows += int64(p.sources - x.sources)
		c.res.SinkRows += int64(p.sinks - x.sinks)
	}
}

// reached reports whether the sink had all that the source's point shows, if that can be told.
func (c *comparison) reached(l look) (reached, told bool) {
	if c.opts.Reached == nil {
		return false, false
	}
	reached, err := c.opts.Reached(l.held, l.point)
	return reached && err == nil, err == nil
}

// settled is how many looks have to agree on a row: two where nothing happens at the source, else all
// of them, or the last few.
func settled(still bool, n int) int {
	if still {
		return 2
	}
	return min(steady, n+1)
}

// next returns the keys that differ still, of those that did; of all at first.
func next(was map[string]*suspect, now map[string]*pair, reached bool) map[string]*suspect {
	out := map[string]*suspect{}
	for id, p := range now {
		if p.equal() {
			continue
		}
		x := &suspect{pair: *p, looks: 1, reached: reached}
		if o := was[id]; o != nil && o.sources == p.sources && o.sinks == p.sinks && o.gone == p.gone && bytes.Equal(o.source, p.source) && bytes.Equal(o.sink, p.sink) {
			x.looks, x.reached = o.looks+1, o.reached && reached
		}
		out[id] = x
	}
	return out
}

// report tells of what differs, and has differed in the last looks in the same way.
func (c *comparison) report(suspects map[string]*suspect, looks int) {
	e := c.encoder()
	columns := make([]schema.Column, len(e.columns))
	for i, n := range e.columns {
		columns[i] = c.table.Columns[n]
	}
	var ids []string
	for id := range suspects {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	c.res.hashes = map[uint64]bool{}
	for _, id := range ids {
		x := suspects[id]
		kind := Changed
		switch {
		case x.looks < looks: // it is written to all the time
			c.res.Unsettled++
			continue
		case x.sinks == 0 && x.gone == 0:
			kind = Missing
			c.res.Missing += int64(max(1, x.sources))
		case x.sources == 0:
			kind = Extra
			c.res.Extra += int64(x.sinks)
		case x.sinks != x.sources && x.sinks > 0:
			kind = Doubled
			c.res.Doubled += int64(max(x.sinks-x.sources, x.sources-x.sinks))
		default:
			c.res.Changed++
		}
		c.res.hashes[x.hash] = true
		if len(c.res.Rows) < c.opts.Most {
			d := difference(kind, columns, e.key, &x.pair)
			if kind == Changed && x.sinks == 0 {
				no, yes := "false", "true"
				d.Columns = append(d.Columns, Column{c.opts.Deleted, &no, &yes})
			}
			c.res.Rows = append(c.res.Rows, d)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
