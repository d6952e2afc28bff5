package parquet

import (
	"hash/crc32"
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

// join moves the content of another rope to the end of this one.
func (r *rope) join(other *rope) {
	r.size += other.size
	r.blocks = append(r.blocks, other.blocks...)
	other.blocks, other.size = nil, 0
}

func (r *rope) checksum() uint32 {
	var sum uint32
	for _, b := range r.blocks {
		sum = crc32.Update(sum, crc32.IEEETable, b)
	}
	return sum
}

// Write appends p, for compressors.
func (r *rope) Write(p []byte) (int, error) {
	r.append(p)
	return len(p), nil
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
