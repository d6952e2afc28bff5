package ddl

import "strings"

// A token is a word or number, a name or text with its quotes, or a single other character.
type token struct {
	text  string
	glued bool // nothing is between it and the one before
}

// is reports whether a token is one of the words, which are in capitals.
func (t token) is(words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(t.text, w) {
			return true
		}
	}
	return false
}

// written writes tokens as a statement.
func written(list []token) string {
	var b strings.Builder
	for i, t := range list {
		if i > 0 && (!t.glued || touches(list[i-1].text, t.text)) {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// touches reports whether tokens would be others without a space between them, which may have come next to
// each other.
func touches(a, b string) bool {
	return a == "-" && b == "-" || inWord(a[len(a)-1]) && inWord(b[0])
}

// tokens cuts a statement up, without comments. What stands in comments that the server executes
// belongs to it: those of other versions a server has marked as plain ones in its log.
func tokens(s string, maria bool) []token {
	var out []token
	glued := true
	for i := 0; i < len(s); {
		if n := between(s[i:], maria); n > 0 {
			i, glued = i+n, false
			continue
		}
		n := span(s[i:])
		out = append(out, token{s[i : i+n], glued})
		i, glued = i+n, true
	}
	return out
}

// between is how much of s is space, a comment, or the mark of one that is executed.
func between(s string, maria bool) int {
	switch {
	case s[0] <= ' ':
		return 1
	case s[0] == '#', strings.HasPrefix(s, "--") && (len(s) == 2 || s[2] <= ' '):
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n + 1
		}
		return len(s)
	case strings.HasPrefix(s, "/*!"), maria && strings.HasPrefix(s, "/*M!"):
		n := strings.IndexByte(s, '!') + 1
		return n + len(s[n:]) - len(strings.TrimLeft(s[n:], "0123456789"))
	case strings.HasPrefix(s, "*/"):
		return 2
	case strings.HasPrefix(s, "/*"):
		if n := strings.Index(s[2:], "*/"); n >= 0 {
			return n + 4
		}
		return len(s)
	}
	return 0
}

// span is how long the token is that s begins with.
func span(s string) int {
	if q := s[0]; q == '`' || q == '\'' || q == '"' {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && q != '`':
				i++
			case s[i] == q && i+1 < len(s) && s[i+1] == q:
				i++
			case s[i] == q:
				return i + 1
			}
		}
		return len(s)
	}
	n := 0
	for n < len(s) && (inWord(s[n]) || s[n] == '.' && n > 0 && s[0] >= '0' && s[0] <= '9') {
		n++
	}
	return max(n, 1)
}

func inWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// A reading goes through tokens.
type reading struct {
	list []token
	i    int
}

// look is the next token, or an empty one at the end.
func (r *reading) look() token {
	if r.i < len(r.list) {
		return r.list[r.i]
	}
	return token{}
}

func (r *reading) next() token {
	t := r.look()
	r.i++
	return t
}

func (r *reading) end() bool { return r.i >= len(r.list) }

// accept takes the words that come next, if all of them do.
func (r *reading) accept(words ...string) bool {
	for i, w := range words {
		if r.i+i >= len(r.list) || !r.list[r.i+i].is(w) {
			return false
		}
	}
	r.i += len(words)
	return true
}

// group takes what is in parentheses, with these; nothing if there are none.
func (r *reading) group() []token {
	start, depth := r.i, 0
	for ; r.look().is("(") || depth > 0 && !r.end(); r.i++ {
		switch {
		case r.look().is("("):
			depth++
		case r.look().is(")"):
			if depth--; depth == 0 {
				r.i++
				return r.list[start:r.i]
			}
		}
	}
	return r.list[min(start, len(r.list)):min(r.i, len(r.list))]
}

// rest takes all that is left.
func (r *reading) rest() []token {
	start := min(r.i, len(r.list))
	r.i = len(r.list)
	return r.list[start:]
}

// split cuts a list at its commas.
func split(list []token) (out [][]token) {
	start := 0
	for r := (&reading{list: list}); ; {
		switch {
		case r.end():
			return append(out, list[start:])
		case r.look().is(","):
			out = append(out, list[start:r.i])
			r.i++
			start = r.i
		case r.look().is("("):
			r.group()
		default:
			r.i++
		}
	}
}
