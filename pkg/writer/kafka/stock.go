package kafka

import (
	"context"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Stock goes into many transactions, since brokers end one that lasts (15 minutes at
// most, as they are configured), and since consumers of what is committed see nothing
// of a topic behind the beginning of one that is open. A transaction ends where no split
// is in the middle, and with it goes a note of the splits that are whole: the next run
// reads the others alone, so that each row is there once, wherever a run was killed.
//
// All workers write into the transaction of the one session, and wait for each other at
// its end (gate). A producer for each would save them that, but each would have to be
// fenced before the next run may trust the notes, those that it does not know of
// included; and splits that were kept in memory until they are whole have no bound.
//
// A part that is not whole in time does not hold the others up for ever. What it has
// sent becomes visible, with the word that the copy is open: if the run ends before
// the part does, the next one empties the table in the topic and begins again. So it is
// with tables that are read in one go, if they take long.

// A copying is the stock of one table on its way into its topic. The session's mu
// guards it.
type copying struct {
	table  string
	add    bool                          // to what is there: nothing is noted before it is whole
	next   heldTable                     // what is noted of it with the next commit
	inside map[int]*part                 // origins of which something was sent, and that are not whole
	empty  func() ([]*kgo.Record, error) // the messages that the topic is to get first; nil: none
	sent   bool                          // something was
	broken bool                          // a part will not become whole
	free   bool                          // it is open for all to see, and waits for nobody
	dirty  bool                          // the next commit has something of it
	whole  bool                          // next is the position
}

// A part counts what was sent of an origin.
type part struct{ rows, bytes int64 }

var _ writer.Keeper = (*Writer)(nil)

// How long a part that is not whole holds up the end of a transaction, and how old a
// transaction with stock gets, unless it takes a Sink's KeepEvery.
const (
	patience  = 10 * time.Second
	keepEvery = 30 * time.Second
)

// Kept tells what an earlier run has kept of the table.
func (w *Writer) Kept() writer.Kept {
	n := w.session
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.held[w.table.String()]
	if h.Position != "" || h.Open || h.Note == "" || n.copies[w.table.String()] != nil && n.copies[w.table.String()] != w.stock {
		return writer.Kept{}
	}
	return writer.Kept{Note: h.Note, Origins: h.Origins, Rows: h.Rows, Bytes: h.Bytes}
}

// Keep begins to keep stock, with what an earlier run has kept if the note is its own.
func (w *Writer) Keep(ctx context.Context, note string) error {
	kept := w.Kept()
	c, n := w.stock, w.session
	if c == nil || c.add {
		return nil
	}
	n.mu.Lock()
	c.next.Note = note
	if note != "" && note == kept.Note {
		c.next.Origins, c.next.Rows, c.next.Bytes, c.empty = slices.Clone(kept.Origins), kept.Rows, kept.Bytes, nil
	}
	if note != "" {
		n.mu.Unlock()
		return nil
	}
	// For good, or the next run would go on with it.
	n.leave(c)
	c.next.Origins, c.sent = nil, c.sent || n.held[c.table].begun()
	c.next.Rows, c.next.Bytes = 0, 0
	c.dirty = c.sent
	n.mu.Unlock()
	return n.commitStock(ctx, c)
}

// Whole notes that all rows of an origin have been written.
func (w *Writer) Whole(ctx context.Context, origin int) error {
	c, n := w.stock, w.session
	n.mu.Lock()
	if c == nil || c.next.Note == "" {
		n.mu.Unlock()
		return nil
	}
	if p := c.inside[origin]; p != nil {
		c.next.Rows += p.rows
		c.next.Bytes += p.bytes
		delete(c.inside, origin)
		if !c.free {
			n.gate.leave(1)
		}
	}
	c.next.Origins = append(c.next.Origins, origin)
	c.dirty = true
	late := !n.since.IsZero() && time.Since(n.since) >= n.sink.opts.KeepEvery
	n.mu.Unlock()
	if late {
		return n.commitStock(ctx, c)
	}
	return ctx.Err()
}

// copy begins to copy the table of a writer. What another has sent that was not
// committed yet cannot be told from what comes: the table is emptied first.
func (n *session) copy(w *Writer, mode writer.Mode) *copying {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := w.table.String()
	c := &copying{table: name, add: mode == writer.Append, next: w.place, inside: make(map[int]*part)}
	c.free = c.add
	held, before := n.held[name], n.copies[name]
	again := before != nil && before.dirty
	if again && !c.add || held.begun() || mode == writer.Replace && held.Position != "" || w.over {
		c.empty = w.emptied
	}
	if again { // and was sent, whatever comes of this copy
		c.sent, c.dirty = true, true
	}
	n.copies[name] = c
	return c
}

// emptied returns the messages that say that the table was emptied.
func (w *Writer) emptied() ([]*kgo.Record, error) {
	b, err := batch.NewBuilder(w.table, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	for i, c := range w.table.Columns {
		if text, ok := b.Columns[i].(*batch.Bytes); ok && c.Meta == schema.MetaOp {
			text.Append([]byte(schema.OpTruncate))
		} else {
			b.Columns[i].Null()
		}
	}
	b.EndRow(0)
	all := b.Batch()
	defer all.Release()
	return w.encode(all)
}

// emptyFirst has the table emptied that a copy begins anew. The caller holds n.mu.
func (n *session) emptyFirst(ctx context.Context, c *copying) error {
	if c.empty == nil {
		return nil
	}
	records, err := c.empty()
	if err != nil {
		return err
	}
	c.empty, c.sent, c.dirty = nil, true, true
	n.awaitDue()
	return n.send(ctx, records...)
}

// finish makes a copy whole, as of the position that h has, with the next commit.
func (n *session) finish(ctx context.Context, c *copying, h heldTable) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.copies[c.table] != c {
		return writer.ErrFenced // by a Writer of the same Sink
	}
	if err := n.emptyFirst(ctx, c); err != nil {
		return err
	}
	n.leave(c)
	c.next, c.whole, c.dirty = h, true, true
	return nil
}

// Tag notes what the next commit is of.
func (w *Writer) Tag(tag string) { w.tag = tag }

// Tagged returns what the table's last commit was of.
func (w *Writer) Tagged() string { return w.tagged }

// copyInto stages rows of stock, or of what has changed since an earlier run read it.
func (n *session) copyInto(ctx context.Context, c *copying, b *batch.Batch, records []*kgo.Record) error {
	n.mu.Lock()
	changes := slices.Contains(c.next.Origins, b.Origin)
	known, free := changes || c.inside[b.Origin] != nil, c.free
	n.mu.Unlock()
	if !known && !free { // batches of one origin come one after the other
		if err := n.gate.enter(ctx); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.copies[c.table] != c {
		return writer.ErrFenced
	}
	if !known {
		c.inside[b.Origin] = &part{}
		if c.free && !free {
			n.gate.leave(1)
		}
	}
	if err := n.emptyFirst(ctx, c); err != nil {
		return err
	}
	if p := c.inside[b.Origin]; p != nil {
		p.rows += b.Rows.NumRows()
		for _, r := range records {
			p.bytes += int64(len(r.Key) + len(r.Value))
		}
	}
	c.sent, c.dirty = true, true
	n.awaitDue()
	return n.send(ctx, records...)
}

// awaitDue sees to it that a transaction with stock ends in time, even while nothing
// comes. The caller holds n.mu.
func (n *session) awaitDue() {
	if !n.since.IsZero() {
		return
	}
	n.since = time.Now()
	n.dues.Add(1)
	n.due = time.AfterFunc(n.sink.opts.TransactionTimeout/2, func() {
		defer n.dues.Done()
		_ = n.commitStock(context.Background(), nil) // whoever comes next meets its error
	})
}

// calm forgets about the end. The caller holds n.mu.
func (n *session) calm() {
	if n.due != nil && n.due.Stop() {
		n.dues.Done()
	}
	n.due, n.since = nil, time.Time{}
}

// leave ends the parts of a copy, of which nothing comes any more. The caller holds n.mu.
func (n *session) leave(c *copying) {
	if !c.free {
		n.gate.leave(len(c.inside))
	}
	clear(c.inside)
}

// commitStock ends the transaction, at best where no part is in the middle. It has
// nothing to do if c, which may be nil, is committed already: by another worker, whose
// commit was of all tables.
func (n *session) commitStock(ctx context.Context, c *copying) error {
	open, err := n.gate.close(ctx, n.sink.patience())
	if err != nil {
		return err
	}
	defer open()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil || c != nil && !c.dirty {
		return n.err
	}
	return n.endStock(ctx)
}

// endStock commits the transaction with the notes of all copies that have a part in it.
// The caller holds n.mu.
func (n *session) endStock(ctx context.Context) error {
	var records []*kgo.Record
	var noted []*copying
	for _, c := range n.copies {
		if !c.dirty || c.add && !c.whole {
			continue
		}
		if !c.whole {
			c.next.Open = c.broken || len(c.inside) > 0 || c.next.Note == ""
		}
		slices.Sort(c.next.Origins)
		r, err := n.sink.positionRecord(c.table, c.next)
		if err != nil {
			return err
		}
		records, noted = append(records, r), append(noted, c)
	}
	if err := n.send(ctx, records...); err != nil {
		return err
	}
	n.calm()
	if err := n.end(ctx); err != nil {
		return err
	}
	for _, c := range noted {
		c.dirty = false
		h := c.next
		h.Origins = slices.Clone(h.Origins)
		n.held[c.table] = h
		switch {
		case c.whole:
			delete(n.copies, c.table)
		case c.next.Note == "" && !c.free:
			n.gate.leave(len(c.inside))
			c.free = true
		}
	}
	return nil
}
