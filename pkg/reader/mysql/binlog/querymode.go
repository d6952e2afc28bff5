package binlog

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The bits of sql_mode by which a statement is read otherwise.
const (
	realAsFloat  = 1
	ansiQuotes   = 1 << 2
	noBackslash  = 1 << 20
	otherGrammar = realAsFloat | ansiQuotes | noBackslash
)

// What a query event says of the session, by the codes of its parts.
const (
	varFlags    = 0
	varMode     = 1
	varCharset  = 4
	varExplicit = 16
	// mariaExplicit is a bit of the flags: explicit_defaults_for_timestamp of MariaDB.
	mariaExplicit = 1 << 24
)

// A session is what a statement was read by.
type session struct {
	mode     uint64
	client   uint16 // a collation of the character set of the statement's text
	explicit uint8
	flags    uint32
}

// readSession reads what a query event says of the session, up to a part that is not known.
func readSession(p []byte) (s session) {
	s.explicit = 1
	for r := (cursor{p: p}); len(r.p) > 0 && !r.bad; {
		switch code := r.uint8(); code {
		case varFlags:
			s.flags = r.uint32()
		case varMode:
			s.mode = r.uint(8)
		case varCharset:
			s.client = uint16(r.uint(2))
			r.bytes(4)
		case varExplicit:
			s.explicit = r.uint8()
		case 2: // the catalog, as it was once
			r.bytes(int(r.uint8()) + 1)
		case 5, 6: // time zone, catalog
			r.bytes(int(r.uint8()))
		case 11: // who has called it
			r.bytes(int(r.uint8()))
			r.bytes(int(r.uint8()))
		case 12: // databases
			for n := r.uint8(); n > 0 && n < 254 && !r.bad; n-- {
				r.bytes(bytes.IndexByte(r.p, 0) + 1)
			}
		default:
			n, ok := varLengths[code]
			if !ok {
				return s
			}
			r.bytes(n)
		}
	}
	return s
}

// varLengths are the lengths of parts that are of no interest.
var varLengths = map[uint8]int{3: 4, 7: 2, 8: 2, 9: 8, 10: 4, 13: 3, 14: 8, 15: 8, 17: 8, 18: 2, 19: 1, 20: 1, 128: 3, 129: 8}

// standard is a statement in UTF-8, as it would be written in the default sql_mode.
func (s session) standard(query []byte) []byte {
	query = s.unicode(query)
	if s.mode&otherGrammar == 0 {
		return query
	}
	var b strings.Builder
	for l := (&lexer{s: string(query)}); ; {
		start := l.i
		l.skip()
		b.WriteString(l.s[start:l.i])
		if l.i >= len(l.s) {
			return []byte(b.String())
		}
		start = l.i
		if c := l.s[l.i]; c == '\'' || c == '"' {
			l.i += s.quoted(l.s[l.i:])
			b.WriteString(s.requoted(l.s[start:l.i]))
		} else if t := l.scan(); s.mode&realAsFloat != 0 && t.is("REAL") {
			b.WriteString("FLOAT")
		} else {
			b.WriteString(l.s[start:l.i])
		}
	}
}

// quoted is how long the text is, or the name, that s begins with.
func (s session) quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && s.escapes(text[0]):
			i++
		case text[i] == text[0] && i+1 < len(text) && text[i+1] == text[0]:
			i++
		case text[i] == text[0]:
			return i + 1
		}
	}
	return len(text)
}

// escapes reports whether backslashes are such between quotes.
func (s session) escapes(quote byte) bool {
	return s.mode&noBackslash == 0 && (quote == '\'' || s.mode&ansiQuotes == 0)
}

// requoted is a text or a name as it is quoted by default.
func (s session) requoted(text string) string {
	switch {
	case text[0] == '"' && s.mode&ansiQuotes != 0 && len(text) > 1:
		name := strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	case s.mode&noBackslash != 0:
		return strings.ReplaceAll(text, `\`, `\\`)
	}
	return text
}

// unicode is a statement in UTF-8. Bytes of character sets that the server alone can read are made what no
// text is, lest they be taken for what they are not.
func (s session) unicode(query []byte) []byte {
	if isASCII(query) {
		return query
	}
	switch s.client {
	case 0, 11, 33, 45, 46, 63, 65, 76, 83: // not told, ascii, utf8, utf8mb4, binary
		return query
	case 5, 8, 15, 31, 47, 48, 49, 94:
		return fromLatin1(query)
	}
	if s.client > 127 && (s.client < 248 || s.client > 250) { // utf8 and utf8mb4 by other collations, but gb18030
		return query
	}
	query = bytes.Clone(query)
	for i, c := range query {
		if c >= 0x80 {
			query[i] = 0xff
		}
	}
	return query
}

// highLatin1 are the characters of latin1 from 80 to 9f, as servers have them.
var highLatin1 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

func fromLatin1(text []byte) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, c := range text {
		switch {
		case c < 0x80:
			out = append(out, c)
		case c < 0xa0:
			out = utf8.AppendRune(out, highLatin1[c-0x80])
		default:
			out = utf8.AppendRune(out, rune(c))
		}
	}
	return out
}
