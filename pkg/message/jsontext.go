package message

import (
	"unicode/utf8"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// appendLatin1 appends bytes as a JSON string of as many letters, each of which has
// the byte for its code point: Canal writes binary columns so.
func appendLatin1(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, c := range b {
		switch {
		case c >= utf8.RuneSelf:
			dst = utf8.AppendRune(dst, rune(c))
		case literal.Plain(c):
			dst = append(dst, c)
		default:
			dst = literal.AppendEscaped(dst, c)
		}
	}
	return append(dst, '"')
}
