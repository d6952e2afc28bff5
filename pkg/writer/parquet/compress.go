package parquet

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A Codec compresses pages: its number in Parquet and, above that, its level if
// it has been given one.
type Codec int

// The codecs, by their numbers in Parquet. Lz4 is LZ4_RAW, and not the older one
// that is framed as Hadoop did.
const (
	None   Codec = 0
	Snappy Codec = 1
	Gzip   Codec = 2
	Zstd   Codec = 6
	Lz4    Codec = 7
)

const levelShift = 8

// number is the codec as Parquet knows it.
func (c Codec) number() Codec { return c & (1<<levelShift - 1) }

// level is that of Zstandard, 0 if none was given.
func (c Codec) level() int { return int(c >> levelShift) }

// String returns the name that ParseCodec reads.
func (c Codec) String() string {
	if c.level() > 0 {
		return fmt.Sprintf("zstd:%d", c.level())
	}
	switch c {
	case None:
		return "none"
	case Snappy:
		return "snappy"
	case Gzip:
		return "gzip"
	case Lz4:
		return "lz4"
	}
	return "zstd"
}

// MaxZstdLevel is the highest level that there is.
const MaxZstdLevel = 22

// ParseCodec reads a codec's name: zstd, zstd:LEVEL, snappy, gzip, lz4 or none.
func ParseCodec(name string) (Codec, error) {
	kind, level, leveled := strings.Cut(name, ":")
	n, err := strconv.Atoi(level)
	switch {
	case leveled && kind == "zstd" && (err != nil || n < 1 || n > MaxZstdLevel):
		return 0, fmt.Errorf("codec %q: Zstandard's levels are 1 to %d", name, MaxZstdLevel)
	case kind == "zstd":
		return Zstd | Codec(n)<<levelShift, nil
	}
	switch name {
	case "snappy":
		return Snappy, nil
	case "gzip":
		return Gzip, nil
	case "lz4":
		return Lz4, nil
	case "none":
		return None, nil
	}
	return 0, fmt.Errorf("codec %q is not one of zstd, zstd:LEVEL, snappy, gzip, lz4, none", name)
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
	zstd *zstd.Encoder // of level
	gzip *gzip.Writer
	lz4  lz4.Compressor
	out  []byte

	level int

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
	switch codec.number() {
	case None:
		return src, nil
	case Lz4:
		c.out = grow(c.out[:0], lz4.CompressBlockBound(len(src)))
		n, err := c.lz4.CompressBlock(src, c.out)
		return c.out[:n], err
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
		*w = c.choose(src, codec.level())
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
		c.out = c.encoder(codec.level()).EncodeAll(src, c.out)
	default:
		c.out = storedFrame(c.out, src)
	}
	return c.out, nil
}

// choose compares what the ways make of a sample.
func (c *compressor) choose(src []byte, level int) way {
	s := src[:min(len(src), sampleSize)]
	c.out = c.encoder(level).EncodeAll(s, c.out[:0])
	best, size := matches, len(c.out)
	c.huff.count(s)
	// Codes alone are several times as fast to make and to read, which is worth
	// a fiftieth of the size, unless a level says that it is not.
	worth := size / 50
	if level > 1 {
		worth = 0
	}
	if c.huff.build() {
		if n := c.huff.size(); n <= size+worth {
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

func (c *compressor) encoder(level int) *zstd.Encoder {
	if c.zstd == nil || c.level != level {
		speed := zstd.SpeedFastest
		if level > 0 {
			speed = zstd.EncoderLevelFromZstd(level)
		}
		// These options exist, so there is no error.
		c.zstd, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		c.level = level
	}
	return c.zstd
}
