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
	opts, err := s.url.Options()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.positions: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	held := make(map[string]heldTable)
	for {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return nil, fmt.Errorf("read topic %s: %w", s.positions, e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			h, table, err := s.heldIn(r)
			if err != nil {
				return nil, err
			}
			if table != "" {
				held[table] = h
			}
			if done(r.Offset, h.Fence) {
				return held, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(fmt.Errorf("read topic %s", s.positions), err)
		}
	}
}

// heldIn reads a record; table is "" if it is none of the job's tables.
func (s *Sink) heldIn(r *kgo.Record) (h heldTable, table string, err error) {
	if r.Attrs.IsControl() {
		return h, "", nil
	}
	job, table, ok := strings.Cut(string(r.Key), "\x00")
	if !ok || job != s.job || r.Value == nil {
		return h, "", nil
	}
	if err := json.Unmarshal(r.Value, &h); err != nil {
		return h, "", fmt.Errorf("topic %s, offset %d: %w", s.positions, r.Offset, err)
	}
	return h, table, nil
}
