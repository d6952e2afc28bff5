// Package mem is a sink that lives in memory, for tests.
package mem

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A State is the destination: what survives a crash of the program that writes
// it. Open as many Sinks on it as there are restarts. It is safe for concurrent
// use.
type State struct {
	mu        sync.Mutex
	tables    map[name]*table
	loseReply bool
	inUse     int
}

// name keeps "a.b"."c" and "a"."b.c" apart.
type name struct{ db, table string }

func nameOf(t *schema.Table) name { return name{t.DB, t.Name} }

// A table is what the destination knows of a table.
type table struct {
	shape   *schema.Table // of the source when the last commit was made; nil until something is visible
	columns *schema.Table // of the rows
	rows    []batchtest.Row
	pos     batch.Position
	tagged  string // by it
	added   bool   // rows were added to others, and may be there twice
	history []Version

	// latest is the stage of the writer opened last. It belongs to the State, as
	// staged files do to a lake, so that a sink that forgets to discard it fails
	// its tests.
	latest  *stage
	amended bool // that one has committed once, and goes on no further
	kept    *kept
}

// A Version is what a table held from one commit to the next.
type Version struct {
	Position  batch.Position
	Rows      []batchtest.Row // not to be changed
	Committed time.Time
}

func (s *State) table(t *schema.Table) *table {
	if s.tables == nil {
		s.tables = map[name]*table{}
	}
	n := nameOf(t)
	if s.tables[n] == nil {
		s.tables[n] = &table{}
	}
	return s.tables[n]
}

// Put makes a table that this program has not written: rows without a position.
func (s *State) Put(t *schema.Table, rows []batchtest.Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.table(t) = table{shape: t, columns: t, rows: slices.Clone(rows)}
}

// Rows returns what a reader of the table sees, with the columns of t.
func (s *State) Rows(t *schema.Table) []batchtest.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	tab := s.table(t)
	return slices.Clone(reshape(tab.rows, tab.columns, t))
}

// Position returns the position of the table's last commit, or "".
func (s *State) Position(t *schema.Table) batch.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table(t).pos
}

// Commits returns how often something was published in the table.
func (s *State) Commits(t *schema.Table) int { return len(s.History(t)) }

// History returns all that commits have published in the table, oldest first.
func (s *State) History(t *schema.Table) []Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.table(t).history)
}

// list is Sink.List.
func (s *State) list() []writer.Held {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []writer.Held
	for n, tab := range s.tables {
		if tab.pos == "" {
			continue
		}
		last := tab.history[len(tab.history)-1]
		held = append(held, writer.Held{
			Name: n.db + "." + n.table, Source: tab.shape.String(), Position: tab.pos, Shape: tab.shape.Shape(),
			Committed: last.Committed, Rows: int64(len(tab.rows)),
		})
	}
	slices.SortFunc(held, func(a, b writer.Held) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
	})
	return held
}

// InUse returns how many Writers have not been closed.
func (s *State) InUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}

// LoseReply lets the next commit, be it of one table or of several, take effect
// and yet fail, with the writers none the wiser: they cannot know whether what
// they staged has been published.
func (s *State) LoseReply() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loseReply = true
}
