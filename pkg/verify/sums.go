package verify

import (
	"sync/atomic"

	"github.com/zeebo/xxh3"
)

// Sums hold a table's rows, however many, in so much memory: each row is in the bucket of its key, as
// the 128 bits of XXH3 of its encoding. Those of the source are added and those of the sink taken
// away, in whatever order, so that a bucket is zero in the end if it has the same rows in both.
type sums struct {
	lo, hi []atomic.Uint64
	mask   uint64
}

const (
	minBuckets = 1 << 10
	maxBuckets = 1 << 20 // 16 MiB
)

// newSums returns sums for about so many rows: a changed row is to have few others in its bucket.
func newSums(rows int64) *sums {
	n := int64(minBuckets)
	for n < maxBuckets && n < rows {
		n *= 2
	}
	return &sums{lo: make([]atomic.Uint64, n), hi: make([]atomic.Uint64, n), mask: uint64(n - 1)}
}

// bucket returns that of a row, by what tells it apart from others.
func (s *sums) bucket(id []byte) uint64 { return xxh3.Hash(id) & s.mask }

// add adds a row, or takes it away.
func (s *sums) add(row, id []byte, away bool) {
	b, h := s.bucket(id), xxh3.Hash128(row)
	if away {
		h.Lo, h.Hi = -h.Lo, -h.Hi
	}
	s.lo[b].Add(h.Lo)
	s.hi[b].Add(h.Hi)
}

// differing returns the buckets that are not zero.
func (s *sums) differing() map[uint64]bool {
	out := map[uint64]bool{}
	for b := range s.lo {
		if s.lo[b].Load() != 0 || s.hi[b].Load() != 0 {
			out[uint64(b)] = true
		}
	}
	return out
}
