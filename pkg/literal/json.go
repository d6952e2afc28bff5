// Package literal writes values as text and reads them back, without an allocation a value.
package literal

import "math/bits"

const hexDigits = "0123456789abcdef"

var plain = func() (p [256]bool) {
	for c := 0x20; c < 256; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()

// Special returns the place of the first byte from i on that does not stand for itself, or
// where s ends. It looks at eight bytes at a time.
func Special[T string | []byte](s T, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		// The high bit of a byte gets set where it is less than a space, or where it is a
		// quote or a backslash, so that it is 0 in q or b: no byte before the first of these
		// borrows from the one behind it.
		q, b := v^each*'"', v^each*'\\'
		if m := ((v-each*' ')&^v | (q-each)&^q | (b-each)&^b) & high; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(s) && plain[s[i]]; i++ {
	}
	return i
}

// AppendJSON appends s, which is UTF-8, as a JSON string.
func AppendJSON[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := 0; ; i++ {
		start := i
		i = Special(s, i)
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			return append(dst, '"')
		}
		dst = AppendEscaped(dst, s[i])
	}
}

// AppendEscaped appends a byte that does not stand for itself within a JSON string.
func AppendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// Plain reports whether a byte stands for itself within a JSON string.
func Plain(c byte) bool { return plain[c] }
