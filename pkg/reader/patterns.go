package reader

import (
	"slices"
	"strings"
)

// A PatternIndex holds patterns as those of a Selection and finds those that are about a
// table without trying each: thousands of tables may each have a pattern. Its zero value is
// ready for use. Reading it is safe from several goroutines once nothing is added any more.
type PatternIndex struct {
	patterns []pattern
	plain    map[string][]int // those that hold neither * nor ?, by their text
	wild     map[string][]int // the others, by what stands before the first of these
}

// Add adds a pattern. They are numbered from 0 on.
func (x *PatternIndex) Add(p string) {
	if x.plain == nil {
		x.plain, x.wild = map[string][]int{}, map[string][]int{}
	}
	i := len(x.patterns)
	x.patterns = append(x.patterns, pattern(p))
	if at := strings.IndexAny(p, "*?"); at >= 0 {
		x.wild[p[:at]] = append(x.wild[p[:at]], i)
	} else {
		x.plain[p] = append(x.plain[p], i)
	}
}

// Len returns how many patterns there are.
func (x *PatternIndex) Len() int { return len(x.patterns) }

// Find returns the numbers, in order, of the patterns that are about a table. Where only is
// not "", a pattern of a table alone is about that database's.
func (x *PatternIndex) Find(db, table, only string) []int {
	if len(x.patterns) == 0 {
		return nil
	}
	// What matches does so with one of two texts: the table's name, or that behind the
	// database's and a dot. Its beginning is thus one of theirs.
	full := db + "." + table
	found := slices.Clone(x.plain[full])
	if only == "" || only == db {
		found = append(found, x.plain[table]...)
	}
	try := func(prefix string) {
		for _, i := range x.wild[prefix] {
			if x.patterns[i].match(db, table, only) {
				found = append(found, i)
			}
		}
	}
	if len(x.wild) > 0 {
		for n := range len(full) + 1 {
			try(full[:n])
		}
		for n := range len(table) + 1 {
			if !strings.HasPrefix(full, table[:n]) { // it has been tried
				try(table[:n])
			}
		}
	}
	slices.Sort(found)
	return found
}
