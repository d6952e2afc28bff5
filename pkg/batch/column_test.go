package batch

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// dirty hands out memory full of a byte, as a Pool does that has been used.
type dirty struct {
	memory.Allocator
	with byte
}

func (d dirty) Allocate(n int) []byte {
	b := d.Allocator.Allocate(n)
	for i := range b {
		b[i] = d.with
	}
	return b
}

func (d dirty) Reallocate(n int, b []byte) []byte {
	c := d.Allocate(n)
	copy(c, b)
	d.Free(b)
	return c
}

// nullable is a table with a column of each builder.
func nullable() *schema.Table {
	var cols []schema.Column
	for _, t := range []arrow.DataType{
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		&arrow.Decimal128Type{Precision: 20}, arrow.BinaryTypes.String, arrow.FixedWidthTypes.Boolean, arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32),
	} {
		cols = append(cols, schema.Column{Name: t.String(), Arrow: t, Nullable: true})
	}
	return schema.New("db", "t", cols, nil)
}

func appendValue(c Column, i int) {
	switch c := c.(type) {
	case *Fixed[int32]:
		c.Append(int32(i))
	case *Fixed[int64]:
		c.Append(int64(i))
	case *Fixed[float32]:
		c.Append(float32(i))
	case *Fixed[float64]:
		c.Append(float64(i))
	case *Bytes:
		c.Append(fmt.Append(nil, i))
	case *Bools:
		c.Append(i%3 == 0)
	case *FloatList:
		for j := range i % 3 {
			c.AppendItem(float32(i + j))
		}
		c.End()
	default:
		c.Null()
	}
}

// TestSparseNulls puts nulls at chosen rows of batches of every size, into
// memory that is not zero, and wants these rows null and all others as they were.
func TestSparseNulls(t *testing.T) {
	const rows = 8192
	cases := map[string]func(int) bool{
		"none": func(int) bool { return false }, "all": func(int) bool { return true },
		"first": func(i int) bool { return i == 0 }, "last": func(i int) bool { return i == rows-1 },
		"11": func(i int) bool { return i == 11 }, "10 and 8000": func(i int) bool { return i == 10 || i == 8000 },
		"4096": func(i int) bool { return i == 4096 }, "every 7th": func(i int) bool { return i%7 == 0 },
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		at := map[int]bool{}
		for range 1 + r.IntN(5) {
			at[r.IntN(rows)] = true
		}
		cases[fmt.Sprint(at)] = func(i int) bool { return at[i] }
	}
	for _, with := range []byte{0, 0xff, 0x5a} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		for name, isNull := range cases {
			b, err := NewBuilder(nullable(), dirty{mem, with})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{rows, 1, 100, rows} { // one builder, batch after batch
				checkNulls(t, fmt.Sprintf("%s, %d rows in memory of %#x", name, n, with), b, n, isNull)
			}
		}
		mem.AssertSize(t, 0)
	}
}

func checkNulls(t *testing.T, name string, b *Builder, n int, isNull func(int) bool) {
	t.Helper()
	for i := range n {
		for _, c := range b.Columns {
			if isNull(i) {
				c.Null()
			} else {
				appendValue(c, i)
			}
		}
		b.EndRow(1)
	}
	got := b.Batch()
	defer got.Release()
	for j, a := range got.Rows.Columns() {
		nulls := 0
		for i := range n {
			want := isNull(i) || a.DataType().ID() == arrow.DECIMAL128
			if want {
				nulls++
			}
			if a.IsNull(i) != want {
				t.Fatalf("%s: column %d, row %d: null is %v, want %v", name, j, i, a.IsNull(i), want)
			}
			if s, ok := a.(*array.String); ok && !want && s.Value(i) != fmt.Sprint(i) {
				t.Fatalf("%s: row %d: got %q", name, i, s.Value(i))
			}
		}
		if a.NullN() != nulls || a.Len() != n {
			t.Fatalf("%s: column %d: %d rows with %d nulls, want %d with %d", name, j, a.Len(), a.NullN(), n, nulls)
		}
	}
}

func TestPoolKeepsNoMoreThanItsLimit(t *testing.T) {
	p := &Pool{Limit: 10000}
	for _, n := range []int{1, 4096, 5000, 8192} {
		b := p.Allocate(n)
		if len(b) != n {
			t.Errorf("got %d bytes, want %d", len(b), n)
		}
		defer p.Free(b)
	}
	a := p.Allocate(4096)
	p.Free(a)
	if c := p.Allocate(100); &c[0] != &a[0] {
		t.Error("what was freed is not used again")
	}
	p.Free(make([]byte, 1<<20))
	if p.kept > p.Limit {
		t.Errorf("%d bytes are kept, more than %d", p.kept, p.Limit)
	}
}
