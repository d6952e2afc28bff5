package message

import (
	"bytes"
	"fmt"
	"strings"
)

// number finds the columns of fields that are told by their numbers: all fields of
// messages that have no header, in the columns' order unless their paths say otherwise.
func (r *LogReader) number() {
	r.place, r.short = r.place[:0], false
	if r.o.Header {
		return
	}
	place := func(n, column int) {
		for len(r.place) < n {
			r.place = append(r.place, -1)
		}
		if column >= 0 {
			r.place[n-1] = column
		}
	}
	place(r.width, -1)
	for i, c := range r.columns {
		switch n := fieldNumber(c.Path[0]); {
		case n > 0:
			place(n, i)
			r.short = !r.infers
		case !r.infers:
			place(i+1, i)
		}
	}
}

// csv reads a message.
func (r *LogReader) csv(value []byte) error {
	s := csvScanner{text: value, delim: r.o.Delimiter, field: r.text}
	defer func() { r.text = s.field }()
	if r.o.Header && s.line() {
		if err := r.header(&s); err != nil {
			return lineError(value, s.at, err)
		}
	}
	for s.line() {
		start := s.at
		if err := r.csvLine(&s); err != nil {
			return lineError(value, start, err)
		}
		r.end(s.at - start)
	}
	return nil
}

func (r *LogReader) csvLine(s *csvScanner) error {
	for i, last := 0, false; ; i++ {
		if last {
			if i < len(r.place) && !r.short {
				return fmt.Errorf("it has %d fields, and not %d", i, len(r.place))
			}
			return nil
		}
		at := s.at
		var field []byte
		var quoted bool
		var err error
		if field, quoted, last, err = s.next(); err != nil {
			return err
		}
		if i >= len(r.place) {
			if r.short {
				continue
			}
			return fmt.Errorf("it has more than %d fields", len(r.place))
		}
		k := r.place[i]
		switch {
		case !quoted && string(field) == r.o.Null:
			continue
		case k < 0 && r.infers:
			return errGrown
		case k < 0:
			continue
		}
		if err := r.read[k].read(field); err != nil {
			return r.read[k].fail(at, err)
		}
		r.filled[k] = true
	}
}

// header takes the line that names the fields.
func (r *LogReader) header(s *csvScanner) error {
	start := s.at
	if n := len(r.head); n > 0 && bytes.HasPrefix(s.text[s.at:], r.head) {
		s.at += n
		return nil
	}
	names, err := headerNames(s)
	if err != nil {
		return err
	}
	r.place, r.head = r.place[:0], nil
	for i, name := range names {
		k := r.column(name, i+1)
		for _, other := range r.place {
			if k >= 0 && other == k {
				return fmt.Errorf("two fields are named %s", name)
			}
		}
		r.place = append(r.place, k)
	}
	if s.text[s.at-1] == '\n' { // else another header may begin so
		r.head = bytes.Clone(s.text[start:s.at])
	}
	return nil
}

// column finds the column of a field.
func (r *LogReader) column(name string, number int) int {
	for i, c := range r.columns {
		if c.Path[0] == name || r.infers && strings.EqualFold(c.Path[0], name) || !r.infers && fieldNumber(c.Path[0]) == number {
			return i
		}
	}
	return -1
}

func headerNames(s *csvScanner) (names []string, err error) {
	for last := false; !last; {
		var name []byte
		if name, _, last, err = s.next(); err != nil {
			return nil, err
		}
		names = append(names, string(name))
	}
	return names, nil
}

// csv adds what a message in CSV tells. Fields without a header are named c1, c2 and so on.
func (in *inference) csv(text []byte, o *LogOptions) error {
	s := csvScanner{text: text, delim: o.Delimiter}
	if s.delim == 0 {
		s.delim = ','
	}
	var names []string
	if o.Header && s.line() {
		var err error
		if names, err = headerNames(&s); err != nil {
			return err
		}
		// Columns have the order of the header's fields, whichever has a value first.
		for _, n := range names {
			if err := in.add(n, ""); err != nil {
				return err
			}
		}
	}
	for ; s.line(); in.lines++ {
		i := 0
		for last := false; !last; i++ {
			var field []byte
			var quoted bool
			var err error
			if field, quoted, last, err = s.next(); err != nil {
				return err
			}
			switch {
			case i < len(names):
			case o.Header:
				return fmt.Errorf("it has more than %d fields", len(names))
			default:
				names = append(names, fmt.Sprintf("c%d", i+1))
			}
			typ := ""
			if quoted || string(field) != o.Null {
				typ = csvType(field)
			}
			if err := in.add(names[i], typ); err != nil {
				return err
			}
		}
		if in.width == 0 && !o.Header {
			in.width = i
		}
		want := in.width
		if o.Header {
			want = len(names)
		}
		if i != want {
			return fmt.Errorf("it has %d fields, and not %d", i, want)
		}
	}
	return nil
}

// csvType returns the type of a field.
func csvType(field []byte) string {
	if typ := wordType(field); typ != "string" && typ != "null" {
		return typ
	}
	return textType(field)
}
