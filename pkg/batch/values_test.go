package batch

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// valuesOf has an array's buffers as Values, at an address that suits no type.
func valuesOf(a arrow.Array) *Values {
	odd := func(b *memory.Buffer) []byte {
		if b == nil {
			return nil
		}
		return append([]byte{0}, b.Bytes()...)[1:]
	}
	d := a.Data()
	v := &Values{N: a.Len(), Valid: odd(d.Buffers()[0])}
	switch a.DataType().ID() {
	case arrow.STRING:
		v.Offsets, v.Data = odd(d.Buffers()[1]), odd(d.Buffers()[2])
	case arrow.LIST:
		v.Offsets, v.Data = odd(d.Buffers()[1]), odd(d.Children()[0].Buffers()[1])
	default:
		v.Data = odd(d.Buffers()[1])
	}
	return v
}

// fill appends rows from..to of all columns, of which every so many'th is null.
func fill(b *Builder, from, to, nulls int) {
	for i := from; i < to; i++ {
		for _, c := range b.Columns {
			if nulls > 0 && i%nulls == 0 {
				c.Null()
			} else {
				appendValue(c, i)
			}
		}
		b.EndRow(1)
	}
}

// TestTake takes rows of one batch into another in pieces of every kind, between rows
// that come one by one, and wants what appending each of them makes.
func TestTake(t *testing.T) {
	table := nullable()
	r := rand.New(rand.NewPCG(3, 4))
	for _, nulls := range []int{0, 1, 2, 7, 500} {
		for _, n := range []int{1, 3, 8, 9, 100, 5000} {
			builders := make([]*Builder, 3) // what is taken from, taken to, and wanted
			for i := range builders {
				var err error
				if builders[i], err = NewBuilder(table, dirty{memory.DefaultAllocator, 0x5a}); err != nil {
					t.Fatal(err)
				}
			}
			src, got, want := builders[0], builders[1], builders[2]
			fill(src, 0, n, nulls)
			from := src.Batch()
			for round := range 4 {
				var rows []int32
				if round%2 == 1 {
					rows = []int32{}
					for range r.IntN(n + 1) {
						rows = append(rows, int32(r.IntN(n)))
					}
				}
				count := n
				if rows == nil {
					fill(want, 0, n, nulls)
				}
				for _, i := range rows {
					fill(want, int(i), int(i)+1, nulls)
				}
				if rows != nil {
					count = len(rows)
				}
				for c, col := range got.Columns {
					col.Take(valuesOf(from.Rows.Column(c)), rows)
				}
				got.EndRows(count, count)
				fill(got, 3, 5, nulls)
				fill(want, 3, 5, nulls)
				if round == 2 { // and what was taken can be dropped
					got.Cut(n, n)
					want.Cut(n, n)
				}
			}
			if got.Rows() != want.Rows() || got.Bytes() != want.Bytes() {
				t.Fatalf("%d rows of %d bytes, want %d of %d", got.Rows(), got.Bytes(), want.Rows(), want.Bytes())
			}
			g, w := got.Batch(), want.Batch()
			for c := range g.Rows.Columns() {
				if a, b := g.Rows.Column(c), w.Rows.Column(c); !array.Equal(a, b) || a.NullN() != b.NullN() {
					t.Errorf("%d rows, every %dth null, column %s: got %v, want %v", n, nulls, table.Columns[c].Name, a, b)
				}
			}
		}
	}
}

// TestTakeFromWithin takes values whose offsets do not begin at 0.
func TestTakeFromWithin(t *testing.T) {
	text, list := NewBytes(arrow.BinaryTypes.String, memory.DefaultAllocator), NewFloatList(arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32), memory.DefaultAllocator)
	v := &Values{N: 2, Offsets: []byte{1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0}, Data: []byte("abcdefgh")}
	text.Append([]byte("x"))
	text.Take(v, nil)
	text.Take(v, []int32{1, 0})
	if got, want := text.array(5).String(), `["x" "b" "cd" "cd" "b"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	v.Data = []byte("................\x00\x00\x80\x3f")
	v.Offsets = []byte{4, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0}
	list.Take(v, nil)
	list.Take(v, []int32{1, 0})
	if got, want := list.array(4).String(), `[[1] [] [] [1]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
