package parquet

import (
	"encoding/binary"
	"math/bits"
)

// appendPacked appends values at width bits each, least significant bit first,
// and pads the last byte. len(values) is a multiple of 8 in every use but tails.
func appendPacked[T uint32 | uint64](dst []byte, values []T, width int) []byte {
	if width == 0 {
		return dst
	}
	need := (len(values)*width + 7) / 8
	at := len(dst)
	dst = grow(dst, need+8)
	var acc uint64
	n := 0
	for _, v := range values {
		acc |= uint64(v) << n
		if n += width; n >= 64 {
			binary.LittleEndian.PutUint64(dst[at:], acc)
			at += 8
			n -= 64
			acc = uint64(v) >> (width - n) // 0 where the shift is the whole width
		}
	}
	end := at + (n+7)/8
	binary.LittleEndian.PutUint64(dst[at:], acc)
	return dst[:end]
}

// grow lengthens b by n bytes of any content.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		c := make([]byte, len(b), max(2*cap(b), len(b)+n))
		copy(c, b)
		b = c
	}
	return b[:len(b)+n]
}

// DELTA_BINARY_PACKED: blocks of 128 deltas in 4 miniblocks of 32.
const (
	deltaBlock = 128
	deltaMinis = 4
	deltaMini  = deltaBlock / deltaMinis
)

// appendDelta appends values as DELTA_BINARY_PACKED. Differences wrap around at
// the width of the type, as the format has it.
func appendDelta[S int32 | int64](dst []byte, values []S) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	prev := values[0]
	dst = binary.AppendVarint(dst, int64(prev))
	var deltas [deltaBlock]S
	var packed [deltaMini]uint64
	for values = values[1:]; len(values) > 0; {
		n := min(len(values), deltaBlock)
		least := values[0] - prev
		for i, v := range values[:n] {
			d := v - prev
			deltas[i] = d
			least = min(least, d)
			prev = v
		}
		values = values[n:]
		dst = binary.AppendVarint(dst, int64(least))
		widths := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for m := 0; m*deltaMini < n; m++ {
			mini := deltas[m*deltaMini : min((m+1)*deltaMini, n)]
			var all uint64
			for i, d := range mini {
				u := unsigned(d - least)
				packed[i] = u
				all |= u
			}
			clear(packed[len(mini):])
			w := bits.Len64(all)
			dst[widths+m] = byte(w)
			dst = appendPacked(dst, packed[:], w)
		}
	}
	return dst
}

// unsigned returns the bits of v as a number of its own width.
func unsigned[S int32 | int64](v S) uint64 {
	if int64(S(1)<<31) > 0 { // 64 bits wide
		return uint64(v)
	}
	return uint64(uint32(v))
}

// appendHybrid appends values in the hybrid of runs and bit packing that levels
// and dictionary indices use.
func appendHybrid(dst []byte, values []uint32, width int) []byte {
	for len(values) > 0 {
		run := 1
		for run < len(values) && values[run] == values[0] {
			run++
		}
		if run >= 8 || run == len(values) {
			dst = appendRun(dst, run, values[0], width)
			values = values[run:]
			continue
		}
		// Packed groups of 8, up to where a run of 8 begins on such a border.
		n := 0
		for n < len(values) && !(n > 0 && equal8(values[n:])) {
			n += 8
		}
		if n > len(values) { // the last group is padded
			var tail [8]uint32
			full := len(values) &^ 7
			copy(tail[:], values[full:])
			dst = binary.AppendUvarint(dst, uint64(n/8)<<1|1)
			dst = appendPacked(dst, values[:full], width)
			return appendPacked(dst, tail[:], width)
		}
		dst = binary.AppendUvarint(dst, uint64(n/8)<<1|1)
		dst = appendPacked(dst, values[:n], width)
		values = values[n:]
	}
	return dst
}

func appendRun(dst []byte, n int, v uint32, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for range (width + 7) / 8 {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

func equal8(v []uint32) bool {
	if len(v) < 8 {
		return false
	}
	for _, x := range v[1:8] {
		if x != v[0] {
			return false
		}
	}
	return true
}

// A bitmap is a growing run of bits, least significant first, as both Arrow's
// validity and Parquet's packed levels have it.
type bitmap struct {
	b    []byte
	n    int
	ones int
}

func (m *bitmap) reset() { m.b, m.n, m.ones = m.b[:0], 0, 0 }

// appendSet appends n ones.
func (m *bitmap) appendSet(n int) {
	m.ones += n
	for ; n > 0 && m.n%8 != 0; n-- {
		m.b[m.n/8] |= 1 << (m.n % 8)
		m.n++
	}
	for ; n >= 8; n -= 8 {
		m.b = append(m.b, 0xff)
		m.n += 8
	}
	if n > 0 {
		m.b = append(m.b, 1<<n-1)
		m.n += n
	}
}

// appendBits appends n bits of src, from bit off on.
func (m *bitmap) appendBits(src []byte, off, n int) {
	for n > 0 {
		k := min(8-off%8, n)
		v := src[off/8] >> (off % 8) & (1<<k - 1)
		m.ones += bits.OnesCount8(v)
		if r := m.n % 8; r == 0 {
			m.b = append(m.b, v)
		} else {
			m.b[m.n/8] |= v << r
			if r+k > 8 {
				m.b = append(m.b, v>>(8-r))
			}
		}
		m.n += k
		off += k
		n -= k
	}
}

// appendLevels appends the bits as definition levels of width 1, in the form
// that data pages of version 1 want, with its length ahead.
func (m *bitmap) appendLevels(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if m.ones == m.n || m.ones == 0 {
		dst = appendRun(dst, m.n, uint32(min(m.ones, 1)), 1)
	} else {
		dst = binary.AppendUvarint(dst, uint64((m.n+7)/8)<<1|1)
		dst = append(dst, m.b...)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}
