package message

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// maxDepth bounds how deep values may lie within each other.
const maxDepth = 64

var errEnd = errors.New("the JSON text is cut short")

// A scanner reads JSON text from its beginning. What it returns shares the text's
// memory, but for strings that hold escapes.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) fail(want string) error {
	if s.at >= len(s.text) {
		return errEnd
	}
	return fmt.Errorf("%s is wanted at byte %d, not %q", want, s.at+1, s.text[s.at])
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// next takes c if it comes next.
func (s *scanner) next(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// open takes the beginning of an object or array, and reports whether it has members.
func (s *scanner) open(c, end byte) (bool, error) {
	if !s.next(c) {
		return false, s.fail(string(c))
	}
	return !s.next(end), nil
}

// more takes what comes behind a member, and reports whether another follows.
func (s *scanner) more(end byte) (bool, error) {
	if s.next(',') {
		return true, nil
	}
	if s.next(end) {
		return false, nil
	}
	return false, s.fail(string(end))
}

// key takes a member's name and its colon. The name is as it stands between the
// quotes, escapes and all.
func (s *scanner) key() ([]byte, error) {
	name, _, err := s.str()
	if err != nil {
		return nil, err
	}
	if !s.next(':') {
		return nil, s.fail("a colon")
	}
	return name, nil
}

// str takes a string. It returns what stands between the quotes, and whether that holds
// escapes.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	if !s.next('"') {
		return nil, false, s.fail("a string")
	}
	start := s.at
	for i := literal.Special(s.text, start); i < len(s.text); i = literal.Special(s.text, i+1) {
		switch s.text[i] {
		case '"':
			s.at = i + 1
			return s.text[start:i], escaped, nil
		case '\\':
			escaped = true
			i++
		default:
			s.at = i
			return nil, false, s.fail("the end of a string")
		}
	}
	s.at = len(s.text)
	return nil, false, errEnd
}

// text0 takes a string, or whatever else comes, and returns what stands between the
// quotes.
func (s *scanner) text0() ([]byte, error) {
	if s.peek() == '"' {
		raw, _, err := s.str()
		return raw, err
	}
	return s.skip()
}

// again takes a value that is most likely the same text as one before, which saves the
// way through it.
func (s *scanner) again(before []byte) ([]byte, error) {
	s.space()
	if n := len(before); n > 0 && len(s.text)-s.at > n && string(s.text[s.at:s.at+n]) == string(before) {
		if c := s.text[s.at+n]; c == ',' || c == '}' {
			s.at += n
			return before, nil
		}
	}
	return s.skip()
}

// skip takes a value and returns its text.
func (s *scanner) skip() ([]byte, error) {
	s.space()
	start := s.at
	if err := s.value(0); err != nil {
		return nil, err
	}
	return s.text[start:s.at], nil
}

func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return errors.New("the JSON text is too deep")
	}
	switch c := s.peek(); c {
	case '"':
		_, _, err := s.str()
		return err
	case '{', '[':
		return s.members(c, depth)
	}
	return s.word()
}

func (s *scanner) members(begin byte, depth int) error {
	end := begin + 2 // in ASCII, both of ] and }
	more, err := s.open(begin, end)
	for err == nil && more {
		if begin == '{' {
			if _, err = s.key(); err != nil {
				break
			}
		}
		if err = s.value(depth + 1); err == nil {
			more, err = s.more(end)
		}
	}
	return err
}

// word takes a number, true, false or null.
func (s *scanner) word() error {
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
			s.at++
			continue
		}
		break
	}
	if s.at == start {
		return s.fail("a value")
	}
	return nil
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.peek() != 0 || s.at < len(s.text) {
		return s.fail("the end")
	}
	return nil
}

// unescape appends the text that stands between quotes as raw.
func unescape(dst, raw []byte) ([]byte, error) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		if i++; i == len(raw) {
			return dst, errEnd
		}
		switch c := raw[i]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hex4(raw[i+1:])
			if !ok {
				return dst, fmt.Errorf("bad escape in %.40q", raw)
			}
			i += 4
			if utf16.IsSurrogate(r) {
				if len(raw) > i+2 && raw[i+1] == '\\' && raw[i+2] == 'u' {
					if low, ok := hex4(raw[i+3:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
						r = utf16.DecodeRune(r, low)
						i += 6
					}
				}
			}
			dst = utf8.AppendRune(dst, r) // half a pair becomes U+FFFD
		default:
			return dst, fmt.Errorf("bad escape in %.40q", raw)
		}
	}
	return dst, nil
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
