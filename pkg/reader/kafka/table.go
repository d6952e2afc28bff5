package kafka

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A table is one that has turned up, or that the sink holds.
type table struct {
	name     string
	from     offsets                // what comes before it the sink has
	held     string                 // the shape that the sink holds it in
	covers   func(gtid []byte) bool // which changes its rows show, if that is known
	loose    int64                  // until when there may be such, in microseconds since 1970
	shape    *schema.Table          // that takes the rows of all messages so far
	changes  *message.Changes
	rows     bool // some have come in this shape since the run began, or since the table was emptied
	unwanted bool
}

// An ownError is one that a Decoder passes on, and that says nothing of its message.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

func (e *ownError) Unwrap() error { return e.err }

// know notes what the sink holds of a table.
func (l *log) know(name string, h reader.Held, from offsets) error {
	covers, until, err := l.share.feed.marked(name, h.Position)
	l.tables[name] = &table{name: name, held: h.Shape, covers: covers, loose: until, from: from}
	return err
}

// batch takes what has come of the table's changes, nil if nothing has.
func (t *table) batch() *batch.Batch {
	if t.changes == nil || t.changes.Builder.Rows() == 0 {
		return nil
	}
	t.rows = true
	return t.changes.Batch()
}

// Rows implements message.Target.
func (l *log) Rows(shape *schema.Table) (*message.Rows, error) {
	t := l.tables[shape.String()]
	if t == nil {
		t = &table{name: shape.String()}
		l.tables[t.name] = t
	}
	if t.unwanted {
		return nil, nil //nolint:nilnil // what Target says
	}
	if err := l.reshape(t, shape); err != nil {
		return nil, &ownError{err}
	}
	if t.unwanted {
		return nil, nil //nolint:nilnil // what Target says
	}
	rows, err := message.NewRows(shape, t.changes)
	if err != nil {
		return nil, &ownError{err}
	}
	rows.Covers, rows.Loose = t.covers, t.loose
	for p, at := range t.from {
		if pr := l.parts[p]; pr != nil && at > pr.next {
			rows.Skip = func() bool { return l.has(t) }
			break
		}
	}
	return rows, nil
}

// has reports whether the sink has what the message at hand says of the table.
func (l *log) has(t *table) bool { return t.from != nil && l.at < t.from[l.cur.part] }

// reshape brings a table into a shape that takes rows of another as well.
func (l *log) reshape(t *table, more *schema.Table) error {
	shape := t.shape
	if shape == nil && t.held != "" {
		shape = t.known(more)
	}
	if shape == nil {
		shape = more
	}
	all, err := schema.Union(shape, more)
	if err != nil && !t.rows && (t.changes == nil || t.changes.Builder.Rows() == 0) {
		all, err = more, nil // the sink knows whether it has rows that are in the way
	}
	if err != nil || all == t.shape {
		return err
	}
	to, err := l.want(all)
	if err != nil {
		return err
	}
	if to == nil {
		t.unwanted = true
		return nil
	}
	changes, err := message.NewChanges(to, &l.pool)
	if err != nil {
		return &schema.TableError{Table: t.name, Err: err}
	}
	changes.Micros = &l.micros
	if err := l.flush(); err != nil { // of the messages before the one at hand
		return err
	}
	if t.changes == nil {
		l.order = append(l.order, t)
	} else {
		t.changes.Over = true
	}
	t.shape, t.changes = all, changes
	l.push(&batch.Batch{Table: to}) // nothing of others' is in between
	return nil
}

// known returns the shape that the sink holds the table in. One that cannot be read was
// written by another version: it is nil, and the sink will say what it thinks of the rows.
// That of a changelog does not tell the key, which is taken from like.
func (t *table) known(like *schema.Table) *schema.Table {
	shape, err := schema.FromShape(like.DB, like.Name, t.held)
	if err != nil || len(shape.Key) > 0 {
		return shape
	}
	var key []int
	for _, k := range like.Key {
		i := slices.IndexFunc(shape.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, like.Columns[k].Name) })
		if i < 0 {
			return shape
		}
		shape.Columns[i].Nullable = like.Columns[k].Nullable
		key = append(key, i)
	}
	return schema.New(shape.DB, shape.Name, shape.Columns, key)
}

// Emptied implements message.Target.
func (l *log) Emptied(db, name string, c message.Change) error {
	t := l.tables[db+"."+name]
	if t != nil && (t.unwanted || l.has(t) || t.covers != nil && t.covers(c.GTID)) || t == nil && l.foreign(db, name) {
		return nil
	}
	if c.Once && l.several(l.cur.topic) {
		if err := l.wait(db, name, c); err != nil {
			return &ownError{err}
		}
		return nil
	}
	if err := l.empty(db, name, c); err != nil {
		return &ownError{err}
	}
	return nil
}

// foreign reports whether a table is not wanted whose columns no message has told yet:
// nothing is to wait for it.
func (l *log) foreign(db, name string) bool {
	to, err := l.want(schema.New(db, name, nil, nil))
	return to == nil && err == nil
}

// several reports whether a topic has more than one partition. With a group others may
// have them.
func (l *log) several(topic string) bool {
	n := 0
	for p := range l.parts {
		if p.topic == topic {
			n++
		}
	}
	return n > 1 || l.share.feed.opts.Group != ""
}

// empty has a table emptied behind all that has come.
func (l *log) empty(db, name string, c message.Change) error {
	t := l.tables[db+"."+name]
	if t == nil || t.unwanted {
		return nil // nothing of it is there that could go
	}
	if t.changes == nil {
		shape, err := schema.FromShape(db, name, t.held)
		if err != nil {
			return &schema.TableError{Table: t.name, Err: fmt.Errorf("it is emptied, and what columns it has is not known: %w", err)}
		}
		if err := l.reshape(t, shape); err != nil || t.unwanted {
			return err
		}
	}
	if err := l.flush(); err != nil {
		return err
	}
	l.push(t.changes.Emptied(c))
	t.rows = false
	return nil
}
