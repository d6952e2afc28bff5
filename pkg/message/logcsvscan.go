package message

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

var utf8BOM = []byte("\ufeff")

// A csvScanner reads the fields of CSV as RFC 4180 has it, with any delimiter, and with
// LF or CR LF at the ends of lines; of the last one any part of it may be missing. Empty
// lines are left out.
type csvScanner struct {
	text  []byte
	at    int
	delim byte
	field []byte // scratch: of a field with quotes within
}

// line reports whether there is another line, and goes to its beginning.
func (s *csvScanner) line() bool {
	for s.at < len(s.text) {
		switch {
		case s.text[s.at] == '\n':
			s.at++
		case s.text[s.at] == '\r' && (s.at+1 == len(s.text) || s.text[s.at+1] == '\n'):
			s.at++
		default:
			return true
		}
	}
	return false
}

// next takes a field, which is good until the next call, and tells whether it stood in
// quotes and whether it was the last of its line.
func (s *csvScanner) next() (field []byte, quoted, last bool, err error) {
	if s.at < len(s.text) && s.text[s.at] == '"' {
		field, err = s.quoted()
		if err == nil {
			last, err = s.end()
		}
		return field, true, last, err
	}
	start := s.at
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == s.delim:
			s.at = i + 1
			return s.text[start:i], false, false, nil
		case c == '\n':
			s.at = i + 1
			if i > start && s.text[i-1] == '\r' {
				i--
			}
			return s.text[start:i], false, true, nil
		case c == '"':
			err = fmt.Errorf("a quote stands within a field without quotes at byte %d", i+1)
			if bytes.HasPrefix(s.text, []byte("{")) {
				err = hint.Wrap(err, "the message is JSON: --format is how messages are written, auto finds out; --file-format csv is that of plain files")
			}
			return nil, false, false, err
		}
	}
	s.at = len(s.text)
	return bytes.TrimSuffix(s.text[start:], []byte{'\r'}), false, true, nil
}

// quoted takes a field in quotes.
func (s *csvScanner) quoted() ([]byte, error) {
	s.at++
	s.field = s.field[:0]
	for {
		n := bytes.IndexByte(s.text[s.at:], '"')
		if n < 0 {
			s.at = len(s.text)
			return nil, errors.New("the CSV text is cut short: a field in quotes has no end")
		}
		part := s.text[s.at : s.at+n]
		s.at += n + 1
		if s.at < len(s.text) && s.text[s.at] == '"' { // two stand for one
			s.field = append(append(s.field, part...), '"')
			s.at++
			continue
		}
		if len(s.field) == 0 {
			return part, nil
		}
		s.field = append(s.field, part...)
		return s.field, nil
	}
}

// end takes what follows a field in quotes, and reports whether the line is over.
func (s *csvScanner) end() (bool, error) {
	switch rest := s.text[s.at:]; {
	case len(rest) == 0:
		return true, nil
	case rest[0] == s.delim:
		s.at++
		return false, nil
	case rest[0] == '\n':
		s.at++
		return true, nil
	case rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n'):
		s.at += min(len(rest), 2)
		return true, nil
	}
	return false, fmt.Errorf("a delimiter is wanted at byte %d, not %q", s.at+1, s.text[s.at])
}
