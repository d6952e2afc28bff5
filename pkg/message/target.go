package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Decoder reads messages of one format. It is not for concurrent use.
type Decoder interface {
	// Decode reads one message into the Decoder's Target. Of one that is an error
	// nothing stays there. A message without a value says nothing.
	Decode(key, value []byte) error
}

// A Placer is a Decoder that tells with its rows where they come from.
type Placer interface {
	// At comes before each Decode and says where the message was read, and what its own
	// time is; the zero time if it has none.
	At(topic string, partition int32, offset int64, at time.Time)
}

// A Sampler is a Decoder that can make use of messages before they are decoded.
type Sampler interface {
	// Sample may come before the first Decode, with values of the first messages that are
	// there to be decoded: a thousand or a mebibyte of them are plenty. It does not keep
	// them. An error is none of a message.
	Sample(values [][]byte) error
}

// A Target is where a Decoder puts what it reads.
type Target interface {
	// Rows returns where the changes of a table go, once for each shape that it is met
	// in, and again when those are Over; nil if they are not wanted. The table is as
	// messages describe it.
	Rows(t *schema.Table) (*Rows, error)
	// Emptied says that a table was emptied.
	Emptied(db, table string, c Change) error
}

// A Knower is a Target that can tell what a table is at the sink.
type Knower interface {
	// Known returns the shape of a table as it is there, or as this run has made it
	// meanwhile; nil if there is none yet. A Decoder that has to guess at types asks it
	// first, so that its guess is that of the run before.
	Known(db, table string) (*schema.Table, error)
}

// A Change is what a message tells of its rows beside their values.
type Change struct {
	// Once says that the message is there once, as this program has written it. Others
	// may repeat theirs: their inserts are taken for rows that may be there already.
	Once   bool
	Stock  bool  // its rows were read from a table, and not from a log
	Micros int64 // when the source committed it, in microseconds since 1970; 0 if not known
	// GTID and Pos are as the columns of schema.MetaGTID and MetaPos have them; "" if not
	// known. They may share memory with the message.
	GTID, Pos []byte
}

// Changes collects changes of one table until they become a batch.
type Changes struct {
	// Table is the shape that they have here: it may have more columns than a message, and
	// wider ones, and may be a changelog.
	Table   *schema.Table
	Builder *batch.Builder
	Ops     []batch.Op
	// Micros, if set, gets the Micros of each change that tells them.
	Micros *int64
	Over   bool // nothing is to be put here any more: the table has got another shape

	told mark // rows whose change is known
}

// NewChanges returns Changes whose memory comes from mem.
func NewChanges(t *schema.Table, mem memory.Allocator) (*Changes, error) {
	b, err := batch.NewBuilder(t, mem)
	if err != nil {
		return nil, err
	}
	return &Changes{Table: t, Builder: b}, nil
}

// at notes when the source committed a change.
func (c *Changes) at(micros int64) {
	if micros != 0 && c.Micros != nil {
		*c.Micros = micros
	}
}

// Batch returns what was collected and begins anew.
func (c *Changes) Batch() *batch.Batch {
	b := c.Builder.Batch()
	if !c.Table.IsChangelog() && len(c.Table.Key) > 0 {
		b.Ops = c.Ops
	}
	c.Ops, c.told = nil, mark{}
	return b
}

// Emptied returns a batch that says that the table was emptied: what was collected has to
// be taken before. A changelog has a row of it.
func (c *Changes) Emptied(what Change) *batch.Batch {
	if !c.Table.IsChangelog() {
		return &batch.Batch{Table: c.Table, Emptied: true}
	}
	n := len(own(c.Table))
	for _, col := range c.Builder.Columns[:n] {
		col.Null()
	}
	c.meta(schema.OpTruncate, what)
	c.Builder.EndRow(0)
	return c.Batch()
}

// Rows puts the changes of a table, as messages of one shape have them, among its Changes.
type Rows struct {
	Into *Changes
	// Skip, if set, tells whether the message at hand is to be left out.
	Skip func() bool
	// Covers, if set, tells of a change by its GTID whether it is to be left out.
	Covers func(gtid []byte) bool
	// Loose is the time, in microseconds since 1970, up to which rows may be there already that
	// are inserted; changes that tell none count as earlier. 0: none are.
	Loose int64

	log   bool // Into is a changelog
	shape *schema.Table
	place []int          // of each of the shape's columns, among those of Into
	rest  []batch.Column // that the shape has not
}

