package batch

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A Column collects the values of one column in Arrow's layout. Its concrete
// types are *Fixed, *Bytes, *Bools and *FloatList; a decoder keeps the concrete
// type and appends to it directly.
type Column interface {
	// Null appends a null.
	Null()
	// Take appends values of the column's own type: those at rows, in this order, or all
	// of them, of which there is one at least, if rows is nil.
	Take(v *Values, rows []int32)
	// array returns what was appended since the last call, n rows of it.
	array(n int) arrow.Array
	// cut drops what was appended behind the first n rows.
	cut(n int)
}

// NewColumn returns an empty column of an Arrow type.
func NewColumn(dt arrow.DataType, mem memory.Allocator) (Column, error) {
	if c := newColumn(dt, mem); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no builder for %s", dt)
}

// Array returns the n values that were appended to a column since the last call.
func Array(c Column, n int) arrow.Array { return c.array(n) }

// validity is the null bitmap of a column. Most batches of most columns hold no
// null at all, so the bitmap is made when the first one comes.
type validity struct {
	mem   memory.Allocator
	bits  []byte
	nulls int
}

// null marks row n. Every row before it has been appended.
func (v *validity) null(n int) {
	if v.bits == nil {
		v.bits = v.mem.Allocate((n + 1024) / 8)
		for i := range v.bits {
			v.bits[i] = 0xff // what is not marked is valid, now and in rows to come
		}
	}
	v.grow(n)
	v.bits[n>>3] &^= 1 << (n & 7)
	v.nulls++
}

func (v *validity) grow(n int) {
	if have := len(v.bits); n>>3 >= have {
		v.bits = v.mem.Reallocate(max(2*have, n>>3+1), v.bits)
		for i := have; i < len(v.bits); i++ {
			v.bits[i] = 0xff
		}
	}
}

// take returns the bitmap of n rows as a buffer, nil if all are valid.
func (v *validity) take(n int) (*memory.Buffer, int) {
	if v.bits == nil {
		return nil, 0
	}
	v.grow(n)
	buf, nulls := owned(v.bits, int(bitutil.BytesForBits(int64(n))), v.mem), v.nulls
	v.bits, v.nulls = nil, 0
	return buf, nulls
}

// owned hands the first n bytes of b to Arrow, which gives all of b back to mem
// on the last Release.
func owned(b []byte, n int, mem memory.Allocator) *memory.Buffer {
	buf := memory.NewBufferWithAllocator(b, mem)
	buf.ResizeNoShrink(n)
	return buf
}

// finish makes the array and drops the buffers' own references.
func finish(dt arrow.DataType, n, nulls int, bufs ...*memory.Buffer) arrow.Array {
	data := array.NewData(dt, n, bufs, nil, nulls, 0)
	for _, b := range bufs {
		if b != nil {
			b.Release()
		}
	}
	defer data.Release()
	return array.MakeFromData(data)
}

// A FixedValue is a value that Arrow stores as it stands in memory.
type FixedValue interface {
	int32 | int64 | float32 | float64 | decimal128.Num
}

// A Fixed column holds values of one width.
type Fixed[T FixedValue] struct {
	validity
	typ  arrow.DataType
	raw  []byte // the memory of vals
	vals []T
	n    int
}

// NewFixed returns an empty column of Arrow type typ, whose values T holds.
func NewFixed[T FixedValue](typ arrow.DataType, mem memory.Allocator) *Fixed[T] {
	return &Fixed[T]{validity: validity{mem: mem}, typ: typ}
}

// Append appends v.
func (c *Fixed[T]) Append(v T) {
	if c.n == len(c.vals) {
		c.more()
	}
	c.vals[c.n] = v
	c.n++
}

// Null appends a null.
func (c *Fixed[T]) Null() {
	var zero T
	c.null(c.n)
	c.Append(zero)
}

func (c *Fixed[T]) more() { c.grow(0) }

// grow makes room for need bytes at least.
func (c *Fixed[T]) grow(need int) {
	width := int(unsafe.Sizeof(*new(T)))
	c.raw = c.mem.Reallocate(max(2*len(c.raw), 1024*width, need), c.raw)
	c.vals = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.raw))), len(c.raw)/width)
}

func (c *Fixed[T]) array(n int) arrow.Array {
	valid, nulls := c.take(n)
	if c.raw == nil {
		c.more()
	}
	vals := owned(c.raw, n*int(unsafe.Sizeof(*new(T))), c.mem)
	c.raw, c.vals, c.n = nil, nil, 0
	return finish(c.typ, n, nulls, valid, vals)
}

// A Bytes column holds strings or binary values.
type Bytes struct {
	validity
	typ  arrow.DataType
	data []byte // len is what is allocated
	used int
	raw  []byte // the memory of offs
	offs []int32
	n    int
	hint int // bytes of the last batch, which the next one will need again
}

