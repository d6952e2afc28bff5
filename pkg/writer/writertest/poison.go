package writertest

import "github.com/apache/arrow-go/v18/arrow/memory"

// poison is an allocator that overwrites what is freed, as the program's own
// pool soon would with the next batch. A sink that still reads a batch after
// Write has returned then publishes rubbish and fails its test.
type poison struct{}

var _ memory.Allocator = poison{}

func (poison) Allocate(size int) []byte { return memory.DefaultAllocator.Allocate(size) }

func (p poison) Reallocate(size int, b []byte) []byte {
	out := p.Allocate(size)
	copy(out, b)
	p.Free(b)
	return out
}

func (poison) Free(b []byte) {
	if len(b) == 0 {
		return
	}
	b[0] = 0xdb
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
