package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A topicReport is what a topic holds.
type topicReport struct {
	Rows     int64 `json:"rows"` // 0 if nobody looked into the messages
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
}

// A topicPart is what a child is told that reads a topic.
type topicPart struct{ addr, topic, format string }

func (p topicPart) args(command string) []string {
	return []string{command, "-addr", p.addr, "-topic", p.topic, "-format", p.format}
}

func parseTopicPart(args []string) (p topicPart, err error) {
	flags := flag.NewFlagSet("bench part", flag.ContinueOnError)
	flags.StringVar(&p.addr, "addr", "", "")
	flags.StringVar(&p.topic, "topic", "", "")
	flags.StringVar(&p.format, "format", "", "")
	return p, flags.Parse(args)
}

// topicMain makes a topic.
func topicMain(ctx context.Context, args []string, _ io.Writer) error {
	p, err := parseTopicPart(args)
	if err != nil {
		return err
	}
	return broker{addr: p.addr}.makeTopic(ctx, p.topic)
}

// fetchMain is the limit of all that read topics: franz-go gets the messages, which are
// counted and not looked at.
func fetchMain(ctx context.Context, args []string, stdout io.Writer) error {
	p, err := parseTopicPart(args)
	if err != nil {
		return err
	}
	var r topicReport
	err = p.fetch(ctx, func(m *kgo.Record) error {
		r.Messages++
		r.Bytes += int64(len(m.Key) + len(m.Value))
		return nil
	})
	return errors.Join(err, json.NewEncoder(stdout).Encode(r))
}

// countMain counts the rows as well.
func countMain(ctx context.Context, args []string, stdout io.Writer) error {
	p, err := parseTopicPart(args)
	if err != nil {
		return err
	}
	var r topicReport
	c := &rowCounter{}
	d := message.NewArrowReader(c)
	err = p.fetch(ctx, func(m *kgo.Record) error {
		r.Messages++
		r.Bytes += int64(len(m.Key) + len(m.Value))
		if p.format != "arrow" { // a row each
			r.Rows++
			return nil
		}
		err := d.Decode(m.Key, m.Value)
		b := c.changes.Batch()
		r.Rows += b.Rows.NumRows()
		b.Release()
		return err
	})
	return errors.Join(err, json.NewEncoder(stdout).Encode(r))
}

// A rowCounter is a Target of one table.
type rowCounter struct{ changes *message.Changes }

func (c *rowCounter) Rows(t *schema.Table) (rows *message.Rows, err error) {
	if c.changes, err = message.NewChanges(t, memory.DefaultAllocator); err != nil {
		return nil, err
	}
	return message.NewRows(t, c.changes)
}

func (c *rowCounter) Emptied(string, string, message.Change) error {
	return errors.New("the table was emptied")
}

// fetch calls f with each message that is committed by now.
func (p topicPart) fetch(ctx context.Context, f func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(p.addr), kgo.ConsumeTopics(p.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	left, err := p.ends(ctx, kadm.NewClient(cl))
	if err != nil {
		return fmt.Errorf("ask for the end of %s: %w", p.topic, err)
	}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			m := it.Next()
			if m.Offset+1 >= left[m.Partition] { // the end of a transaction, most likely
				delete(left, m.Partition)
			}
			if m.Attrs.IsControl() {
				continue
			}
			if err := f(m); err != nil {
				return fmt.Errorf("offset %d of partition %d: %w", m.Offset, m.Partition, err)
			}
		}
	}
	return nil
}

// ends are the ends of the partitions that are not empty, once all transactions there
// have ended: of one that was committed brokers tell so a moment later.
func (p topicPart) ends(ctx context.Context, cl *kadm.Client) (map[int32]int64, error) {
	for {
		all, err := cl.ListEndOffsets(ctx, p.topic)
		if err := errors.Join(err, all.Error()); err != nil {
			return nil, err
		}
		committed, err := cl.ListCommittedOffsets(ctx, p.topic)
		if err := errors.Join(err, committed.Error()); err != nil {
			return nil, err
		}
		ends, open := map[int32]int64{}, false
		for n, o := range all[p.topic] {
			open = open || committed[p.topic][n].Offset < o.Offset
			if o.Offset > 0 {
				ends[n] = o.Offset
			}
		}
		if !open {
			return ends, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}
