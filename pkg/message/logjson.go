package message

import (
	"bytes"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A logNode is a member of the objects of a log that is read, and what is read of it if
// it is an object itself.
type logNode struct {
	name   []byte // as it stands between quotes where it has no escapes
	fields []int  // the columns that have it for their value
	kids   []logNode
}

// plant makes the tree of what is read.
func (r *LogReader) plant() {
	r.tree, r.left = logNode{}, -1
	for i := range r.columns {
		if !r.infers && r.columns[i].isRest() {
			r.left = i
			continue
		}
		n := &r.tree
		for _, part := range r.columns[i].Path {
			n = n.kid(part)
		}
		n.fields = append(n.fields, i)
	}
}

func (n *logNode) kid(name string) *logNode {
	for i := range n.kids {
		if string(n.kids[i].name) == name {
			return &n.kids[i]
		}
	}
	n.kids = append(n.kids, logNode{name: []byte(name)})
	return &n.kids[len(n.kids)-1]
}

// find finds a member by its name, which is most likely that at guess. Names of columns
// that are inferred are found whatever their case, as columns of both would be one to
// readers.
func (n *logNode) find(name []byte, guess int, fold bool) int {
	if guess < len(n.kids) && bytes.Equal(n.kids[guess].name, name) {
		return guess
	}
	for i := range n.kids {
		if bytes.Equal(n.kids[i].name, name) || fold && bytes.EqualFold(n.kids[i].name, name) {
			return i
		}
	}
	return -1
}

// jsonLines finds the objects of a message, one behind the other or in arrays.
type jsonLines struct {
	s       *scanner
	inArray bool
}

// next goes to the beginning of the next object, which the caller takes.
func (l *jsonLines) next() (bool, error) {
	if l.inArray {
		more, err := l.s.more(']')
		if err != nil {
			return false, err
		}
		if more {
			return true, nil
		}
		l.inArray = false
	}
	for l.s.peek() == '[' {
		more, err := l.s.open('[', ']')
		if err != nil || more {
			l.inArray = more
			return more, err
		}
	}
	if l.s.peek() == '{' {
		return true, nil
	}
	return false, l.s.end()
}

// json reads a message.
func (r *LogReader) json(value []byte) error {
	s := scanner{text: value}
	lines := jsonLines{s: &s}
	for start := 0; ; start = s.at {
		more, err := lines.next()
		if err == nil && !more {
			return nil
		}
		if err == nil {
			err = r.line(&s)
		}
		if err != nil {
			return lineError(value, s.at, err)
		}
		r.end(s.at - start)
	}
}

// line reads an object.
func (r *LogReader) line(s *scanner) error {
	r.object = append(r.object[:0], '{')
	if err := r.members(s, &r.tree); err != nil || r.left < 0 || len(r.object) == 1 {
		return err
	}
	r.object = append(r.object, '}')
	r.filled[r.left] = true
	if err := r.read[r.left].read(r.object); err != nil {
		return fmt.Errorf("column %s: %w", r.read[r.left].name, err)
	}
	return nil
}

// members reads an object as far as there are columns.
func (r *LogReader) members(s *scanner, n *logNode) error {
	more, err := s.open('{', '}')
	for guess := 0; err == nil && more; guess++ {
		var name []byte
		s.space()
		start := s.at
		if name, err = s.key(); err != nil {
			break
		}
		k := n.find(name, guess, r.infers)
		if k < 0 && bytes.IndexByte(name, '\\') >= 0 {
			if r.text, err = unescape(r.text[:0], name); err != nil {
				break
			}
			k = n.find(r.text, guess, r.infers)
		}
		if k >= 0 {
			err = r.member(s, &n.kids[k])
		} else {
			err = r.other(s, n, start)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	return err
}

// other takes a member that has no column, whose name begins at start.
func (r *LogReader) other(s *scanner, n *logNode, start int) error {
	v, err := s.skip()
	switch {
	case err != nil || n != &r.tree:
	case r.infers && string(v) != "null":
		return errGrown
	case r.left >= 0:
		if len(r.object) > 1 {
			r.object = append(r.object, ',')
		}
		r.object = append(r.object, s.text[start:s.at]...)
	}
	return err
}

// member takes the value of a member, which may go to several columns.
func (r *LogReader) member(s *scanner, n *logNode) error {
	if len(n.fields) == 1 && len(n.kids) == 0 {
		return r.value(s, n.fields[0])
	}
	at := *s
	v, err := s.skip()
	if err != nil {
		return err
	}
	for _, f := range n.fields {
		again := at
		if err := r.value(&again, f); err != nil {
			return err
		}
	}
	if len(n.kids) == 0 || string(v) == "null" {
		return nil
	}
	return r.members(&at, n)
}

// value appends the value that comes to a column.
func (r *LogReader) value(s *scanner, field int) error {
	f := &r.read[field]
	if r.filled[field] {
		_, err := s.skip()
		return err
	}
	var text []byte
	var err error
	c := s.peek()
	at := s.at
	if c == '"' && f.typ.name != "json" {
		var escaped bool
		if text, escaped, err = s.str(); err == nil && escaped {
			r.text, err = unescape(r.text[:0], text)
			text = r.text
		}
	} else {
		text, err = s.skip()
		switch {
		case err != nil:
		case string(text) == "null":
			return nil
		case c == '{' || c == '[':
			if !f.whole {
				err = literal.Bad(text, f.typ.String())
			}
		case f.typ.name == "string" && text[0] != 't' && text[0] != 'f' && !isNumber(text):
			err = literal.Bad(text, "JSON")
		}
	}
	if err == nil {
		if err = f.read(text); err == nil {
			r.filled[field] = true
			return nil
		}
	}
	return f.fail(at, err)
}
