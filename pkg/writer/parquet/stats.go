package parquet

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// maxBound is the most bytes of a value that statistics keep; a longer one is
// cut, and marked as not exact.
const maxBound = 64

// bounds are the least and the greatest value of a column chunk, in Parquet's
// plain encoding. max is nil if no string of maxBound bytes is greater than all
// values.
type bounds struct {
	min, max           []byte
	minExact, maxExact bool
}

// A stringRange follows the least and the greatest of many byte strings.
type stringRange struct {
	min, max       []byte // cut after maxBound+1 bytes
	minPre, maxPre uint64 // their first bytes, as a number that orders alike
	any            bool
	whole          bool // nothing is cut
}

// limit is the most bytes of a bound.
func (r *stringRange) limit() int {
	if r.whole {
		return math.MaxInt32
	}
	return maxBound
}

func (r *stringRange) reset() { r.min, r.max, r.any = r.min[:0], r.max[:0], false }

// prefix returns the first 8 bytes, padded with zeros, as a number.
func prefix(v []byte) uint64 {
	if len(v) >= 8 {
		return binary.BigEndian.Uint64(v)
	}
	var b [8]byte
	copy(b[:], v)
	return binary.BigEndian.Uint64(b[:])
}

func (r *stringRange) add(v []byte) {
	p := prefix(v)
	if p > r.minPre && p < r.maxPre && r.any {
		return
	}
	v = v[:min(len(v), r.limit()+1)]
	if !r.any || bytes.Compare(v, r.min) < 0 {
		r.min, r.minPre = append(r.min[:0], v...), p
	}
	if !r.any || bytes.Compare(v, r.max) > 0 {
		r.max, r.maxPre = append(r.max[:0], v...), p
	}
	r.any = true
}

// bounds cuts what is too long so that it stays a bound: the lower one by
// leaving the rest off, the upper one by raising its last character too.
func (r *stringRange) bounds(text bool) (b bounds, ok bool) {
	if !r.any {
		return b, false
	}
	b = bounds{min: append([]byte{}, r.min...), max: append([]byte{}, r.max...), minExact: true, maxExact: true}
	if len(b.min) > r.limit() {
		b.min, b.minExact = cut(b.min, text), false
	}
	if len(b.max) > r.limit() {
		b.max, b.maxExact = raise(cut(b.max, text), text), false
	}
	return b, true
}

// cut shortens v to maxBound bytes, or fewer so that no character is torn.
func cut(v []byte, text bool) []byte {
	n := maxBound
	for text && n > maxBound-utf8.UTFMax && !utf8.RuneStart(v[n]) {
		n--
	}
	return v[:n]
}

// raise returns the least string greater than all that begin with v, or nil if
// there is none.
func raise(v []byte, text bool) []byte {
	for len(v) > 0 {
		if !text {
			if last := &v[len(v)-1]; *last < 0xff {
				*last++
				return v
			}
			v = v[:len(v)-1]
			continue
		}
		c, n := utf8.DecodeLastRune(v)
		v = v[:len(v)-n]
		if c == utf8.RuneError && n == 1 {
			continue // no character
		}
		if c++; 0xd800 <= c && c < 0xe000 {
			c = 0xe000 // the surrogates are no characters
		}
		if c <= utf8.MaxRune {
			return utf8.AppendRune(v, c)
		}
	}
	return nil
}

func int32Bytes(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
func int64Bytes(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

// floatBounds follows the format: NaN is no bound, and zero has both signs.
func floatBounds(lo, hi float64) (float64, float64) {
	if lo == 0 {
		lo = math.Copysign(0, -1)
	}
	if hi == 0 {
		hi = 0
	}
	return lo, hi
}
