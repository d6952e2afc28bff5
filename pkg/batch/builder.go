package batch

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Builder collects rows of one table into batches. Append one value to each
// column, then call EndRow.
type Builder struct {
	Columns []Column // one per column of the table, in column order

	table *schema.Table
	rows  int
	bytes int
}

// NewBuilder returns a Builder whose buffers come from mem.
func NewBuilder(t *schema.Table, mem memory.Allocator) (*Builder, error) {
	b := &Builder{table: t, Columns: make([]Column, len(t.Columns))}
	for i, f := range t.Arrow.Fields() {
		if b.Columns[i] = newColumn(f.Type, mem); b.Columns[i] == nil {
			return nil, fmt.Errorf("column %s of %s: no builder for %s", f.Name, t, f.Type)
		}
	}
	return b, nil
}

func newColumn(dt arrow.DataType, mem memory.Allocator) Column {
	switch dt.ID() {
	case arrow.INT32, arrow.DATE32:
		return NewFixed[int32](dt, mem)
	case arrow.INT64, arrow.TIMESTAMP:
		return NewFixed[int64](dt, mem)
	case arrow.FLOAT32:
		return NewFixed[float32](dt, mem)
	case arrow.FLOAT64:
		return NewFixed[float64](dt, mem)
	case arrow.DECIMAL128:
		return NewFixed[decimal128.Num](dt, mem)
	case arrow.STRING, arrow.BINARY:
		return NewBytes(dt, mem)
	case arrow.BOOL:
		return NewBools(mem)
	case arrow.LIST:
		return NewFloatList(dt, mem)
	}
	return nil
}

// EndRow completes a row that weighed bytes on the wire.
func (b *Builder) EndRow(bytes int) {
	b.rows++
	b.bytes += bytes
}

// Rows returns the number of complete rows collected.
func (b *Builder) Rows() int { return b.rows }

// Bytes returns what the rows collected weighed on the wire.
func (b *Builder) Bytes() int { return b.bytes }

// Batch returns the rows collected and begins anew.
func (b *Builder) Batch() *Batch {
	cols := make([]arrow.Array, len(b.Columns))
	for i, c := range b.Columns {
		cols[i] = c.array(b.rows)
	}
	out := &Batch{Table: b.table, Bytes: b.bytes, Rows: array.NewRecordBatch(b.table.Arrow, cols, int64(b.rows))}
	for _, a := range cols {
		a.Release()
	}
	b.rows, b.bytes = 0, 0
	return out
}
