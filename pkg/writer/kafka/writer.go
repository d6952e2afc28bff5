package kafka

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Writer sends the changes of one table.
type Writer struct {
	sink    *Sink
	session *session
	table   *schema.Table
	place   heldTable // where its messages go
	pos     batch.Position
	stock   *copying // nil: the table is followed
	over    bool     // the topic may have rows of it of which nothing is known
	tag     string
	tagged  string

	mu       sync.Mutex
	encoders []message.Encoder // that nobody uses
	left     leftOut           // since it was told last

	pending, written int64 // bytes of messages; guarded by the session's mu
}

// encode returns the messages of a batch. Batches of stock come several at a time.
func (w *Writer) encode(b *batch.Batch) ([]*kgo.Record, error) {
	w.mu.Lock()
	var e message.Encoder
	if n := len(w.encoders); n > 0 {
		e, w.encoders = w.encoders[n-1], w.encoders[:n-1]
	}
	w.mu.Unlock()
	if e == nil {
		var err error
		if e, err = w.encoder(); err != nil {
			return nil, err
		}
	}
	records, err := e.Encode(make([]message.Record, 0, b.Rows.NumRows()), b)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.encoders = append(w.encoders, e)
	out := make([]kgo.Record, len(records))
	all := make([]*kgo.Record, 0, len(records))
	limit := int(w.sink.limit(w.place.Topic))
	for i, r := range records {
		out[i] = kgo.Record{Topic: w.place.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		if size := len(r.Key) + len(r.Value) + recordOverhead; size > limit {
			ok, err := w.tooLarge(&out[i], size, limit)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		all = append(all, &out[i])
	}
	return all, nil
}

func (w *Writer) encoder() (message.Encoder, error) {
	o := w.sink.messages
	o.Limit = int(w.sink.limit(w.place.Topic)) - recordOverhead
	return message.NewEncoder(w.sink.format, w.table, partitions(w.place.Partitions), o)
}

// Position implements writer.Writer.
func (w *Writer) Position(context.Context) (batch.Position, error) { return w.pos, nil }

// Write implements writer.Writer.
func (w *Writer) Write(ctx context.Context, b *batch.Batch) error {
	if b.Rows == nil || b.Rows.NumRows() == 0 {
		return nil
	}
	records, err := w.encode(b)
	if err != nil {
		return err
	}
	if w.stock != nil {
		err = w.session.copyInto(ctx, w.stock, b, records)
	} else {
		err = w.session.produce(ctx, records...)
	}
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	for _, r := range records {
		w.pending += int64(len(r.Key) + len(r.Value))
	}
	return err
}

// Commit implements writer.Writer.
func (w *Writer) Commit(ctx context.Context, pos batch.Position) error {
	return w.sink.commit(ctx, []*Writer{w}, pos)
}

// commit ends the transaction. Of tables that are followed it holds what these writers
// have staged and nothing else: whoever commits one table has staged nothing of another.
func (s *Sink) commit(ctx context.Context, ws []*Writer, pos batch.Position) error {
	if err := ctx.Err(); err != nil || len(ws) == 0 {
		return err
	}
	n := ws[0].session
	next := make([]heldTable, len(ws))
	stock := false
	for i, w := range ws {
		if w.session != n {
			return errors.New("tables of different sessions cannot be committed together")
		}
		next[i] = w.place
		next[i].Position, next[i].Tag = pos, w.tag
		if w.stock != nil {
			stock = true
			if err := n.finish(ctx, w.stock, next[i]); err != nil {
				return err
			}
		}
	}
	if stock {
		open, err := n.gate.close(ctx, s.patience())
		if err != nil {
			return err
		}
		defer open()
	}
	if err := n.commit(ctx, ws, next); err != nil {
		return err
	}
	for _, w := range ws {
		w.pos, w.tagged, w.tag, w.stock = pos, w.tag, "", nil
		w.tellLeftOut()
	}
	return nil
}

// commit ends the transaction, unless another worker has, whose commit was of all tables.
func (n *session) commit(ctx context.Context, ws []*Writer, next []heldTable) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var records []*kgo.Record
	done := true
	for i, w := range ws {
		if w.stock != nil {
			done = done && !w.stock.dirty
			continue
		}
		r, err := n.sink.positionRecord(w.table.String(), next[i])
		if err != nil {
			return err
		}
		records, done = append(records, r), false
	}
	if !done {
		if err := n.send(ctx, records...); err != nil {
			return err
		}
		if err := n.endStock(ctx); err != nil {
			return err
		}
	}
	if n.err != nil {
		return n.err
	}
	for i, w := range ws {
		n.held[w.table.String()] = next[i]
		w.written, w.pending = w.written+w.pending, 0
	}
	return nil
}

// Written implements writer.Counter: there are no files, but bytes of messages.
func (w *Writer) Written() (files, bytes int64) {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	return 0, w.written
}

// Close implements writer.Writer. Changes that are staged and not committed can be taken
// back with those of all other tables only: the session ends. Stock stays where it is, and
// is noted as what nobody can go on with.
func (w *Writer) Close() error {
	if w.stock == nil {
		w.session.giveUp()
		return nil
	}
	n := w.session
	n.mu.Lock()
	defer n.mu.Unlock()
	c := w.stock
	c.broken = c.broken || len(c.inside) > 0
	n.leave(c)
	if !c.dirty && n.copies[c.table] == c {
		delete(n.copies, c.table)
	}
	return nil
}

// partitions are those of a topic: a key decides as it does for Java's producer.
func partitions(count int32) message.Partitions {
	of := kgo.StickyKeyPartitioner(nil).ForTopic("")
	return message.Partitions{Count: count, Of: func(key []byte) int32 {
		return int32(of.Partition(&kgo.Record{Key: key}, int(count)))
	}}
}
