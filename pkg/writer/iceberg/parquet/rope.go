package parquet

import (
	"io"
	"sync"
)

// A rope is a byte string that grows without being copied: a column chunk lies
// in one until its row group is written. Its blocks are used again.
type rope struct {
	blocks [][]byte
	size   int64
	block  int // capacity of a new block
}

// Blocks come in two sizes: large for throughput, small for tables so wide that
// a large one for each column would not fit in memory.
const (
	largeBlock = 256 << 10
	smallBlock = 16 << 10
)

var largeBlocks, smallBlocks sync.Pool

func (r *rope) take() []byte {
	pool := &largeBlocks
	if r.block == smallBlock {
		pool = &smallBlocks
	}
	if b, ok := pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, r.block)
}

func (r *rope) append(p []byte) {
	r.size += int64(len(p))
	for len(p) > 0 {
		n := len(r.blocks)
		if n == 0 || len(r.blocks[n-1]) == cap(r.blocks[n-1]) {
			r.blocks = append(r.blocks, r.take())
			n++
		}
		b := r.blocks[n-1]
		k := min(len(p), cap(b)-len(b))
		r.blocks[n-1] = append(b, p[:k]...)
		p = p[k:]
	}
}

// adopt appends p without copying it; p is the rope's from now on.
func (r *rope) adopt(p []byte) {
	r.size += int64(len(p))
	r.blocks = append(r.blocks, p[:len(p):len(p)])
}

func (r *rope) writeTo(w io.Writer) error {
	for _, b := range r.blocks {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// release empties the rope and gives its blocks away.
func (r *rope) release() {
	for i, b := range r.blocks {
		switch cap(b) {
		case largeBlock:
			largeBlocks.Put(&b)
		case smallBlock:
			smallBlocks.Put(&b)
		}
		r.blocks[i] = nil
	}
	r.blocks, r.size = r.blocks[:0], 0
}
