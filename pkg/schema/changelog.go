package schema

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Meta says which fact about a change a column holds, if it does not hold a
// value of the source's row.
type Meta uint8

// The kinds of Meta, in the order in which Changelog adds their columns.
const (
	NotMeta  Meta = iota
	MetaOp        // string, one of the Op… constants
	MetaTime      // timestamp, microseconds, UTC: when the source committed the change; null for stock
	MetaGTID      // string: the transaction's GTID; null for stock and where the source has none
	// MetaPos is a string that sorts as the changes of one server do: log file,
	// offset of the event's end in 20 digits, number of the row within the event
	// in 8 digits, with colons between them. For stock it is null.
	MetaPos
)

// What a MetaOp column says of its row.
const (
	OpRead     = "r" // was there when the stock was read
	OpInsert   = "c"
	OpBefore   = "b" // old image of an update; the row after it is the new one
	OpUpdate   = "u" // new image of an update; without OpBefore before it, a row that takes the place of any of its key
	OpDelete   = "d"
	OpTruncate = "t" // the table was emptied: all of the source's columns are null
)

var metaColumns = []Column{
	{Name: "_op", Meta: MetaOp, Arrow: arrow.BinaryTypes.String},
	{Name: "_ts", Meta: MetaTime, Arrow: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "_gtid", Meta: MetaGTID, Arrow: arrow.BinaryTypes.String, Nullable: true},
	{Name: "_pos", Meta: MetaPos, Arrow: arrow.BinaryTypes.String, Nullable: true},
}

// Column returns the name of the columns of a kind.
func (m Meta) Column() string { return metaColumns[m-1].Name }

// Changelog returns the shape in which every change of t is a row of its own:
// t's columns, all nullable, and _op, _ts, _gtid, _pos. It has no key, for t's is that
// of many rows now: it is the RowKey.
func Changelog(t *Table) (*Table, error) {
	columns := slices.Clone(t.Columns)
	for i := range columns {
		columns[i].Nullable = true // of a table that was emptied nothing is known
		for _, m := range metaColumns {
			if columns[i].Name == m.Name {
				err := fmt.Errorf("column %s has the name of one that is to be added", m.Name)
				return nil, &TableError{Table: t.String(), Err: hint.Wrap(err, "leave the table out with --exclude")}
			}
		}
	}
	c := New(t.DB, t.Name, append(columns, metaColumns...), nil)
	c.Comment, c.Rows, c.Bytes, c.Filter, c.Whole = t.Comment, t.Rows, t.Bytes, t.Filter, t.Whole
	c.RowKey, c.Shaping, c.Unfit = t.Key, t.Shaping, t.Unfit
	if t.Base != nil {
		var err error
		if c.Base, err = Changelog(t.Base); err != nil {
			return nil, err
		}
	}
	if t.Now != nil {
		var err error
		if c.Now, err = Changelog(t.Now); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// ChangelogLike is Changelog of a table that was read from a shape, which does not tell the key of
// such a table: it is that of another one, as far as the columns of its names are there.
func ChangelogLike(t, like *Table) (*Table, error) {
	c, err := Changelog(t)
	if err != nil || len(c.RowKey) > 0 {
		return c, err
	}
	var key []int
	for _, k := range like.RowKey {
		at := c.Index(like.Columns[k].Name)
		if at < 0 {
			return c, nil
		}
		key = append(key, at)
	}
	c.RowKey = key
	return c, nil
}

// Imaged returns a table with a key in the form in which a log tells all of each change: rows
// that went, or were others, come with all of their columns, each update with its Before, and
// the columns of a changelog say whence.
func Imaged(t *Table) *Table {
	c := New(t.DB, t.Name, append(slices.Clone(t.Columns), metaColumns...), t.Key)
	c.Comment, c.Rows, c.Bytes, c.Filter, c.Whole = t.Comment, t.Rows, t.Bytes, t.Filter, t.Whole
	if t.Now != nil {
		c.Now = Imaged(t.Now)
	}
	return c
}

// IsChangelog reports whether the table has the shape that Changelog makes.
func (t *Table) IsChangelog() bool { return t.HasMeta() && len(t.Key) == 0 }

// IsImaged reports whether the table has the shape that Imaged makes.
func (t *Table) IsImaged() bool { return t.HasMeta() && len(t.Key) > 0 }

// HasMeta reports whether it is either of the two.
func (t *Table) HasMeta() bool {
	n := len(t.Columns)
	return n > 0 && t.Columns[n-1].Meta != NotMeta
}

// Arrow returns the type of the columns of a kind.
func (m Meta) Arrow() arrow.DataType { return metaColumns[m-1].Arrow }
