package verify

import (
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A row's hash is made of its values' encodings, column by column, which takes a third of the time that
// it takes to put the encodings together and hash those. A value becomes a number: of 8 bytes the
// number that they are, of 16 their halves folded, of more, and of lists, XXH3's 64 bits of the
// encoding's bytes behind the length; and a constant for NULL. Each is folded
// into two halves of 64 bits, that of the row before it XOR the number, times a constant of the half plus
// the column's place, the 128 bits of which are folded by XOR. docs/verify.md publishes it.
const (
	ofLow  = 0x9E3779B97F4A7C15
	ofHigh = 0xC2B2AE3D27D4EB4F
	ofKey  = 0x165667B19E3779F9
	ofNull = 0x27D4EB2F165667C5
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// A hasher hashes the rows of batches.
type hasher struct {
	sum    []bucketSum // of each row of the last batch
	id     []uint64    // of the key of each; of the row where there is none
	id2    []uint64    // of the key again, where encoder.wide asks for it
	gone   []bool      // which rows are marked as deleted; nil if none is
	number []uint64    // scratch: of each value of a column
}

// hash hashes the rows of a batch.
func (e *encoder) hash(t *schema.Table, b arrow.RecordBatch) error {
	n := int(b.NumRows())
	h := &e.hasher
	if cap(h.sum) < n {
		h.sum, h.id, h.id2, h.number = make([]bucketSum, n), make([]uint64, n), make([]uint64, n), make([]uint64, n)
	}
	h.sum, h.id, h.id2, h.number = h.sum[:n], h.id[:n], h.id2[:n], h.number[:n]
	for i := range h.sum {
		h.sum[i], h.id[i], h.id2[i] = bucketSum{ofLow, ofHigh}, ofKey, ofHigh
	}
	for at, c := range e.columns {
		if err := e.numbers(b.Column(c), t.Columns[c]); err != nil {
			return &schema.TableError{Table: t.String(), Err: fmt.Errorf("column %s: %w", t.Columns[c].Name, err)}
		}
		low, high := ofLow+uint64(at), ofHigh+uint64(at)
		for i, x := range h.number {
			h.sum[i].lo = fold(h.sum[i].lo^x, low)
			h.sum[i].hi = fold(h.sum[i].hi^x, high)
		}
		if e.ofKey[at] {
			for i, x := range h.number {
				h.id[i] = fold(h.id[i]^x, low)
			}
			if !e.wide {
				continue
			}
			for i, x := range h.number {
				h.id2[i] = fold(h.id2[i]^x, high)
			}
		}
	}
	if e.key == nil {
		for i := range h.id {
			h.id[i] = h.sum[i].lo
		}
	}
	return nil
}

// numbers makes numbers of a column's values.
func (e *encoder) numbers(a arrow.Array, c schema.Column) error {
	to := e.hasher.number
	text, isText := a.(*array.String)
	switch bytes, isBytes := a.(*array.Binary); {
	case isText && isJSON(c):
		return e.encoded(a, true)
	case isText:
		for i := range to {
			to[i] = xxh3.HashString(text.Value(i))
		}
	case isBytes:
		for i := range to {
			to[i] = xxh3.Hash(bytes.Value(i))
		}
	case !fixed(a, to):
		return e.encoded(a, false)
	}
	if a.NullN() > 0 {
		for i := range to {
			if a.IsNull(i) {
				to[i] = ofNull
			}
		}
	}
	return nil
}

// fixed makes numbers of values of one width; false for others.
func fixed(a arrow.Array, to []uint64) bool {
	switch v := a.(type) {
	case *array.Boolean:
		for i := range to {
			if to[i] = 0; v.Value(i) {
				to[i] = 1
			}
		}
	case *array.Int32:
		wholes(to, v.Int32Values())
	case *array.Int64:
		wholes(to, v.Int64Values())
	case *array.Date32:
		wholes(to, v.Date32Values())
	case *array.Timestamp:
		wholes(to, v.TimestampValues())
	case *array.Float32:
		for i, f := range v.Float32Values() {
			to[i] = floatBits(float64(f))
		}
	case *array.Float64:
		for i, f := range v.Float64Values() {
			to[i] = floatBits(f)
		}
	case *array.Decimal128:
		for i, d := range v.Values() {
			to[i] = fold(d.LowBits()^ofLow, uint64(d.HighBits())^ofHigh)
		}
	default:
		return false
	}
	return true
}

func wholes[T ~int32 | ~int64](to []uint64, values []T) {
	for i, v := range values {
		to[i] = uint64(int64(v))
	}
}

// encoded makes numbers of what has to be encoded for it.
func (e *encoder) encoded(a arrow.Array, json bool) error {
	of, err := appenderOf(a, json)
	if err != nil {
		return err
	}
	to := e.hasher.number
	for i := range to {
		if e.row = of(e.row[:0], i); len(e.row) == 1 {
			to[i] = ofNull
		} else {
			to[i] = xxh3.Hash(e.row[5:])
		}
	}
	return nil
}
