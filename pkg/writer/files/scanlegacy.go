package files

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// scanLegacy reads a file of ParquetLegacy, whose timestamps the library makes nanoseconds of:
// those of MySQL that are before 1678 or behind 2262 have no place there. So they are read by
// themselves, beside the other columns of each group of rows.
func (f form) scanLegacy(ctx context.Context, rd *pqfile.Reader, pq *pqarrow.FileReader, leaves, at, only []int, each func(columns []arrow.Array, rows int) error) error {
	var others []int // leaves, in their order
	for n, i := range at {
		if f.types[i].ID() != arrow.TIMESTAMP {
			others = append(others, leaves[n])
		}
	}
	slices.Sort(others)
	for g := range rd.NumRowGroups() {
		group := legacyGroup{columns: make([]arrow.Array, len(f.columns)), left: rd.RowGroup(g).NumRows(), most: batchSize(rd.MetaData())}
		for n, i := range at {
			if t, ok := f.types[i].(*arrow.TimestampType); ok {
				column, err := rd.RowGroup(g).Column(leaves[n])
				if err != nil {
					return err
				}
				clock, ok := column.(*pqfile.Int96ColumnChunkReader)
				if !ok {
					return fmt.Errorf("column %s lies as %s", f.columns[i].Name, column.Type())
				}
				group.clocks = append(group.clocks, int96Column{clock, t, i})
			} else {
				group.others = append(group.others, [2]int{slices.Index(others, leaves[n]), i})
			}
		}
		if len(others) > 0 {
			records, err := pq.GetRecordReader(ctx, others, []int{g})
			if err != nil {
				return err
			}
			group.records = records
		}
		err := group.read(func(columns []arrow.Array, rows int) error { return f.scanned(ctx, columns, rows, only, each) })
		if group.records != nil {
			group.records.Release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A legacyGroup is a group of rows that is being read.
type legacyGroup struct {
	columns    []arrow.Array
	clocks     []int96Column
	records    pqarrow.RecordReader // of the other columns; nil if there are none
	others     [][2]int             // of each its place in the records, and among the columns
	left, most int64                // rows that are to come, and at once
}

func (g *legacyGroup) read(each func(columns []arrow.Array, rows int) error) error {
	for g.left > 0 {
		n := min(g.left, g.most)
		clear(g.columns)
		if g.records != nil {
			if !g.records.Next() {
				return cmp.Or(g.records.Err(), io.ErrUnexpectedEOF)
			}
			rec := g.records.RecordBatch()
			n = rec.NumRows()
			for _, o := range g.others {
				g.columns[o[1]] = rec.Column(o[0])
			}
		}
		g.left -= n
		var own []arrow.Array
		var err error
		for _, c := range g.clocks {
			var a arrow.Array
			if a, err = c.read(int(n)); err != nil {
				break
			}
			own, g.columns[c.at] = append(own, a), a
		}
		if err == nil {
			err = each(g.columns, int(n))
		}
		releaseAll(own)
		if err != nil {
			return err
		}
	}
	return nil
}

// An int96Column is one of timestamps as addInt96 of the writer has them.
type int96Column struct {
	*pqfile.Int96ColumnChunkReader
	typ *arrow.TimestampType
	at  int
}

func (c int96Column) read(n int) (arrow.Array, error) {
	b := array.NewTimestampBuilder(memory.DefaultAllocator, c.typ)
	defer b.Release()
	b.Reserve(n)
	values, levels := make([]parquet.Int96, n), make([]int16, n)
	nullable := c.Descriptor().MaxDefinitionLevel() > 0
	for b.Len() < n {
		total, _, err := c.ReadBatch(int64(n-b.Len()), values, levels, nil)
		if err == nil && total == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		from := 0
		for i := range total {
			if nullable && levels[i] == 0 {
				b.AppendNull()
				continue
			}
			b.Append(arrow.Timestamp(values[from].ToTime().UnixMicro()))
			from++
		}
	}
	return b.NewArray(), nil
}
