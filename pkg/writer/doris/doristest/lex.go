package doristest

import (
	"fmt"
	"strings"
)

// A token of a statement.
type token struct {
	text string
	kind byte // 'w' a bare word or number, 'n' a name in backquotes, 's' a string, 'p' another sign
	from int  // where it begins
}

func lex(s string) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.HasPrefix(s[i:], "--"):
			end := strings.IndexByte(s[i:], '\n')
			if end < 0 {
				return out, nil
			}
			i += end
		case strings.HasPrefix(s[i:], "/*"):
			end := strings.Index(s[i:], "*/")
			if end < 0 {
				return nil, refuse("a comment does not end")
			}
			i += end + 2
		case c == '`' || c == '\'' || c == '"':
			text, n, err := unquote(s[i:])
			if err != nil {
				return nil, err
			}
			kind := byte('s')
			if c == '`' {
				kind = 'n'
			}
			out = append(out, token{text, kind, i})
			i += n
		case wordByte(c):
			j := i
			for j < len(s) && wordByte(s[j]) {
				j++
			}
			out = append(out, token{s[i:j], 'w', i})
			i = j
		default:
			out = append(out, token{string(c), 'p', i})
			i++
		}
	}
	return out, nil
}

func wordByte(c byte) bool {
	return c == '_' || c == '@' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// unquote reads what is in quotes at the start of s, and says how long it is there.
func unquote(s string) (text string, n int, err error) {
	q := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && q != '`' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case '0':
				b.WriteByte(0)
			default:
				b.WriteByte(s[i])
			}
		case s[i] != q:
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == q:
			b.WriteByte(q)
			i++
		default:
			return b.String(), i + 1, nil
		}
	}
	return "", 0, refuse("a quote is not closed: %.40s", s)
}

// A parser goes through the tokens of a statement.
type parser struct {
	sql    string
	tokens []token
	at     int
}

func (p *parser) peek() token {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return token{kind: 'e', from: len(p.sql)}
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) done() bool {
	return p.at >= len(p.tokens) || p.at == len(p.tokens)-1 && p.peek().text == ";"
}

// is takes the words, in any case, if they come next.
func (p *parser) is(words ...string) bool {
	for i, w := range words {
		if p.at+i >= len(p.tokens) {
			return false
		}
		t := p.tokens[p.at+i]
		if t.kind != 'w' && t.kind != 'p' || !strings.EqualFold(t.text, w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) want(words ...string) error {
	if !p.is(words...) {
		return p.syntax()
	}
	return nil
}

func (p *parser) syntax() error {
	t := p.peek()
	return &sqlError{1105, fmt.Sprintf("errCode = 2, detailMessage = mismatched input '%s' at pos %d of %.200s", t.text, t.from, p.sql)}
}

// reserved are words that are no names without backquotes; some of many.
var reserved = map[string]bool{
	"SELECT": true, "FROM": true, "WHERE": true, "TABLE": true, "ORDER": true, "GROUP": true, "KEY": true, "INDEX": true, "VALUES": true, "RANGE": true, "CASE": true,
	"AND": true, "OR": true, "NOT": true, "NULL": true, "IN": true, "AS": true, "BY": true, "CREATE": true, "ALTER": true, "COLUMN": true, "DEFAULT": true, "DELETE": true,
}

// name reads a name.
func (p *parser) name() (string, error) {
	t := p.peek()
	if t.kind == 'n' || t.kind == 'w' && !reserved[strings.ToUpper(t.text)] {
		p.at++
		return t.text, nil
	}
	return "", p.syntax()
}

// tableName reads one with or without its database.
func (p *parser) tableName(db string) (string, string, error) {
	name, err := p.name()
	if err != nil || !p.is(".") {
		return db, name, err
	}
	db = name
	name, err = p.name()
	return db, name, err
}

// names reads a list of them in parentheses.
func (p *parser) names() (list []string, err error) {
	if err = p.want("("); err != nil {
		return nil, err
	}
	for {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if p.is(")") {
			return list, nil
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
	}
}

func (p *parser) text() (string, error) {
	if t := p.next(); t.kind == 's' {
		return t.text, nil
	}
	p.at--
	return "", p.syntax()
}

// properties reads ("a" = "b", …).
func (p *parser) properties() (map[string]string, error) {
	props := map[string]string{}
	if err := p.want("("); err != nil {
		return nil, err
	}
	for {
		k, err := p.text()
		if err == nil {
			err = p.want("=")
		}
		v := ""
		if err == nil {
			v, err = p.text()
		}
		if err != nil {
			return nil, err
		}
		props[k] = v
		if p.is(")") {
			return props, nil
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
	}
}

// colType reads a type.
func (p *parser) colType() (colType, error) {
	from := p.peek().from
	if t := p.next(); t.kind != 'w' {
		p.at--
		return colType{}, p.syntax()
	}
	open := map[string]string{"(": ")", "<": ">"}
	if end := open[p.peek().text]; end != "" && p.peek().kind == 'p' {
		for !p.is(end) {
			if p.done() {
				return colType{}, p.syntax()
			}
			p.at++
		}
	}
	t, err := parseColType(p.sql[from:p.endOfLast()])
	if err != nil {
		return t, refuse("%s", err)
	}
	return t, nil
}

// endOfLast is where the token ends that was read last.
func (p *parser) endOfLast() int {
	t := p.tokens[p.at-1]
	return t.from + len(t.text) // good for words and signs
}