// NewRows returns Rows of a table in one shape. Into has all of its columns.
func NewRows(shape *schema.Table, into *Changes) (*Rows, error) {
	r := &Rows{Into: into, shape: shape, log: into.Table.IsChangelog(), place: make([]int, len(shape.Columns))}
	there := make(map[string]int, len(into.Table.Columns))
	for i, c := range own(into.Table) {
		there[strings.ToLower(c.Name)] = i
	}
	for i, c := range shape.Columns {
		at, ok := there[strings.ToLower(c.Name)]
		if !ok {
			return nil, fmt.Errorf("%s: there is no column %s", into.Table, c.Name)
		}
		r.place[i] = at
		delete(there, strings.ToLower(c.Name))
	}
	for _, at := range there {
		r.rest = append(r.rest, into.Builder.Columns[at])
	}
	return r, nil
}

// Column returns the shape's i-th column, with the Arrow type that it has here, and where
// its values go.
func (r *Rows) Column(i int) (schema.Column, batch.Column) {
	c := r.shape.Columns[i]
	c.Arrow = r.Into.Table.Columns[r.place[i]].Arrow
	return c, r.Into.Builder.Columns[r.place[i]]
}

// typed is Column with the type by which values are to be read: that of here, where the
// shape's was guessed or has become another one.
func (r *Rows) typed(i int) (schema.Column, batch.Column) {
	c, col := r.Column(i)
	if here := r.Into.Table.Columns[r.place[i]]; c.Guessed || r.shape.Columns[i].Arrow.ID() != here.Arrow.ID() {
		c.Type, c.Native = here.Type, here.Native
	}
	return c, col
}

// Old reports whether updates are wanted with a whole row of before, however little they
// have changed; else those alone have one that have changed the key.
func (r *Rows) Old() bool { return r.log }

// End completes a row, of which every column of the shape has got a value.
func (r *Rows) End(op batch.Op, size int) {
	for _, c := range r.rest {
		c.Null()
	}
	r.Into.Builder.EndRow(size)
	r.Into.Ops = append(r.Into.Ops, op)
}

// Tell says of the rows that have ended since it was called last what their message tells.
func (r *Rows) Tell(c Change) {
	n := r.Into
	n.at(c.Micros)
	if r.Covers != nil && r.Covers(c.GTID) {
		n.back(n.told)
		return
	}
	for i := n.told.rows; i < len(n.Ops); i++ {
		if r.log {
			op := letters[n.Ops[i]]
			if c.Stock && op == schema.OpInsert {
				op = schema.OpRead
			}
			n.meta(op, c)
		} else if op := &n.Ops[i]; *op == batch.Insert && (!c.Once || c.Micros < r.Loose) {
			*op = batch.After
		}
	}
	n.know()
}

var letters = [...]string{batch.Insert: schema.OpInsert, batch.Before: schema.OpBefore, batch.After: schema.OpUpdate, batch.Delete: schema.OpDelete}

// meta appends what a changelog has beside a row.
func (c *Changes) meta(op string, what Change) {
	cols := c.Builder.Columns[len(own(c.Table)):]
	cols[schema.MetaOp-1].(*batch.Bytes).Append([]byte(op))
	if at := cols[schema.MetaTime-1].(*batch.Fixed[int64]); what.Micros != 0 && op != schema.OpRead {
		at.Append(what.Micros)
	} else {
		at.Null()
	}
	textOr(cols[schema.MetaGTID-1], what.GTID)
	textOr(cols[schema.MetaPos-1], what.Pos)
}

// textOr appends a text, or null if there is none.
func textOr(col batch.Column, text []byte) {
	if len(text) == 0 {
		col.Null()
		return
	}
	col.(*batch.Bytes).Append(text)
}

// A mark is a place among Changes to go back to.
type mark struct{ rows, bytes int }

func (c *Changes) mark() mark { return mark{c.Builder.Rows(), c.Builder.Bytes()} }

// back drops what has come since.
func (c *Changes) back(m mark) {
	c.Builder.Cut(m.rows, m.bytes)
	c.Ops = c.Ops[:m.rows]
	if c.told.rows > m.rows {
		c.told = m
	}
}

// know says that the change of all rows is known.
func (c *Changes) know() { c.told = c.mark() }
