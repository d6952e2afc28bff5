package verify

import (
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Kind says how a row differs.
type Kind string

// The kinds.
const (
	Missing Kind = "missing" // at the sink
	Extra   Kind = "extra"   // there
	Changed Kind = "changed" // other values
	Doubled Kind = "doubled" // more rows of a key, or fewer, than the source has
)

// A Result is what came of one table.
type Result struct {
	Table                string
	SourceRows, SinkRows int64
	// Deleted is how many rows more the sink has that are marked as deleted.
	Deleted int64
	// Sampled is how many of the source's rows were compared, where that is a sample: what differs is
	// among them.
	Sampled int64
	// How many rows differ, by their kinds. Doubled are rows beyond those of the source.
	Missing, Extra, Changed, Doubled int64
	// Unsettled are rows that were written to whenever they were looked at: nothing can be said of them.
	Unsettled int64
	// Many is in how many parts of the table rows differ, where these are too many to be told apart; else 0.
	Many int64
	// Behind is that the sink has not come to the source's point in all the time that it was given.
	Behind   bool
	Position batch.Position // of the sink's commit that was compared last
	Rows     []Difference   // some of them, by their keys
	Err      error          // why the table could not be compared
	Took     time.Duration

	hashes map[uint64]bool // of the keys that differ
}

// Only returns the rows that differ, for a Redo; nil, which is all of them, if they are too many to be
// told apart.
func (r *Result) Only() map[uint64]bool {
	if r.Many > 0 {
		return nil
	}
	return r.hashes
}

// Differs reports whether the sink has other rows than the source.
func (r *Result) Differs() bool { return r.Missing+r.Extra+r.Changed+r.Doubled+r.Many > 0 }

// A Difference is one row that differs.
type Difference struct {
	Kind    Kind
	Key     []Value  // of the primary key; without one, all columns
	Columns []Column // that differ, of one that is Changed
}

// A Value is one of a row; nil is NULL.
type Value struct {
	Column string
	Text   *string
}

// A Column is one whose values differ; nil is NULL.
type Column struct {
	Name         string
	Source, Sink *string
}

// difference tells of a pair. What cannot be decoded is left out: it was encoded here.
func difference(kind Kind, columns []schema.Column, key []int, p *pair) Difference {
	d := Difference{Kind: kind}
	one := p.source
	if one == nil {
		one = p.sink
	}
	values, err := decode(columns, one)
	if err != nil {
		return d
	}
	for i, v := range values {
		if key == nil || slices.Contains(key, i) {
			d.Key = append(d.Key, Value{v.column.Name, v.pointer()})
		}
	}
	if kind != Changed {
		return d
	}
	theirs, err := decode(columns, p.sink)
	if err != nil {
		return d
	}
	for i, v := range values {
		if o := theirs[i]; o.null != v.null || o.text != v.text {
			d.Columns = append(d.Columns, Column{v.column.Name, v.pointer(), o.pointer()})
		}
	}
	return d
}

func (v *value) pointer() *string {
	if v.null {
		return nil
	}
	return &v.text
}
