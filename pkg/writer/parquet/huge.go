package parquet

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

// hugeValue is the size of a value that gets a page of its own. Such a value is
// never copied whole: it goes from Arrow's memory through the compressor into
// the chunk, piece by piece.
const hugeValue = 4 << 20

// firstHuge returns the index of the first huge value among n, or n.
func firstHuge(offsets []int32, n int) int {
	if int(offsets[n]-offsets[0]) < hugeValue {
		return n
	}
	for i := range n {
		if int(offsets[i+1]-offsets[i]) >= hugeValue {
			return i
		}
	}
	return n
}

// endHuge writes c.huge as a page. The page at work was ended before.
func (c *column) endHuge(z *compressor) error {
	v := c.huge
	c.huge = nil
	z.body = z.body[:0]
	if c.Nullable {
		c.def.appendSet(1)
		z.body = c.def.appendLevels(z.body)
		c.def.reset()
	}
	z.body = binary.LittleEndian.AppendUint32(z.body, uint32(len(v)))
	packed := rope{block: largeBlock}
	if err := z.stream(c.codec, &packed, z.body, v); err != nil {
		return err
	}
	err := c.writeHeader(&c.data, len(z.body)+len(v), int(packed.size), packed.checksum(), 1, encPlain, false)
	c.data.join(&packed)
	c.strings.add(v)
	c.values++
	c.nonNull++
	c.pages[1]++
	if c.mode == unset {
		c.mode = direct
	}
	return err
}

// stream appends head and v, compressed as one, to r.
func (c *compressor) stream(codec Codec, r *rope, head, v []byte) error {
	switch codec.number() {
	case None:
		r.append(head)
		r.append(v)
		return nil
	case Lz4:
		// One block, whose end must be known from the beginning: it is all literals.
		r.append(lz4Literals(len(head) + len(v)))
		r.append(head)
		r.append(v)
		return nil
	case Snappy:
		// A block is the whole's length and then elements that look back no
		// further than their own piece, so pieces can be encoded apart.
		r.append(binary.AppendUvarint(nil, uint64(len(head)+len(v))))
		for part := head; ; part, v = v[:min(len(v), 1<<20)], v[min(len(v), 1<<20):] {
			c.out = grow(c.out[:0], s2.MaxEncodedLen(len(part)))
			block := s2.EncodeSnappy(c.out, part)
			_, n := binary.Uvarint(block)
			r.append(block[n:])
			if len(v) == 0 {
				return nil
			}
		}
	case Gzip:
		z := c.gzipTo(r)
		if _, err := z.Write(head); err != nil {
			return err
		}
		if _, err := z.Write(v); err != nil {
			return err
		}
		return z.Close()
	}
	if c.choose(v, codec.level()) == stored {
		c.out = frameHeader(c.out[:0], len(head)+len(v))
		c.out = rawBlock(c.out, head, false)
		r.append(c.out)
		for len(v) > 0 {
			n := min(len(v), zstdBlock)
			r.append(blockHeader(c.out[:0], 0, n, n == len(v)))
			r.append(v[:n])
			v = v[n:]
		}
		return nil
	}
	e := c.encoder(codec.level())
	e.ResetContentSize(r, int64(len(head)+len(v)))
	if _, err := e.Write(head); err != nil {
		return err
	}
	if _, err := e.Write(v); err != nil {
		return err
	}
	return e.Close()
}

// lz4Literals begins a block that holds n bytes as they are, and nothing else.
func lz4Literals(n int) []byte {
	if n < 15 {
		return []byte{byte(n << 4)}
	}
	b := []byte{15 << 4}
	for n -= 15; n >= 255; n -= 255 {
		b = append(b, 255)
	}
	return append(b, byte(n))
}
