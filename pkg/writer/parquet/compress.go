package parquet

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A Codec compresses pages.
type Codec int

// The codecs, by their numbers in Parquet.
const (
	None   Codec = 0
	Snappy Codec = 1
	Gzip   Codec = 2
	Zstd   Codec = 6
)

// ParseCodec reads a codec's name.
func ParseCodec(name string) (Codec, error) {
	switch name {
	case "zstd":
		return Zstd, nil
	case "snappy":
		return Snappy, nil
	case "gzip":
		return Gzip, nil
	case "none":
		return None, nil
	}
	return 0, fmt.Errorf("codec %q is not one of zstd, snappy, gzip, none", name)
}

// A way is how a column's pages are made into Zstandard frames. It is chosen by
// the first page of each row group.
type way int

const (
	undecided way = iota
	literals      // Huffman codes alone
	matches       // all that Zstandard has, at its fastest
	stored        // as they are
)

// sampleSize is how much of a page the choice looks at.
const sampleSize = 128 << 10

// A compressor holds what compressing needs: half a megabyte and more, so that
// there is one for each goroutine that writes and not for each column.
type compressor struct {
	huff huffman
	zstd *zstd.Encoder
	gzip *gzip.Writer
	out  []byte

	// Room to make a page's body in.
	body    []byte
	indices []uint32
}

// put gives the compressor back, without what one huge value has made it grow to.
func (c *compressor) put() {
	const keep = 4 << 20
	if cap(c.out) > keep {
		c.out = nil
	}
	if cap(c.body) > keep {
		c.body = nil
	}
	compressors.Put(c)
}

var compressors = sync.Pool{New: func() any { return new(compressor) }}

// page returns src compressed, in memory that the next call uses again.
func (c *compressor) page(codec Codec, w *way, src []byte) ([]byte, error) {
	switch codec {
	case None:
		return src, nil
	case Snappy:
		c.out = grow(c.out[:0], s2.MaxEncodedLen(len(src)))
		return s2.EncodeSnappy(c.out, src), nil
	case Gzip:
		var buf bytes.Buffer
		z := c.gzipTo(&buf)
		if _, err := z.Write(src); err != nil {
			return nil, err
		}
		err := z.Close()
		return buf.Bytes(), err
	}
	if *w == undecided {
		*w = c.choose(src)
		if *w == matches && len(src) <= sampleSize {
			return c.out, nil // made to compare with, and the better one
		}
	}
	c.out = c.out[:0]
	switch *w {
	case literals:
		var ok bool
		if c.out, ok = c.huff.frame(c.out, src); ok {
			return c.out, nil
		}
		fallthrough
	case matches:
		c.out = c.encoder().EncodeAll(src, c.out)
	default:
		c.out = storedFrame(c.out, src)
	}
	return c.out, nil
}

// choose compares what the ways make of a sample.
func (c *compressor) choose(src []byte) way {
	s := src[:min(len(src), sampleSize)]
	c.out = c.encoder().EncodeAll(s, c.out[:0])
	best, size := matches, len(c.out)
	c.huff.count(s)
	// Codes alone are several times as fast to make and to read, which is worth
	// a fiftieth of the size.
	if c.huff.build() {
		if n := c.huff.size(); n <= size+size/50 {
			best, size = literals, n
		}
	}
	if size > len(s)-len(s)/50 {
		return stored
	}
	return best
}

func (c *compressor) gzipTo(w io.Writer) *gzip.Writer {
	if c.gzip == nil {
		c.gzip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // a level that exists
	}
	c.gzip.Reset(w)
	return c.gzip
}

func (c *compressor) encoder() *zstd.Encoder {
	if c.zstd == nil {
		// These options exist, so there is no error.
		c.zstd, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	}
	return c.zstd
}
