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

// A heldPosition is the value of such a record.
type heldPosition struct {
	Position  batch.Position `json:"position"`
	Topic     string         `json:"topic"`
	Committed time.Time      `json:"committed"`
	// Fence is in the record alone by which a run tells that it has read all before it.
	Fence string `json:"fence,omitempty"`
}

// positionKey is the key of a table's record; "" stands for the fence.
func positionKey(job, table string) string { return job + "\x00" + table }

// positionRecord makes the record of a table.
func (s *Sink) positionRecord(table string, h heldPosition) (*kgo.Record, error) {
	value, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: s.positions, Partition: 0, Key: []byte(positionKey(s.job, table)), Value: value}, nil
}

// readPositions returns what the job's tables hold, once a record with fence was met:
// those of other runs that come later are not committed any more.
func (s *Sink) readPositions(ctx context.Context, fence string) (map[string]heldPosition, error) {
	opts, err := s.url.Options()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.positions: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	held := make(map[string]heldPosition)
	for {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return nil, fmt.Errorf("read topic %s: %w", s.positions, e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			job, table, ok := strings.Cut(string(r.Key), "\x00")
			if !ok || job != s.job {
				continue
			}
			var h heldPosition
			if err := json.Unmarshal(r.Value, &h); err != nil {
				return nil, fmt.Errorf("topic %s, offset %d: %w", s.positions, r.Offset, err)
			}
			switch {
			case table != "":
				held[table] = h
			case h.Fence == fence:
				return held, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(fmt.Errorf("read topic %s", s.positions), err)
		}
	}
}
