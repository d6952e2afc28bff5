package parquet

import (
	"encoding/binary"
)

// frame appends src as a Zstandard frame of literals. It fails if no code can be
// made for it that is worth having.
func (h *huffman) frame(dst, src []byte) ([]byte, bool) {
	if len(src) < 1<<10 || uint64(len(src)) > 1<<32-1 {
		return dst, false
	}
	start := len(dst)
	dst = frameHeader(dst, len(src))
	built := false
	for at := 0; at < len(src); at += zstdBlock {
		b := src[at:min(at+zstdBlock, len(src))]
		last := at+zstdBlock >= len(src)
		if len(b) < 1<<10 { // streams of a tail this short may be empty, which is not allowed
			dst = rawBlock(dst, b, last)
			continue
		}
		if !built {
			// A part stands for the whole frame; what it misses, the block finds.
			h.count(src[at:min(at+2*zstdBlock/4, len(src))])
			if !h.build() {
				return dst[:start], false
			}
		}
		out, ok := h.block(dst, b, last, !built)
		if !ok { // a symbol without a code
			h.count(b)
			if !h.build() {
				return dst[:start], false
			}
			if out, ok = h.block(dst, b, last, true); !ok {
				return dst[:start], false
			}
		}
		if len(out)-len(dst) >= len(b) {
			// A raw block leaves the decoder's code as it was: if this block was
			// to bring one, the next has to.
			dst = rawBlock(dst, b, last)
			continue
		}
		built = true
		dst = out
	}
	return dst, true
}

// frameHeader starts a frame of one segment with its content's size in 4 bytes.
func frameHeader(dst []byte, size int) []byte {
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 2<<6|1<<5)
	return binary.LittleEndian.AppendUint32(dst, uint32(size))
}

func blockHeader(dst []byte, kind, size int, last bool) []byte {
	v := size<<3 | kind<<1
	if last {
		v |= 1
	}
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}

func rawBlock(dst, b []byte, last bool) []byte {
	return append(blockHeader(dst, 0, len(b), last), b...)
}

// storedFrame appends src as a frame of raw blocks.
func storedFrame(dst, src []byte) []byte {
	dst = frameHeader(dst, len(src))
	for {
		n := min(len(src), zstdBlock)
		dst = rawBlock(dst, src[:n], n == len(src))
		if src = src[n:]; len(src) == 0 {
			return dst
		}
	}
}

// block appends a compressed block: literals in four streams, no sequences.
// withTree tells whether it brings the code or goes on with that of the block
// before. It fails at a symbol that has none.
func (h *huffman) block(dst, b []byte, last, withTree bool) ([]byte, bool) {
	start := len(dst)
	dst = grow(dst, 3+5) // headers, filled in below
	if withTree {
		dst = append(dst, h.tree...)
	}
	jump := len(dst)
	dst = grow(dst, 6)
	quarter := (len(b) + 3) / 4
	for i := range 4 {
		part := b[min(i*quarter, len(b)):min((i+1)*quarter, len(b))]
		at := len(dst)
		var ok bool
		if dst, ok = h.stream(dst, part); !ok {
			return dst[:start], false
		}
		if i < 3 {
			binary.LittleEndian.PutUint16(dst[jump+2*i:], uint16(len(dst)-at))
		}
	}
	size := len(dst) - start - 8
	kind := uint64(3) // goes on with the code
	if withTree {
		kind = 2
	}
	head := kind | 3<<2 | uint64(len(b))<<4 | uint64(size)<<22
	dst = append(dst, 0) // no sequences
	blockHeader(dst[start:start], 2, len(dst)-start-3, last)
	for i := range 5 {
		dst[start+3+i] = byte(head >> (8 * i))
	}
	return dst, true
}

// stream appends the code of b, which decoders read from its end backwards.
func (h *huffman) stream(dst, b []byte) ([]byte, bool) {
	at := len(dst)
	dst = grow(dst, (len(b)*maxHuffBits+7)/8+16)
	out := dst[at:]
	var acc uint64
	var n uint
	p := 0
	var missing uint32 // becomes 1<<31 if a code is
	i := len(b)
	for ; i%6 != 0; i-- {
		c := h.code[b[i-1]]
		missing |= c - 1
		acc |= uint64(c>>5) << n
		n += uint(c & 31)
		binary.LittleEndian.PutUint64(out[p:], acc)
		p += int(n >> 3)
		acc >>= n &^ 7
		n &= 7
	}
	if h.maxLen <= 9 { // 6 symbols and 7 bits left over fit in 64
		for ; i > 0; i -= 6 {
			s := b[i-6 : i : i]
			c2 := h.pairs[uint16(s[4])|uint16(s[5])<<8]
			c1 := h.pairs[uint16(s[2])|uint16(s[3])<<8]
			c0 := h.pairs[uint16(s[0])|uint16(s[1])<<8]
			missing |= (c2 - 1) | (c1 - 1) | (c0 - 1)
			l2, l1 := uint(c2&31), uint(c1&31)
			v := uint64(c2>>5) | uint64(c1>>5)<<(l2&63) | uint64(c0>>5)<<((l2+l1)&63)
			acc |= v << (n & 63)
			n += l2 + l1 + uint(c0&31)
			binary.LittleEndian.PutUint64(out[p:], acc)
			p += int(n >> 3)
			acc >>= n & 56
			n &= 7
		}
	} else {
		for ; i > 0; i -= 2 {
			c := h.pairs[uint16(b[i-2])|uint16(b[i-1])<<8]
			missing |= c - 1
			acc |= uint64(c>>5) << (n & 63)
			n += uint(c & 31)
			binary.LittleEndian.PutUint64(out[p:], acc)
			p += int(n >> 3)
			acc >>= n & 56
			n &= 7
		}
	}
	// A set bit marks the end.
	out[p] = byte(acc | 1<<n)
	return dst[:at+p+1], missing>>31 == 0
}
