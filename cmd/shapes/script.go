package main

import (
	"regexp"
	"strings"
)

// A script is cut into statements as the mysql client does it.
type script struct {
	text      string
	delimiter string
}

var (
	// commands are the client's own, which end with their line and begin a statement.
	commands    = regexp.MustCompile(`(?i)^(?:delimiter|source|system|prompt|warnings|nowarning|tee|notee|pager|nopager|\\[.!a-z])(?:[ \t][^\n]*|;?[ \t\r]*)(?:\n|$)`)
	delimiterIs = regexp.MustCompile(`(?i)^delimiter[ \t]+(\S+)`)
	useLine     = regexp.MustCompile("(?i)^use[ \t]+(`(?:[^`]|``)+`|[^\\s;]+)[ \t\r;]*(?:\n|$)")
)

// next is the next statement, without its end. plain says that backslashes are characters like others.
func (s *script) next(plain bool) (string, bool) {
	for {
		s.text = strings.TrimLeft(s.text, " \t\r\n\v\f")
		if s.text == "" {
			return "", false
		}
		if line := commands.FindString(s.text); line != "" {
			if m := delimiterIs.FindStringSubmatch(line); m != nil {
				s.delimiter = m[1]
			}
			s.text = s.text[len(line):]
			continue
		}
		if line := useLine.FindString(s.text); line != "" {
			s.text = s.text[len(line):]
			return strings.TrimRight(line, " \t\r\n;"), true
		}
		statement := s.cut(plain)
		if bare := strings.TrimSpace(statement); bare != "" && skipSpace(bare) < len(bare) {
			return bare, true
		}
	}
}

// cut takes what comes before the delimiter.
func (s *script) cut(plain bool) string {
	if s.delimiter == "" {
		s.delimiter = ";"
	}
	for i := 0; i < len(s.text); {
		rest := s.text[i:]
		switch n := comment(rest); {
		case strings.HasPrefix(rest, s.delimiter):
			statement := s.text[:i]
			s.text = s.text[i+len(s.delimiter):]
			return statement
		case n > 0:
			i += n
		case rest[0] == '\'' || rest[0] == '"' || rest[0] == '`':
			i += quoted(rest, plain || rest[0] == '`')
		default:
			i++
		}
	}
	statement := s.text
	s.text = ""
	return statement
}

// comment is how long the comment is that text begins with. One that servers execute is none.
func comment(text string) int {
	switch {
	case text[0] == '#', strings.HasPrefix(text, "--") && (len(text) == 2 || text[2] <= ' '):
		if n := strings.IndexByte(text, '\n'); n >= 0 {
			return n + 1
		}
		return len(text)
	case strings.HasPrefix(text, "/*") && !strings.HasPrefix(text, "/*!") && !strings.HasPrefix(text, "/*M!"):
		if n := strings.Index(text[2:], "*/"); n >= 0 {
			return n + 4
		}
		return len(text)
	}
	return 0
}

// quoted is how long the text in quotes is.
func quoted(text string, plain bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && !plain:
			i++
		case text[i] == text[0]: // a doubled one begins another
			return i + 1
		}
	}
	return len(text)
}

// skipSpace is where the first thing stands that is neither space nor comment.
func skipSpace(text string) int {
	for i := 0; i < len(text); {
		switch n := comment(text[i:]); {
		case n > 0:
			i += n
		case text[i] <= ' ':
			i++
		default:
			return i
		}
	}
	return len(text)
}
