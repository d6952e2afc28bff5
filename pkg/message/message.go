// Package message writes changes of tables as messages of a topic, in the formats
// that the field uses, and reads them back.
package message

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Record is one message.
type Record struct {
	// Key is what decides on the partition: it is the same for all changes of a row, as
	// long as the row's key is, and for all of a table that has none. That a table was
	// emptied is told in each of the partitions. In the format arrow, whose messages have
	// many rows, it is the table's alone, and the partition is that of each row's own.
	Key, Value []byte
	Partition  int32
}

// Partitions are those of the topic that messages are for.
type Partitions struct {
	Count int32
	Of    func(key []byte) int32 // where a record with this key goes
}

// An Encoder writes the changes of one table. It is not for concurrent use.
type Encoder interface {
	// Encode appends the messages of b, in order, to dst. They share memory with
	// nothing else. b is of the shape that schema.Changelog makes.
	Encode(dst []Record, b *batch.Batch) ([]Record, error)
}

// Formats are the formats that can be written, by name; the first is the usual one.
var Formats = []string{"canal-json", "debezium-json", "maxwell-json", "arrow"}

// Options tell an Encoder how to go about it.
type Options struct {
	Schemas      bool // of debezium-json: each message and key has its schema with it
	NoTombstones bool // of debezium-json: no message without a value follows the delete of a row
	// Limit, unless it is 0, is how many bytes key and value may have: if the delete of a row has
	// more, it goes with the columns of the key alone, and the others as NULL. Not in arrow.
	Limit int
}

// NewEncoder returns an Encoder of a format for a table that has the shape of
// schema.Changelog.
func NewEncoder(format string, t *schema.Table, p Partitions, o Options) (e Encoder, err error) {
	switch format {
	case "canal-json":
		e, err = NewCanal(t, p)
	case "debezium-json":
		e, err = NewDebezium(t, p, o)
	case "maxwell-json":
		e, err = NewMaxwell(t, p)
	case "arrow":
		e, err = NewArrow(t, p)
	default:
		return nil, fmt.Errorf("format %q is not known", format)
	}
	if err != nil {
		return nil, err
	}
	if w, ok := e.(interface{ bound(limit int) }); ok {
		w.bound(o.Limit)
	}
	return e, nil
}

// Auto is the name of the Decoder that finds out the format by itself.
const Auto = "auto"

// NewDecoder returns a Decoder of a format, or Auto, into to. It may be Partitioned.
func NewDecoder(format string, to Target) (Decoder, error) {
	switch format {
	case Auto:
		return &autoReader{to: to}, nil
	case "canal-json":
		return NewCanalReader(to), nil
	case "maxwell-json":
		return NewMaxwellReader(to), nil
	case "arrow":
		return NewArrowReader(to), nil
	case "debezium-json":
		return NewDebeziumReader(to), nil
	}
	return nil, fmt.Errorf("format %q is not known", format)
}

// changes are the columns of a changelog that tell of the change, of one batch.
type changes struct {
	op, gtid, pos *array.String
	time          *array.Timestamp
}

// changesOf finds the columns of a changelog in its rows.
func changesOf(t *schema.Table, rows arrow.RecordBatch) (c changes, err error) {
	for i, col := range t.Columns {
		ok := true
		switch col.Meta {
		case schema.MetaOp:
			c.op, ok = rows.Column(i).(*array.String)
		case schema.MetaTime:
			c.time, ok = rows.Column(i).(*array.Timestamp)
		case schema.MetaGTID:
			c.gtid, ok = rows.Column(i).(*array.String)
		case schema.MetaPos:
			c.pos, ok = rows.Column(i).(*array.String)
		}
		if !ok {
			return c, fmt.Errorf("column %s of %s is a %s", col.Name, t, rows.Column(i).DataType())
		}
	}
	if c.op == nil || c.gtid == nil || c.pos == nil || c.time == nil {
		return c, fmt.Errorf("%s lacks columns of a changelog", t)
	}
	return c, nil
}

// micros is when the source committed the change of a row, in microseconds since
// 1970; 0 if that is not known, as of stock.
func (c *changes) micros(row int) int64 {
	if c.time.IsNull(row) {
		return 0
	}
	return int64(c.time.Value(row))
}

// own returns the columns that are the source's.
func own(t *schema.Table) []schema.Column {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Meta != schema.NotMeta {
		n--
	}
	return t.Columns[:n]
}
