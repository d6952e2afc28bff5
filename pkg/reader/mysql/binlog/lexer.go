package binlog

import "strings"

// A token is a word, a quoted name, a text, or a single other character.
type token struct {
	kind tokenKind
	text string // without quotes; a word in capital letters is in upper
}

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an unquoted name or keyword
	tokenName             // in backticks
	tokenText             // in quotes; in double ones it may be a name (ANSI_QUOTES)
	tokenSymbol           // anything else
)

// is reports whether the token is a keyword, which is given in capitals.
func (t token) is(keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, keyword)
}

func (t token) symbol(s string) bool { return t.kind == tokenSymbol && t.text == s }

// A lexer cuts a statement into tokens. What stands in comments that a server
// executes, /*!50000 … */ and /*M! … */, belongs to the statement.
type lexer struct {
	s    string
	i    int
	peek *token
}

func (l *lexer) look() token {
	if l.peek == nil {
		t := l.scan()
		l.peek = &t
	}
	return *l.peek
}

func (l *lexer) next() token {
	t := l.look()
	l.peek = nil
	return t
}

// accept takes the next token if it is the keyword.
func (l *lexer) accept(keyword string) bool {
	if l.look().is(keyword) {
		l.peek = nil
		return true
	}
	return false
}

// acceptAll takes several keywords if the first is there.
func (l *lexer) acceptAll(keywords ...string) bool {
	for i, k := range keywords {
		if !l.accept(k) && i == 0 {
			return false
		}
	}
	return true
}

func (l *lexer) scan() token {
	l.skip()
	if l.i >= len(l.s) {
		return token{}
	}
	switch c := l.s[l.i]; {
	case c == '`' || c == '\'' || c == '"':
		return l.quoted(c)
	case isWord(c):
		start := l.i
		for l.i < len(l.s) && isWord(l.s[l.i]) {
			l.i++
		}
		return token{tokenWord, l.s[start:l.i]}
	}
	l.i++
	return token{tokenSymbol, l.s[l.i-1 : l.i]}
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// skip passes over space and comments.
func (l *lexer) skip() {
	for l.i < len(l.s) {
		rest := l.s[l.i:]
		switch {
		case rest[0] <= ' ':
			l.i++
		case rest[0] == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
			if n := strings.IndexByte(rest, '\n'); n >= 0 {
				l.i += n + 1
			} else {
				l.i = len(l.s)
			}
		case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*M!"):
			l.i += strings.IndexByte(rest, '!') + 1
			for l.i < len(l.s) && l.s[l.i] >= '0' && l.s[l.i] <= '9' {
				l.i++
			}
		case strings.HasPrefix(rest, "*/"): // the end of one that is executed
			l.i += 2
		case strings.HasPrefix(rest, "/*"):
			if n := strings.Index(rest[2:], "*/"); n >= 0 {
				l.i += n + 4
			} else {
				l.i = len(l.s)
			}
		default:
			return
		}
	}
}

// quoted reads a name or text. A doubled quote stands for one; in texts a
// backslash takes what follows with it.
func (l *lexer) quoted(q byte) token {
	kind := tokenText
	if q == '`' {
		kind = tokenName
	}
	var b strings.Builder
	for l.i++; l.i < len(l.s); l.i++ {
		c := l.s[l.i]
		if c == '\\' && q != '`' && l.i+1 < len(l.s) {
			l.i++
			c = l.s[l.i]
		} else if c == q {
			if l.i+1 >= len(l.s) || l.s[l.i+1] != q {
				l.i++
				break
			}
			l.i++
		}
		b.WriteByte(c)
	}
	return token{kind, b.String()}
}

// name reads a table's name, with or without a database.
func (l *lexer) name(db string) (Name, bool) {
	first := l.next()
	if first.kind != tokenWord && first.kind != tokenName && first.kind != tokenText {
		return Name{}, false
	}
	if !l.look().symbol(".") {
		return Name{db, first.text}, true
	}
	l.next()
	second := l.next()
	if second.kind == tokenEnd || second.kind == tokenSymbol {
		return Name{}, false
	}
	return Name{first.text, second.text}, true
}

// names reads a list of names.
func (l *lexer) names(db string) (out []Name) {
	for {
		n, ok := l.name(db)
		if !ok {
			return out
		}
		out = append(out, n)
		if !l.look().symbol(",") {
			return out
		}
		l.next()
	}
}
