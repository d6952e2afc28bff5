package doristest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// A column of a table. Its place among the columns never changes: what is dropped leaves a
// gap, so that rows stay as they are, as with light schema change.
type column struct {
	name     string
	typ      colType
	key      bool
	nullable bool
	def      *string
	comment  string
	dropped  bool
}

// A cell is a value in its canonical text; nil is NULL.
type cell = *string

// A row has a cell for each column that its table had when it was loaded.
type row []cell

// A table holds what is visible of it.
type table struct {
	name      string
	columns   []*column
	unique    bool
	mow       bool // unique, and merged on write
	light     bool
	seq       bool    // rows have a sequence
	seqCol    *column // that it is, unless it is hidden
	props     map[string]string
	comment   string
	partition *partitioning // of its own accord, if any
	tail      string        // of its DDL: distribution and so on

	byKey map[string]stored // of a unique table
	all   []row             // of a duplicate one
	jobs  []*alterJob
}

// stored is a row of a unique table, or that it was deleted at that sequence.
type stored struct {
	row     row
	seq     string
	deleted bool
}

// A loaded row is one of a transaction.
type loaded struct {
	row     row
	seq     string
	deleted bool
}

type database struct {
	tables map[string]*table
	txns   []*txn // in the order in which they were begun
}

func newTable(name string) *table {
	return &table{name: name, props: map[string]string{}, byKey: map[string]stored{}}
}

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if !c.dropped && strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// visible are the columns that are not dropped.
func (t *table) visible() []*column {
	return slices.DeleteFunc(slices.Clone(t.columns), func(c *column) bool { return c.dropped })
}

// at is a row's cell of a column, which the row may be too old to have.
func (t *table) at(r row, c *column) cell {
	if i := slices.Index(t.columns, c); i < len(r) {
		return r[i]
	}
	return c.def
}

// keyOf tells rows of a unique table apart: by bytes, whatever the collation elsewhere.
func (t *table) keyOf(r row) string {
	var b strings.Builder
	for i, c := range t.columns {
		switch {
		case !c.key:
		case i >= len(r) || r[i] == nil:
			b.WriteString("n;")
		default:
			b.WriteString(strconv.Itoa(len(*r[i])) + ":" + *r[i] + ";")
		}
	}
	return b.String()
}

// apply makes the rows of a transaction visible. Of rows of one key in one load, without a
// sequence, any may be the one that stays: Doris promises no order.
func (t *table) apply(rows []loaded) {
	if !t.unique {
		for _, l := range rows {
			t.all = append(t.all, l.row)
		}
		return
	}
	rows = slices.Clone(rows)
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for _, l := range rows {
		key := t.keyOf(l.row)
		have, ok := t.byKey[key]
		if ok && t.seq && compareSeq(l.seq, have.seq) < 0 {
			continue
		}
		if l.deleted && !t.seq {
			delete(t.byKey, key)
			continue
		}
		t.byKey[key] = stored(l)
	}
}

// rows are those that queries see, in the order of their keys.
func (t *table) rows() []row {
	if !t.unique {
		return t.all
	}
	var out []row
	for _, k := range slices.Sorted(maps.Keys(t.byKey)) {
		if s := t.byKey[k]; !s.deleted {
			out = append(out, s.row)
		}
	}
	return out
}

// count is how many these are.
func (t *table) count() int {
	n := len(t.all)
	for _, s := range t.byKey {
		if !s.deleted {
			n++
		}
	}
	return n
}

func (t *table) empty() {
	t.byKey, t.all = map[string]stored{}, nil
}

// errSQL is an answer to a statement, by MySQL's number.
type sqlError struct {
	code uint16
	text string
}

func (e *sqlError) Error() string { return e.text }

func refuse(format string, args ...any) error {
	return &sqlError{1105, "errCode = 2, detailMessage = " + fmt.Sprintf(format, args...)}
}

func (c *Cluster) database(name string) (*database, error) {
	if db := c.dbs[name]; db != nil {
		return db, nil
	}
	return nil, &sqlError{1049, "errCode = 2, detailMessage = Unknown database '" + name + "'"}
}

func (c *Cluster) table(db, name string) (*table, error) {
	d, err := c.database(db)
	if err != nil {
		return nil, err
	}
	if t := d.tables[name]; t != nil {
		return t, nil
	}
	return nil, refuse("Unknown table '%s'", name)
}

var errClosed = errors.New("the cluster is closed")
