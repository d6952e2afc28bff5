package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/kafka"
)

// Positions live in a topic of their own, compacted, of one partition: a record for each
// table of each job, keyed by both, in the transaction of the messages that it follows.

// A heldTable is the value of such a record.
type heldTable struct {
	Position batch.Position `json:"position,omitempty"` // "" while the table is being copied
	Topic    string         `json:"topic"`
	// TopicID tells the topic from one of the same name that was made later.
	TopicID string `json:"topic_id,omitempty"`
	// Partitions is how many the table's keys are spread over. It stays as it is when the
	// topic gets more: changes of a key would get out of order.
	Partitions int32     `json:"partitions,omitempty"`
	Committed  time.Time `json:"committed"`
	Tag        string    `json:"tag,omitempty"` // what the commit was of
	// Shape is the source's table as of the commit: schema.Table.Shape, "" if not known.
	Shape string `json:"shape,omitempty"`
	// Filter is schema.Table.Filter as of then.
	Filter string `json:"filter,omitempty"`

	// Note, Origins, Rows and Bytes are what a copy has got done.
	Note    string `json:"note,omitempty"`
	Origins []int  `json:"origins,omitempty"`
	Rows    int64  `json:"rows,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	// Open says that the topic has rows of a copy that cannot be gone on with.
	Open bool `json:"open,omitempty"`

	// Fence is in the record alone by which a run tells that it has read all before it.
	Fence string `json:"fence,omitempty"`
}

// begun reports whether the topic has a part of the table.
func (h heldTable) begun() bool { return h.Position == "" && (h.Open || len(h.Origins) > 0) }

// positionKey is the key of a table's record; "" stands for the fence.
func positionKey(job, table string) string { return job + "\x00" + table }

// positionRecord makes the record of a table.
func (s *Sink) positionRecord(table string, h heldTable) (*kgo.Record, error) {
	h.Committed = s.now()
	value, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: s.positions, Partition: 0, Key: []byte(positionKey(s.job, table)), Value: value}, nil
}

// readPositions returns what the job's tables hold, up to where done is told of an
// offset, and of a fence if its record has one. Those of other runs that come later are
// not committed any more.
func (s *Sink) readPositions(ctx context.Context, done func(offset int64, fence string) bool) (map[string]heldTable, error) {
	held := make(map[string]heldTable)
	return held, scanPositions(ctx, s.url, s.positions, func(offset int64, job, table string, h heldTable) bool {
		if job != s.job {
			return done(offset, "")
		}
		if table != "" {
			held[table] = h
		}
		return done(offset, h.Fence)
	})
}

// scanPositions hands on the records of a topic of positions, until done says that it is enough. job is
// "" of one that is not of a table.
func scanPositions(ctx context.Context, url *kafka.URL, topic string, done func(offset int64, job, table string, h heldTable) bool) error {
	opts, err := url.Options()
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return fmt.Errorf("read topic %s: %w", topic, e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			job, table, h, err := heldIn(r)
			if err != nil {
				return err
			}
			if done(r.Offset, job, table, h) {
				return nil
			}
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(fmt.Errorf("read topic %s", topic), err)
		}
	}
}

// heldIn reads a record; job is "" if it tells of none.
func heldIn(r *kgo.Record) (job, table string, h heldTable, err error) {
	if r.Attrs.IsControl() {
		return "", "", h, nil
	}
	job, table, ok := strings.Cut(string(r.Key), "\x00")
	if !ok || r.Value == nil {
		return "", "", h, nil
	}
	if err := json.Unmarshal(r.Value, &h); err != nil {
		return "", "", h, fmt.Errorf("topic %s, offset %d: %w", r.Topic, r.Offset, err)
	}
	return job, table, h, nil
}
