package binlog

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Charsets turns text of any character set into UTF-8 just as the server does,
// whom it asks for what it has not seen yet. It is for one goroutine at a time.
type Charsets struct {
	// Ask returns each of texts, which are of a charset, in UTF-8. There are at
	// most a few thousand at a time. ConvertSQL is the statement to use.
	Ask func(charset string, texts [][]byte) ([][]byte, error)
	// Collations names the charset of each collation that table maps may name.
	Collations map[uint64]string

	known map[string]*converter
}

// ConvertSQL is a statement whose only row has a column for each of texts: the
// same in UTF-8.
func ConvertSQL(charset string, texts [][]byte) string {
	var b strings.Builder
	for i, t := range texts {
		sep := ", "
		if i == 0 {
			sep = "SELECT "
		}
		fmt.Fprintf(&b, "%sCONVERT(CONVERT(x'%x' USING %s) USING utf8mb4)", sep, t, charset)
	}
	return b.String()
}

// column returns the converter for a column's text.
func (s *Charsets) column(c *schema.Column, w *MapColumn) (*converter, error) {
	name := c.Charset
	if s == nil {
		s = &Charsets{}
	}
	if w.Charset != 0 {
		if told, ok := s.Collations[w.Charset]; ok {
			name = told
		}
	}
	name = strings.ToLower(name)
	if known := s.known[name]; known != nil {
		return known, nil
	}
	conv := newConverter(name, s.Ask)
	if !conv.same && s.Ask == nil {
		return nil, fmt.Errorf("there is nobody to ask about charset %s", name)
	}
	if s.known == nil {
		s.known = map[string]*converter{}
	}
	s.known[name] = conv
	return conv, nil
}

// A converter is a charset and what is known of it.
type converter struct {
	name string
	ask  func(charset string, texts [][]byte) ([][]byte, error)
	same bool // its bytes are UTF-8
	// wide turns text of a form of Unicode into UTF-8 as far as it is well formed.
	wide func(dst, v []byte) ([]byte, bool)
	// char returns the length of the character that v begins with, 0 if it is
	// none; nil for charsets of one byte a character.
	char func(v []byte) int

	single [][]byte // of each byte; nil until asked
	ascii  bool     // the lower half of them is ASCII
	pages  map[uint32][][]byte
	buf    []byte
}

func newConverter(name string, ask func(string, [][]byte) ([][]byte, error)) *converter {
	c := &converter{name: name, ask: ask}
	switch name {
	case "", "binary", "utf8", "utf8mb3", "utf8mb4":
		c.same = true
	}
	c.wide, c.char = wideCharsets[name], charLengths[name]
	return c
}

// append returns how to append text of the charset.
func (c *converter) append(b *batch.Bytes) appendFunc {
	if c.same {
		return plainAppend(b)
	}
	return func(v []byte) error {
		text, err := c.text(v)
		if err != nil {
			return err
		}
		b.Append(text)
		return nil
	}
}

// text returns v in UTF-8. It is valid until the next call.
func (c *converter) text(v []byte) ([]byte, error) {
	if c.same || len(v) == 0 {
		return v, nil
	}
	if c.wide != nil {
		var ok bool
		if c.buf, ok = c.wide(c.buf[:0], v); ok {
			return c.buf, nil
		}
		return c.whole(v)
	}
	if c.single == nil {
		if err := c.learnSingle(); err != nil {
			return nil, err
		}
	}
	if c.ascii && isASCII(v) {
		return v, nil
	}
	c.buf = c.buf[:0]
	if c.char == nil {
		for i, b := range v {
			if len(c.single[b]) == 0 {
				return nil, c.notText(v[i : i+1])
			}
			c.buf = append(c.buf, c.single[b]...)
		}
		return c.buf, nil
	}
	for i := 0; i < len(v); {
		n := c.char(v[i:])
		switch n {
		case 0: // what the server makes of it is not ours to know
			return c.whole(v)
		case 1:
			c.buf = append(c.buf, c.single[v[i]]...)
		default:
			text, err := c.long(v[i : i+n])
			if err != nil {
				return nil, err
			}
			c.buf = append(c.buf, text...)
		}
		i += n
	}
	return c.buf, nil
}

// whole has the server convert a text.
func (c *converter) whole(v []byte) ([]byte, error) {
	out, err := c.askFor([][]byte{v})
	if err != nil {
		return nil, err
	}
	if len(out[0]) == 0 {
		return nil, c.notText(v)
	}
	return out[0], nil
}

// notText is about bytes that the server has no text for, not even a question
// mark: it answers NULL.
func (c *converter) notText(v []byte) error { return fmt.Errorf("%x is no text of %s", v, c.name) }

func (c *converter) askFor(texts [][]byte) ([][]byte, error) {
	out, err := c.ask(c.name, texts)
	if err == nil && len(out) != len(texts) {
		err = fmt.Errorf("%d answers to %d questions", len(out), len(texts))
	}
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", c.name, err)
	}
	return out, nil
}

// askForLine asks for many texts as one, each on a line of its own.
func (c *converter) askForLine(texts [][]byte) ([][]byte, error) {
	out, err := c.askFor([][]byte{bytes.Join(texts, []byte("\n"))})
	if err == nil {
		if lines := bytes.Split(out[0], []byte("\n")); len(lines) == len(texts) {
			return lines, nil
		}
	}
	return c.askFor(texts)
}

// learnSingle asks for all characters of one byte.
func (c *converter) learnSingle() error {
	var texts [][]byte
	for b := range 256 {
		if one := []byte{byte(b)}; c.char == nil || c.char(one) == 1 {
			texts = append(texts, one)
		}
	}
	out, err := c.askFor(texts)
	if err != nil {
		return err
	}
	c.single, c.ascii = make([][]byte, 256), true
	for i, t := range texts {
		c.single[t[0]] = out[i]
		c.ascii = c.ascii && (t[0] >= 0x80 || string(out[i]) == string(t))
	}
	return nil
}

// long returns a character of several bytes. Those that have all but their last
// byte, or two of four, in common are asked for at once.
func (c *converter) long(v []byte) ([]byte, error) {
	key, last := uint32(len(v)), 1
	if len(v) == 4 {
		last = 2
	}
	for _, b := range v[:len(v)-last] {
		key = key<<8 | uint32(b)
	}
	index := int(bigEndian(v[len(v)-last:]))
	page := c.pages[key]
	if page == nil {
		var err error
		if page, err = c.learnPage(v, last); err != nil {
			return nil, err
		}
		if c.pages == nil {
			c.pages = map[uint32][][]byte{}
		}
		c.pages[key] = page
	}
	if len(page[index]) == 0 {
		return nil, c.notText(v)
	}
	return page[index], nil
}

// learnPage asks for all characters that differ from v in their last bytes only.
func (c *converter) learnPage(v []byte, last int) ([][]byte, error) {
	var texts [][]byte
	var at []int
	head := len(v) - last
	for i := range 1 << (8 * last) {
		char := append([]byte(nil), v...)
		for j := range last {
			char[head+j] = byte(i >> (8 * (last - 1 - j)))
		}
		if c.char(char) == len(v) {
			texts, at = append(texts, char), append(at, i)
		}
	}
	out, err := c.askForLine(texts)
	if err != nil {
		return nil, err
	}
	page := make([][]byte, 1<<(8*last))
	for i, text := range out {
		page[at[i]] = text
	}
	return page, nil
}

func isASCII(v []byte) bool {
	for _, c := range v {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
