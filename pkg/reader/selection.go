package reader

import (
	"errors"
	"strings"
)

// A Selection says which tables a run is about.
type Selection struct {
	// Include and Exclude hold patterns as "db.table" or "table". In both parts *
	// stands for any run of characters and ? for one. Names may hold dots: any
	// dot may be the one that parts database and table. No Include means every
	// table.
	Include, Exclude []string
	// DB is the database that a pattern of a table alone is about, and the only
	// one that an empty Include covers; "" means all.
	DB string
	// Missed, if set, is told of the patterns that match no table, if others do; else these are an
	// error of Tables.
	Missed func(patterns []string)
}

// A Matcher is a Selection ready for use. It remembers which patterns have
// matched, so that a misspelt one can be told.
type Matcher struct {
	include, exclude PatternIndex
	db               string
	used             map[pattern]bool
}

type pattern string

// Matcher checks the patterns.
func (s Selection) Matcher() (*Matcher, error) {
	m := &Matcher{db: s.DB, used: map[pattern]bool{}}
	return m, errors.Join(addPatterns(&m.include, s.Include), addPatterns(&m.exclude, s.Exclude))
}

func addPatterns(x *PatternIndex, texts []string) error {
	for _, text := range texts {
		if text == "" {
			return errors.New("a table pattern is empty")
		}
		x.Add(text)
	}
	return nil
}

// Match reports whether the table is selected.
func (m *Matcher) Match(db, table string) bool {
	hit := m.include.Len() == 0 && (m.db == "" || m.db == db)
	for _, i := range m.include.Find(db, table, m.db) {
		hit, m.used[m.include.patterns[i]] = true, true
	}
	for _, i := range m.exclude.Find(db, table, m.db) {
		hit, m.used[m.exclude.patterns[i]] = false, true
	}
	return hit
}

// Unused returns the patterns that have matched no table. Of those to exclude
// only plain names count: '*_tmp' may well be there for another day.
func (m *Matcher) Unused() []string {
	var out []string
	for _, p := range m.include.patterns {
		if !m.used[p] {
			out = append(out, string(p))
		}
	}
	for _, p := range m.exclude.patterns {
		if !m.used[p] && !strings.ContainsAny(string(p), "*?") {
			out = append(out, string(p))
		}
	}
	return out
}

// Wrong returns the patterns of Unused that are an error: those that Missed is not told of, as other
// tables were found.
func (s Selection) Wrong(m *Matcher, found int) []string {
	unused := m.Unused()
	if len(unused) == 0 || s.Missed == nil || found == 0 {
		return unused
	}
	s.Missed(unused)
	return nil
}

// match reports whether the pattern is about the table. In the database only, or
// in any if that is "", the whole pattern may be the table's name.
func (p pattern) match(db, table, only string) bool {
	if (only == "" || only == db) && Glob(string(p), table) {
		return true
	}
	for i, c := range p {
		if c == '.' && Glob(string(p[:i]), db) && Glob(string(p[i+1:]), table) {
			return true
		}
	}
	return false
}

// Glob matches like path.Match, but only * and ? are special: table names may
// hold brackets and backslashes.
func Glob(pat, s string) bool {
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