// NewBytes returns an empty column of Arrow's String or Binary type.
func NewBytes(typ arrow.DataType, mem memory.Allocator) *Bytes {
	return &Bytes{validity: validity{mem: mem}, typ: typ}
}

// Append appends a copy of v. A batch must stay below 2 GiB a column.
func (c *Bytes) Append(v []byte) {
	if c.n+1 >= len(c.offs) {
		c.moreOffsets()
	}
	if len(c.data)-c.used < len(v) {
		c.moreData(len(v))
	}
	copy(c.data[c.used:], v)
	c.used += len(v)
	c.n++
	c.offs[c.n] = int32(c.used)
}

// Null appends a null.
func (c *Bytes) Null() {
	c.null(c.n)
	c.Append(nil)
}

func (c *Bytes) moreOffsets() {
	fresh := c.raw == nil
	c.raw = c.mem.Reallocate(max(2*len(c.raw), 4*1024), c.raw)
	c.offs = unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(c.raw))), len(c.raw)/4)
	if fresh {
		c.offs[0] = 0
	}
}

func (c *Bytes) moreData(n int) {
	c.data = c.mem.Reallocate(max(2*len(c.data), c.used+n, c.hint+c.hint/8, 4096), c.data)
}

func (c *Bytes) array(n int) arrow.Array {
	valid, nulls := c.take(n)
	if c.raw == nil {
		c.moreOffsets()
	}
	if c.data == nil {
		c.moreData(0)
	}
	offs, data := owned(c.raw, 4*(n+1), c.mem), owned(c.data, c.used, c.mem)
	c.hint = c.used
	c.raw, c.offs, c.data, c.used, c.n = nil, nil, nil, 0, 0
	return finish(c.typ, n, nulls, valid, offs, data)
}

// A Bools column holds booleans.
type Bools struct {
	validity
	bits []byte
	n    int
}

// NewBools returns an empty column.
func NewBools(mem memory.Allocator) *Bools { return &Bools{validity: validity{mem: mem}} }

// Append appends v.
func (c *Bools) Append(v bool) {
	if c.n>>3 >= len(c.bits) {
		c.bits = c.mem.Reallocate(max(2*len(c.bits), 512), c.bits)
	}
	bitutil.SetBitTo(c.bits, c.n, v)
	c.n++
}

// Null appends a null.
func (c *Bools) Null() {
	c.null(c.n)
	c.Append(false)
}

func (c *Bools) array(n int) arrow.Array {
	valid, nulls := c.take(n)
	if c.bits == nil {
		c.bits = c.mem.Allocate(1)
	}
	bits := owned(c.bits, int(bitutil.BytesForBits(int64(n))), c.mem)
	c.bits, c.n = nil, 0
	return finish(arrow.FixedWidthTypes.Boolean, n, nulls, valid, bits)
}

// A FloatList column holds lists of floats.
type FloatList struct {
	validity
	typ   arrow.DataType
	items *Fixed[float32]
	offs  *Fixed[int32]
	n     int
}

// NewFloatList returns an empty column of typ, a list of float32.
func NewFloatList(typ arrow.DataType, mem memory.Allocator) *FloatList {
	c := &FloatList{validity: validity{mem: mem}, typ: typ}
	c.items = NewFixed[float32](arrow.PrimitiveTypes.Float32, mem)
	c.offs = NewFixed[int32](arrow.PrimitiveTypes.Int32, mem)
	return c
}

// AppendItem appends v to the list that is being built.
func (c *FloatList) AppendItem(v float32) { c.items.Append(v) }

// End ends the list that is being built.
func (c *FloatList) End() {
	c.begin()
	c.n++
	c.offs.Append(int32(c.items.n))
}

// begin appends the first offset, which is before the first list.
func (c *FloatList) begin() {
	if c.offs.n == 0 {
		c.offs.Append(0)
	}
}

// Null appends a null.
func (c *FloatList) Null() {
	c.null(c.n)
	c.End()
}

func (c *FloatList) array(n int) arrow.Array {
	valid, nulls := c.take(n)
	items := c.items.array(c.items.n)
	defer items.Release()
	c.begin()
	offs := owned(c.offs.raw, 4*(n+1), c.mem)
	c.offs.raw, c.offs.vals, c.offs.n, c.n = nil, nil, 0, 0

	data := array.NewData(c.typ, n, []*memory.Buffer{valid, offs}, []arrow.ArrayData{items.Data()}, nulls, 0)
	defer data.Release()
	offs.Release()
	if valid != nil {
		valid.Release()
	}
	return array.MakeFromData(data)
}
