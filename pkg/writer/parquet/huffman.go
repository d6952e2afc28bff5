package parquet

import (
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
