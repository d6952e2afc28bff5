package batch

import (
	"math/bits"
	"sync"
)

// A Pool is an arrow memory.Allocator that keeps what is freed for the next
// batch. Batches of one table are all alike, so nearly every buffer fits again,
// and neither the collector nor the zeroing of fresh memory is paid per batch.
//
// Memory from a Pool is not zeroed, unlike that of Arrow's own allocators: only
// the builders of this package, which overwrite all they publish, may use it.
type Pool struct {
	mu   sync.Mutex
	free [48][][]byte // by log2 of the capacity
	kept int64
	// Limit is how many free bytes are kept at most. The zero Pool keeps none.
	Limit int64
}

// minClass is the log2 of the smallest buffer: smaller ones are not worth a class.
const minClass = 12

func class(size int) int { return max(minClass, bits.Len(uint(max(size, 1)-1))) }

// Allocate returns size bytes of any content.
func (p *Pool) Allocate(size int) []byte {
	c := class(size)
	p.mu.Lock()
	if n := len(p.free[c]); n > 0 {
		b := p.free[c][n-1]
		p.free[c] = p.free[c][:n-1]
		p.kept -= int64(cap(b))
		p.mu.Unlock()
		return b[:size]
	}
	p.mu.Unlock()
	return make([]byte, size, 1<<c)
}

// Reallocate returns size bytes that begin with the content of b, and frees b.
func (p *Pool) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	n := p.Allocate(size)
	copy(n, b)
	p.Free(b)
	return n
}

// Free takes b back.
func (p *Pool) Free(b []byte) {
	c := class(cap(b))
	if cap(b) != 1<<c {
		return // not ours
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept+int64(cap(b)) > p.Limit {
		return
	}
	p.kept += int64(cap(b))
	p.free[c] = append(p.free[c], b)
}
