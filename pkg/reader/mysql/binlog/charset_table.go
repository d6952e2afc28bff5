package binlog

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

func in(b, low, high byte) bool { return b >= low && b <= high }

// charLengths holds, for each charset of several bytes a character, how long the
// character is that a text begins with; 0 if it begins with none.
var charLengths = map[string]func(v []byte) int{
	"big5":   pairs(func(a, b byte) bool { return in(a, 0xa1, 0xf9) && (in(b, 0x40, 0x7e) || in(b, 0xa1, 0xfe)) }),
	"gbk":    pairs(func(a, b byte) bool { return in(a, 0x81, 0xfe) && (in(b, 0x40, 0x7e) || in(b, 0x80, 0xfe)) }),
	"gb2312": pairs(func(a, b byte) bool { return in(a, 0xa1, 0xf7) && in(b, 0xa1, 0xfe) }),
	"euckr": pairs(func(a, b byte) bool {
		return in(a, 0x81, 0xfe) && (in(b, 0x41, 0x5a) || in(b, 0x61, 0x7a) || in(b, 0x81, 0xfe))
	}),
	"sjis": shiftJIS, "cp932": shiftJIS,
	"ujis": japaneseEUC, "eucjpms": japaneseEUC,
	"gb18030": gb18030,
}

// pairs is for charsets of ASCII and of pairs of bytes.
func pairs(pair func(a, b byte) bool) func(v []byte) int {
	return func(v []byte) int {
		if v[0] < 0x80 {
			return 1
		}
		if len(v) > 1 && pair(v[0], v[1]) {
			return 2
		}
		return 0
	}
}

func shiftJIS(v []byte) int {
	a := v[0]
	if a < 0x80 || in(a, 0xa1, 0xdf) {
		return 1
	}
	if len(v) > 1 && (in(a, 0x81, 0x9f) || in(a, 0xe0, 0xfc)) && (in(v[1], 0x40, 0x7e) || in(v[1], 0x80, 0xfc)) {
		return 2
	}
	return 0
}

func japaneseEUC(v []byte) int {
	a := v[0]
	switch {
	case a < 0x80:
		return 1
	case len(v) > 1 && (a == 0x8e && in(v[1], 0xa1, 0xdf) || in(a, 0xa1, 0xfe) && in(v[1], 0xa1, 0xfe)):
		return 2
	case len(v) > 2 && a == 0x8f && in(v[1], 0xa1, 0xfe) && in(v[2], 0xa1, 0xfe):
		return 3
	}
	return 0
}

func gb18030(v []byte) int {
	a := v[0]
	switch {
	case a < 0x80:
		return 1
	case len(v) < 2 || !in(a, 0x81, 0xfe):
		return 0
	case in(v[1], 0x40, 0x7e) || in(v[1], 0x80, 0xfe):
		return 2
	case len(v) > 3 && in(v[1], 0x30, 0x39) && in(v[2], 0x81, 0xfe) && in(v[3], 0x30, 0x39):
		return 4
	}
	return 0
}

// wideCharsets are the forms of Unicode other than UTF-8.
var wideCharsets = map[string]func(dst, v []byte) ([]byte, bool){
	"ucs2":    func(dst, v []byte) ([]byte, bool) { return pairsOfBytes(dst, v, binary.BigEndian, false) },
	"utf16":   func(dst, v []byte) ([]byte, bool) { return pairsOfBytes(dst, v, binary.BigEndian, true) },
	"utf16le": func(dst, v []byte) ([]byte, bool) { return pairsOfBytes(dst, v, binary.LittleEndian, true) },
	"utf32":   utf32,
}

func pairsOfBytes(dst, v []byte, order binary.ByteOrder, surrogates bool) ([]byte, bool) {
	for ; len(v) >= 2; v = v[2:] {
		r := rune(order.Uint16(v))
		if surrogates && utf16.IsSurrogate(r) {
			if len(v) < 4 {
				return dst, false
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(v[2:]))); r == utf8.RuneError {
				return dst, false
			}
			v = v[2:]
		}
		dst = appendRune(dst, r)
	}
	return dst, len(v) == 0
}

func utf32(dst, v []byte) ([]byte, bool) {
	for ; len(v) >= 4; v = v[4:] {
		r := binary.BigEndian.Uint32(v)
		if r > utf8.MaxRune {
			return dst, false
		}
		dst = appendRune(dst, rune(r))
	}
	return dst, len(v) == 0
}

// appendRune is utf8.AppendRune but for the halves of pairs, which the servers
// take for characters where they can be stored.
func appendRune(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
	}
	return utf8.AppendRune(dst, r)
}
