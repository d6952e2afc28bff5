package verify

import "sync"

// Sums hold a table's rows, however many, in so much memory: each row is in the bucket of its key, as
// the 128 bits of its hash. Those of the source are added and those of the sink taken
// away, in whatever order, so that a bucket is zero in the end if it has the same rows in both.
type sums struct {
	buckets int64

	mu    sync.Mutex
	parts []*part
}

// A part is what one goroutine has added: buckets that several share would have each row wait for the
// others' processors.
type part struct {
	at   []bucketSum
	sums *sums
}

// A bucketSum is that of the halves of its rows' hashes.
type bucketSum struct{ lo, hi uint64 }

// So many buckets stay in a processor's cache, and there are few rows in each of them.
const (
	minBuckets = 1 << 10
	maxBuckets = 1 << 16
	rowsEach   = 64
)

// newSums returns sums for about so many rows.
func newSums(rows int64) *sums {
	n := int64(minBuckets)
	for n < maxBuckets && n*rowsEach < rows {
		n *= 2
	}
	return &sums{buckets: n}
}

// part returns one for a goroutine.
func (s *sums) part() *part {
	p := &part{at: make([]bucketSum, s.buckets), sums: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, p)
	return p
}

// bucket returns that of a row, by the hash of its key.
func (s *sums) bucket(id uint64) uint64 { return id & uint64(s.buckets-1) }

// add adds the rows of a batch that was hashed, or takes them away. Rows that are marked as deleted are
// none.
func (p *part) add(h *hasher, away bool) {
	for i, sum := range h.sum {
		if h.gone != nil && h.gone[i] {
			continue
		}
		b := &p.at[p.sums.bucket(h.id[i])]
		if away {
			b.lo -= sum.lo
			b.hi -= sum.hi
		} else {
			b.lo += sum.lo
			b.hi += sum.hi
		}
	}
}

// differing returns the buckets that are not zero.
func (s *sums) differing() map[uint64]bool {
	out := map[uint64]bool{}
	for b := range s.buckets {
		var sum bucketSum
		for _, p := range s.parts {
			sum.lo += p.at[b].lo
			sum.hi += p.at[b].hi
		}
		if sum != (bucketSum{}) {
			out[uint64(b)] = true
		}
	}
	return out
}
