package parquet

import (
	"encoding/binary"
	"slices"
)

// Digits, hex and the like have no repeats that a match finder could use: looking
// for them is nine tenths of what compressing costs, and the matches it finds by
// chance even make the result larger. For such pages this file writes Zstandard
// frames whose blocks hold literals alone, Huffman coded (RFC 8878, 3.1.1.3.1
// and 4.2). Every Zstandard decoder reads them.

const (
	maxHuffBits = 11
	zstdBlock   = 128 << 10 // the most that a block may decode to
)

// A huffman holds the code of one alphabet, and room to work in.
type huffman struct {
	hist    [256]uint32
	code    [256]uint32 // bits in the upper 27, their number in the lower 5
	present []byte      // symbols that have a code, rising
	maxLen  int
	// pairs holds the joint code of two neighbours, indexed by the two bytes as a
	// little-endian number; the first one's bits are the upper ones. 0 where a
	// symbol has none.
	pairs [1 << 16]uint32
	tree  []byte // description as blocks carry it
}

// count takes the histogram of b.
func (h *huffman) count(b []byte) {
	clear(h.hist[:])
	var other [256]uint32 // two counters: neighbours are often the same
	for len(b) >= 2 {
		h.hist[b[0]]++
		other[b[1]]++
		b = b[2:]
	}
	if len(b) > 0 {
		h.hist[b[0]]++
	}
	for i, n := range other {
		h.hist[i] += n
	}
}

// build makes the code for the histogram. It fails if there are too few symbols,
// or one too high for the plain form of the tree description.
func (h *huffman) build() bool {
	for _, a := range h.present {
		for _, b := range h.present {
			h.pairs[uint16(a)|uint16(b)<<8] = 0
		}
		h.code[a] = 0
	}
	h.present = h.present[:0]
	for s, n := range h.hist {
		if n > 0 {
			h.present = append(h.present, byte(s))
		}
	}
	if len(h.present) < 2 || h.present[len(h.present)-1] > 128 {
		return false
	}
	lens := h.lengths()
	h.assign(lens)
	h.describe(lens)
	for _, b := range h.present {
		cb := h.code[b]
		for _, a := range h.present {
			ca := h.code[a]
			h.pairs[uint16(a)|uint16(b)<<8] = (cb>>5|ca>>5<<(cb&31))<<5 | (ca&31 + cb&31)
		}
	}
	return true
}

// lengths returns the length of each present symbol's code, in h.present's order.
func (h *huffman) lengths() []int {
	n := len(h.present)
	order := make([]int, n) // of leaves, by count
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(h.hist[h.present[a]]) - int(h.hist[h.present[b]]) })
	weight := make([]uint64, 0, 2*n)
	for _, i := range order {
		weight = append(weight, uint64(h.hist[h.present[i]]))
	}
	// Two queues, of leaves and of inner nodes; both rise.
	parent := make([]int, 2*n)
	leaf, inner := 0, n
	least := func() int {
		if leaf < n && (inner >= len(weight) || weight[leaf] <= weight[inner]) {
			leaf++
			return leaf - 1
		}
		inner++
		return inner - 1
	}
	for len(weight) < 2*n-1 {
		a := least()
		b := least()
		parent[a], parent[b] = len(weight), len(weight)
		weight = append(weight, weight[a]+weight[b])
	}
	depth := make([]int, 2*n)
	for i := 2*n - 3; i >= 0; i-- {
		depth[i] = depth[parent[i]] + 1
	}
	limit(depth[:n])
	lens := make([]int, n)
	for k, i := range order {
		lens[i] = depth[k]
	}
	return lens
}

// limit shortens codes to maxHuffBits and keeps them complete. depth falls with
// its index: the rarest symbol comes first.
func limit(depth []int) {
	const full = 1 << maxHuffBits
	used := 0
	for i := range depth {
		depth[i] = min(depth[i], maxHuffBits)
		used += full >> depth[i]
	}
	// Too much is taken: lengthen the rarest that can be.
	for used > full {
		for i := range depth {
			if depth[i] < maxHuffBits {
				used -= full >> (depth[i] + 1)
				depth[i]++
				break
			}
		}
	}
	// Room is left: shorten the most frequent that fit.
	for i := len(depth) - 1; i >= 0 && used < full; i-- {
		for depth[i] > 1 && used+full>>depth[i] <= full {
			used += full >> depth[i]
			depth[i]--
		}
	}
}

// assign gives out codes as the format wants: longer ones first, symbols of one
// length in their order.
func (h *huffman) assign(lens []int) {
	h.maxLen = slices.Max(lens)
	var count, next [maxHuffBits + 2]uint32
	for _, l := range lens {
		count[l]++
	}
	var at uint32
	for l := h.maxLen; l > 0; l-- {
		next[l] = at
		at = (at + count[l]) >> 1
	}
	for i, s := range h.present {
		l := lens[i]
		h.code[s] = next[l]<<5 | uint32(l)
		next[l]++
	}
}

// describe writes the tree: a weight for each symbol but the last, 4 bits each.
func (h *huffman) describe(lens []int) {
	last := int(h.present[len(h.present)-1])
	h.tree = append(h.tree[:0], byte(127+last))
	h.tree = append(h.tree, make([]byte, (last+1)/2)...)
	for i, s := range h.present[:len(h.present)-1] {
		w := byte(h.maxLen + 1 - lens[i])
		if s%2 == 0 {
			w <<= 4
		}
		h.tree[1+s/2] |= w
	}
}

// size estimates what b, whose histogram was counted, takes with this code.
func (h *huffman) size() int {
	n := 0
	for s, c := range h.hist {
		n += int(c) * int(h.code[s]&31)
	}
	return n / 8
}

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
