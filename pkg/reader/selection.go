package reader

import (
	"fmt"
	"strings"
)

// A Selection says which tables a run is about.
type Selection struct {
	// Include and Exclude hold patterns as "db.table" or, where the source's URL
	// names a database, "table". In both parts * stands for any run of
	// characters and ? for one. Names may hold dots: any dot may be the one that
	// parts database and table. No Include means every table.
	Include, Exclude []string
	// DB is the database that a pattern without a dot is about, and the only
	// one that an empty Include covers; "" means all.
	DB string
}

// A Matcher is a Selection ready for use. It remembers which patterns have
// matched, so that a misspelt one can be told.
type Matcher struct {
	include, exclude []pattern
	db               string
	used             []bool
}

type pattern string

// Matcher checks the patterns.
func (s Selection) Matcher() (*Matcher, error) {
	m := &Matcher{db: s.DB, used: make([]bool, len(s.Include))}
	var err error
	if m.include, err = parsePatterns(s.Include, s.DB); err != nil {
		return nil, err
	}
	m.exclude, err = parsePatterns(s.Exclude, s.DB)
	return m, err
}

func parsePatterns(texts []string, db string) ([]pattern, error) {
	ps := make([]pattern, len(texts))
	for i, text := range texts {
		// Somewhere there must be a dot with something on both sides of it.
		if text == "" || db == "" && (len(text) < 3 || !strings.Contains(text[1:len(text)-1], ".")) {
			return nil, fmt.Errorf("bad table pattern %q: want database.table", text)
		}
		ps[i] = pattern(text)
	}
	return ps, nil
}

// Match reports whether the table is selected.
func (m *Matcher) Match(db, table string) bool {
	hit := len(m.include) == 0 && (m.db == "" || m.db == db)
	for i, p := range m.include {
		if p.match(db, table, m.db) {
			hit, m.used[i] = true, true
		}
	}
	for _, p := range m.exclude {
		hit = hit && !p.match(db, table, m.db)
	}
	return hit
}

// Unused returns the include patterns that have matched no table.
func (m *Matcher) Unused() []string {
	var out []string
	for i, p := range m.include {
		if !m.used[i] {
			out = append(out, string(p))
		}
	}
	return out
}

// match reports whether the pattern is about the table. In the database only,
// if there is one, the whole pattern may be the table's name.
func (p pattern) match(db, table, only string) bool {
	if only != "" && only == db && glob(string(p), table) {
		return true
	}
	for i, c := range p {
		if c == '.' && glob(string(p[:i]), db) && glob(string(p[i+1:]), table) {
			return true
		}
	}
	return false
}

// glob matches like path.Match, but only * and ? are special: table names may
// hold brackets and backslashes.
func glob(pat, s string) bool {
	// back and mark are where the last * was and what it had eaten up to.
	p, i, back, mark := 0, 0, -1, 0
	ps, ss := []rune(pat), []rune(s)
	for i < len(ss) {
		switch {
		case p < len(ps) && ps[p] == '*':
			back, mark = p, i
			p++
		case p < len(ps) && (ps[p] == '?' || ps[p] == ss[i]):
			p, i = p+1, i+1
		case back >= 0:
			mark++
			p, i = back+1, mark
		default:
			return false
		}
	}
	for p < len(ps) && ps[p] == '*' {
		p++
	}
	return p == len(ps)
}
