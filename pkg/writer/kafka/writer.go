package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Writer sends the changes of one table.
type Writer struct {
	sink    *Sink
	session *session
	table   *schema.Table
	topic   string
	encoder message.Encoder
	pos     batch.Position
	records []message.Record // scratch
}

func newWriter(s *Sink, n *session, t *schema.Table, topic string) (*Writer, error) {
	e, err := message.NewEncoder(s.format, t, partitions(s.topics[topic]), s.messages)
	if err != nil {
		return nil, err
	}
	return &Writer{sink: s, session: n, table: t, topic: topic, encoder: e, pos: n.held[t.String()].Position}, nil
}

// Position implements writer.Writer.
func (w *Writer) Position(context.Context) (batch.Position, error) { return w.pos, nil }

// Write implements writer.Writer.
func (w *Writer) Write(ctx context.Context, b *batch.Batch) (err error) {
	if b.Rows == nil {
		return nil
	}
	if w.records, err = w.encoder.Encode(w.records[:0], b); err != nil {
		return err
	}
	out := make([]kgo.Record, len(w.records))
	all := make([]*kgo.Record, len(w.records))
	for i, r := range w.records {
		out[i] = kgo.Record{Topic: w.topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		all[i] = &out[i]
	}
	return w.session.produce(ctx, all...)
}

// Commit implements writer.Writer.
func (w *Writer) Commit(ctx context.Context, pos batch.Position) error {
	return w.sink.commit(ctx, []*Writer{w}, pos)
}

// commit ends the transaction, which holds what these writers have staged and nothing
// else: whoever commits one table has staged nothing of another.
func (s *Sink) commit(ctx context.Context, ws []*Writer, pos batch.Position) error {
	if len(ws) == 0 {
		return nil
	}
	n := ws[0].session
	records := make([]*kgo.Record, len(ws))
	for i, w := range ws {
		if w.session != n {
			return errors.New("tables of different sessions cannot be committed together")
		}
		var err error
		if records[i], err = s.positionRecord(w.table.String(), heldPosition{Position: pos, Topic: w.topic, Committed: s.now()}); err != nil {
			return err
		}
	}
	if err := n.produce(ctx, records...); err != nil {
		return err
	}
	if err := n.commit(ctx); err != nil {
		return err
	}
	for _, w := range ws {
		w.pos = pos
	}
	return nil
}

// Close implements writer.Writer. What is staged and not committed can be taken back
// with that of all other tables only: the session ends.
func (w *Writer) Close() error {
	w.session.giveUp()
	return nil
}

// partitions are those of a topic: a key decides as it does for Java's producer.
func partitions(count int32) message.Partitions {
	of := kgo.StickyKeyPartitioner(nil).ForTopic("")
	return message.Partitions{Count: count, Of: func(key []byte) int32 {
		return int32(of.Partition(&kgo.Record{Key: key}, int(count)))
	}}
}

// count reads a parameter that is a number; -1, which leaves it to the brokers, if it is
// not given.
func count(u *kafka.URL, name string) (int32, error) {
	text := u.Param(name)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("bad Kafka URL: %s=%s: want a number from 1 on", name, text)
	}
	return int32(n), nil
}
