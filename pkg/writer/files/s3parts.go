package files

import (
	"errors"
	"io"
	"sync"
)

// s3Chunk is of what parts are made of: a small file takes little memory, and what a
// large one has taken serves others.
const s3Chunk = 256 << 10

var s3Chunks = sync.Pool{New: func() any { return new([s3Chunk]byte) }}

// An s3Part is a part of an upload in memory, and its body while it is sent.
type s3Part struct {
	chunks []*[s3Chunk]byte
	size   int64
	at     int64 // where reading is
}

// add takes as much of p as there is room for below a limit, and returns how much.
func (b *s3Part) add(p []byte, limit int64) int {
	p = p[:min(int64(len(p)), limit-b.size)]
	for rest := p; len(rest) > 0; {
		if b.size == int64(len(b.chunks))*s3Chunk {
			b.chunks = append(b.chunks, s3Chunks.Get().(*[s3Chunk]byte))
		}
		n := copy(b.chunks[b.size/s3Chunk][b.size%s3Chunk:], rest)
		b.size, rest = b.size+int64(n), rest[n:]
	}
	return len(p)
}

// free gives the memory back.
func (b *s3Part) free() {
	for _, c := range b.chunks {
		s3Chunks.Put(c)
	}
	*b = s3Part{}
}

// Read implements io.Reader.
func (b *s3Part) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	from := b.at % s3Chunk
	n := copy(p, b.chunks[b.at/s3Chunk][from:min(s3Chunk, from+b.size-b.at)])
	b.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker: the SDK reads a part to sign it, and again to send it.
func (b *s3Part) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	b.at = offset
	return offset, nil
}
