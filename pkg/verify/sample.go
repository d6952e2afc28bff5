package verify

import (
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A sampler picks those rows that a comparison is about, by a hash of their keys: both sides pick the
// same ones. Rows that are not picked are hashed no further.
type sampler struct {
	table *schema.Table
	keys  *encoder // of the key's columns; of all where there is no key
	seed  uint64
	below uint64
	rows  []int
}

// newSampler returns one that picks about such a share of the rows, below 1; nil is all of them.
func newSampler(t *schema.Table, share float64, seed uint64) *sampler {
	if share <= 0 || share >= 1 {
		return nil
	}
	return &sampler{
		table: t, seed: seed, below: uint64(share * math.MaxUint64),
		keys: newEncoderOf(t, func(c int) bool { return len(t.Key) == 0 || slices.Contains(t.Key, c) }),
	}
}

// pick returns the rows of a batch that are picked, in a batch of their own.
func (s *sampler) pick(b arrow.RecordBatch) (arrow.RecordBatch, error) {
	if err := s.keys.hash(s.table, b); err != nil {
		return nil, err
	}
	s.rows = s.rows[:0]
	for i, id := range s.keys.hasher.id {
		if fold(fold(id^s.seed, ofHigh)^ofLow, ofKey) < s.below { // another one than that of buckets, and of other rows each time
			s.rows = append(s.rows, i)
		}
	}
	if len(s.rows) == 0 {
		return b.NewSlice(0, 0), nil
	}
	return pick(context.Background(), b, s.rows)
}
