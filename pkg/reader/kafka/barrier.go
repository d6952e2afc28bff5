package kafka

import (
	"bytes"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A barrier is where the partitions of a topic meet: that a table was emptied is told in
// each of them, and is about rows that came before it in all. A partition that has come
// there waits until all have.
type barrier struct {
	table   *table
	change  message.Change
	waiting map[part]bool
	// limit is how far the partitions reached when the first came there. The message is
	// in one transaction with those in the others: a partition that gets so far without it
	// has begun behind it.
	limit offsets
}

// siblings is how many of the share's partitions are of a topic.
func (l *log) siblings(topic string) int {
	n := 0
	for p := range l.parts {
		if p.topic == topic {
			n++
		}
	}
	return n
}

// wait has the partition of the message at hand wait.
func (l *log) wait(t *table, c message.Change) error {
	name := l.cur.topic + "/" + t.name
	b := l.barriers[name]
	if b == nil {
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		defer cancel()
		limit, err := l.share.feed.committed(ctx, []string{l.cur.topic})
		if err != nil {
			return err
		}
		for p := range limit {
			if !l.share.own(p) {
				err := fmt.Errorf("it is emptied, which takes all partitions of topic %s, and this process has %d of %d", p.topic, l.siblings(p.topic), len(limit))
				return &schema.TableError{Table: t.name, Err: err}
			}
		}
		c.GTID, c.Pos = bytes.Clone(c.GTID), bytes.Clone(c.Pos)
		b = &barrier{table: t, change: c, waiting: map[part]bool{}, limit: limit}
		l.barriers[name] = b
	}
	b.waiting[l.cur.part] = true
	l.stopped = true
	return nil
}

// settle opens the barriers that all partitions have come to.
func (l *log) settle(ctx context.Context) error {
	for name, b := range l.barriers {
		all := true
		for p, limit := range b.limit {
			pr := l.parts[p]
			all = all && (b.waiting[p] || pr.done || pr.next >= limit)
		}
		if !all {
			continue
		}
		delete(l.barriers, name)
		if err := l.empty(b.table, b.change); err != nil {
			return err
		}
		// All are behind it before anything else comes: a position in between would have
		// the table emptied again by the next run.
		behind := make(map[*progress][]*kgo.Record, len(b.waiting))
		for p := range b.waiting {
			pr := l.parts[p]
			behind[pr] = pr.pending[1:]
			pr.next, pr.pending = pr.pending[0].Offset+1, nil
		}
		for pr, records := range behind {
			if err := l.goOn(ctx, pr, records); err != nil {
				return err
			}
		}
	}
	return nil
}

// goOn takes what has come to a partition behind the message that it has waited at.
func (l *log) goOn(ctx context.Context, pr *progress, records []*kgo.Record) error {
	if pr.end >= 0 && pr.next >= pr.end {
		l.ended(pr)
		return nil
	}
	l.cl.ResumeFetchPartitions(map[string][]int32{pr.topic: {pr.partition}})
	return l.takeAll(ctx, pr, records)
}
