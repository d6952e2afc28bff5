package main

import (
	"slices"
	"strings"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// A topicTables says which of the tables that topics bring are wanted, to those who read
// and to those who write, and remembers some that are not.
type topicTables struct {
	mu      sync.Mutex
	include []string
	m       *reader.Matcher
	others  []string // sorted
}

func newTopicTables(o reader.Selection) (*topicTables, error) {
	m, err := o.Matcher()
	return &topicTables{include: o.Include, m: m}, err
}

// mostOthers bounds what is remembered: topics may bring any number of names.
const mostOthers = 1000

func (t *topicTables) match(db, table string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m.Match(db, table) {
		return true
	}
	name := db + "." + table
	if i, known := slices.BinarySearch(t.others, name); !known && len(t.others) < mostOthers {
		t.others = slices.Insert(t.others, i, name)
	}
	return false
}

// unused tells of patterns of --tables that no table has matched, "" if there are none. One
// of several may be of a table that has not changed: it counts only if other tables came.
func (t *topicTables) unused() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	unused := slices.DeleteFunc(t.m.Unused(), func(p string) bool { return !slices.Contains(t.include, p) })
	if len(unused) == 0 || len(unused) < len(t.include) && len(t.others) == 0 {
		return ""
	}
	text := "no table in the topics matches --tables " + strings.Join(unused, ",")
	if len(t.others) > 0 {
		text += "; they have brought " + progress.Some(t.others)
	}
	return progress.Printable(text)
}
