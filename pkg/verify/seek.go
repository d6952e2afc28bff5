package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// maxSought is how many keys are looked up at the source; of more of them it is read whole.
const maxSought = 10_000

// A part of the source is what one reader reads of it at a time: a split, or the rows of some keys.
type sourcePart struct {
	split reader.Split
	keys  []string // in the canonical encoding; nil for a split
}

// parts cuts what is to be read of the source: the rows of the keys, if these are not too many and
// the source finds rows by them, else all of it.
func (c *comparison) parts(ctx context.Context, snap reader.Snapshot, keys []string) ([]sourcePart, error) {
	var out []sourcePart
	if _, ok := snap.(reader.Seeker); ok && len(keys) > 0 && len(keys) <= maxSought && len(c.table.Key) > 0 {
		for some := range slices.Chunk(keys, lookUp) {
			out = append(out, sourcePart{keys: some})
		}
		return out, nil
	}
	splits, err := snap.Splits(ctx, c.table)
	for _, s := range splits {
		out = append(out, sourcePart{split: s})
	}
	return out, err
}

// open reads a part.
func (c *comparison) open(ctx context.Context, snap reader.Snapshot, p sourcePart) (reader.Reader, error) {
	if p.keys == nil {
		return snap.Open(ctx, p.split)
	}
	seeker, ok := snap.(reader.Seeker)
	if !ok {
		return nil, errors.New("the source does not find rows by their keys")
	}
	keys, err := keyBatch(c.table, p.keys)
	if err != nil {
		return nil, c.fails(err)
	}
	defer keys.Release()
	return seeker.Seek(ctx, c.table, keys)
}

// read hands the rows of a part on.
func (c *comparison) read(ctx context.Context, snap reader.Snapshot, p sourcePart, e *encoder, n *atomic.Int64, rows taker) error {
	rd, err := c.open(ctx, snap, p)
	if err != nil {
		return err
	}
	defer rd.Close()
	// A row may come for a key that the source takes for equal, which may be one of another part.
	if e.only = nil; p.keys != nil {
		e.only = map[string]bool{}
		for _, k := range p.keys {
			e.only[k] = true
		}
	}
	return reader.Each(ctx, rd, func(b *batch.Batch) error {
		n.Add(b.Rows.NumRows())
		if !c.again {
			c.prog.Add(b.Rows.NumRows(), int64(b.Bytes))
		}
		return e.take(c.table, b.Rows, rows)
	})
}

// keyBatch returns keys as the batch that a Seeker takes.
func keyBatch(t *schema.Table, keys []string) (arrow.RecordBatch, error) {
	fields := make([]arrow.Field, len(t.Key))
	for i, k := range t.Key {
		fields[i] = t.Arrow.Field(k)
		fields[i].Nullable = true
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, key := range keys {
		rest := []byte(key)
		for i, k := range t.Key {
			var err error
			if rest, err = appendKey(b.Field(i), rest); err != nil {
				return nil, fmt.Errorf("column %s: %w", t.Columns[k].Name, err)
			}
		}
	}
	return b.NewRecordBatch(), nil
}

// appendKey appends the value that an encoding begins with, and returns what is behind it.
func appendKey(b array.Builder, v []byte) (rest []byte, err error) {
	if len(v) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	null := v[0] == 0
	if v = v[1:]; null {
		b.AppendNull()
		return v, nil
	}
	size := encodedSize(b.Type(), v)
	if size > len(v) {
		return nil, io.ErrUnexpectedEOF
	}
	v, rest = v[:size], v[size:]
	number := func() int64 { return int64(binary.LittleEndian.Uint64(v)) }
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v[0] == 1)
	case *array.Int32Builder:
		b.Append(int32(number()))
	case *array.Int64Builder:
		b.Append(number())
	case *array.Date32Builder:
		b.Append(arrow.Date32(number()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(number()))
	case *array.Float32Builder:
		b.Append(float32(math.Float64frombits(uint64(number()))))
	case *array.Float64Builder:
		b.Append(math.Float64frombits(uint64(number())))
	case *array.Decimal128Builder:
		b.Append(decimal128.New(int64(binary.LittleEndian.Uint64(v[8:])), uint64(number())))
	case *array.StringBuilder:
		b.Append(string(v[4:]))
	case *array.BinaryBuilder:
		b.Append(v[4:])
	default:
		return nil, fmt.Errorf("a %s is no key", b.Type())
	}
	return rest, nil
}
