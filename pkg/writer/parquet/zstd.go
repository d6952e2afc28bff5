package parquet

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/huff0"
	"github.com/klauspost/compress/zstd"
)

// A zstdCodec compresses pages into standard Zstandard frames (RFC 8878). What
// costs a compressor most is the search for matches, and columns of random
// digits, hashes or compressed blobs have none: there it finds accidental
// matches of four or five bytes, which take more to write down than the bytes
// themselves. So a sample of each page is compressed both ways, and where
// matching gains nothing the frame holds literals only, entropy coded: the
// same size in a fraction of the time. Every decoder reads both.
type zstdCodec struct{ compress.Codec }

func init() {
	// arrow-go looks codecs up by number in a list of its own, so there is no
	// other way to hand it one.
	base, err := compress.GetCodec(compress.Codecs.Zstd)
	if err == nil {
		compress.RegisterCodec(compress.Codecs.Zstd, zstdCodec{base})
	}
}

// A pageEncoder holds what compressing a page needs to keep.
type pageEncoder struct {
	zstd    *zstd.Encoder
	huff    huff0.Scratch
	scratch []byte
}

var pageEncoders = sync.Pool{New: func() any {
	// Only invalid options make an error.
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true), zstd.WithWindowSize(1<<20),
		zstd.WithAllLitEntropyCompression(true))
	if err != nil {
		return nil
	}
	p := &pageEncoder{zstd: e}
	p.huff.Reuse = huff0.ReusePolicyNone // each block stands alone
	return p
}}

const (
	// maxBlock is the most that a block of a frame may hold.
	maxBlock = 128 << 10
	// sampleSize is what is tried of a page. A match farther back than that is
	// missed by the sample, so it must not be small.
	sampleSize = 32 << 10
	// minSampled is the size from which trying is cheaper than matching.
	minSampled = 4 * sampleSize
)

// Encode compresses src and returns the frame in dst's memory where it fits.
func (c zstdCodec) Encode(dst, src []byte) []byte {
	e, ok := pageEncoders.Get().(*pageEncoder)
	if !ok {
		return c.Codec.Encode(dst, src)
	}
	defer pageEncoders.Put(e)
	if len(src) >= minSampled && e.matchless(src) {
		return e.literals(dst[:0], src)
	}
	return e.zstd.EncodeAll(src, dst[:0])
}

// EncodeLevel compresses like Encode: there is one level.
func (c zstdCodec) EncodeLevel(dst, src []byte, _ int) []byte { return c.Encode(dst, src) }

// matchless reports whether a sample of src gets no smaller by matching than by
// entropy coding alone.
func (e *pageEncoder) matchless(src []byte) bool {
	at := (len(src) - sampleSize) / 2
	sample := src[at : at+sampleSize]
	e.scratch = e.literals(e.scratch[:0], sample)
	plain := len(e.scratch)
	e.scratch = e.zstd.EncodeAll(sample, e.scratch[:0])
	return plain <= len(e.scratch)+len(e.scratch)/64
}

// literals appends a frame that holds src as literals only.
func (e *pageEncoder) literals(dst, src []byte) []byte {
	// Magic number; then a descriptor that says: single segment, and the size of
	// the content in four bytes.
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(src)))
	for {
		n := min(len(src), maxBlock)
		dst = e.block(dst, src[:n], n == len(src))
		if src = src[n:]; len(src) == 0 {
			return dst
		}
	}
}

// Block types and literal section types of RFC 8878.
const (
	blockRaw, blockRLE, blockCompressed = 0, 1, 2
	literalsCompressed                  = 2
)

// block appends one block of at most maxBlock bytes.
func (e *pageEncoder) block(dst, src []byte, last bool) []byte {
	out, _, err := huff0.Compress4X(src, &e.huff)
	switch {
	case len(src) == 0:
		return blockHeader(dst, 0, blockRaw, last)
	case errors.Is(err, huff0.ErrUseRLE):
		return append(blockHeader(dst, len(src), blockRLE, last), src[0])
	case err != nil || len(out)+6 >= len(src): // incompressible, or too short to try
		return append(blockHeader(dst, len(src), blockRaw, last), src...)
	}
	dst = blockHeader(dst, 5+len(out)+1, blockCompressed, last)
	// The section's header: its type, four streams with 18 bits for each size, and
	// the two sizes.
	h := uint64(literalsCompressed) | 3<<2 | uint64(len(src))<<4 | uint64(len(out))<<22
	dst = append(dst, byte(h), byte(h>>8), byte(h>>16), byte(h>>24), byte(h>>32))
	dst = append(dst, out...)
	return append(dst, 0) // no sequences
}

func blockHeader(dst []byte, size, kind int, last bool) []byte {
	h := size<<3 | kind<<1
	if last {
		h |= 1
	}
	return append(dst, byte(h), byte(h>>8), byte(h>>16))
}
