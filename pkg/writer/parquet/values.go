package parquet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// newColumn chooses how a column's values get from Arrow into pages, once for
// the whole file.
func newColumn(spec Column, codec Codec, target int) (*column, error) {
	c := &column{Column: spec, codec: codec, target: target}
	c.strings.whole = spec.WholeBounds
	c.data.block = largeBlock
	if target < largeBlock {
		c.data.block = smallBlock
	}
	switch t := spec.Type.(type) {
	case *arrow.BooleanType:
		c.phys, c.add = boolean, addBools
	case *arrow.Int32Type:
		c.phys, c.add = int32Type, addInt32(func(a arrow.Array) []int32 { return a.(*array.Int32).Int32Values() })
	case *arrow.Date32Type:
		c.phys, c.add = int32Type, addInt32(func(a arrow.Array) []int32 {
			return arrow.Int32Traits.CastFromBytes(arrow.Date32Traits.CastToBytes(a.(*array.Date32).Date32Values()))
		})
	case *arrow.Int64Type:
		c.phys, c.add = int64Type, addInt64(func(a arrow.Array) []int64 { return a.(*array.Int64).Int64Values() })
	case *arrow.TimestampType:
		c.phys, c.add = int64Type, addInt64(func(a arrow.Array) []int64 {
			return arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.(*array.Timestamp).TimestampValues()))
		})
	case *arrow.Float32Type:
		c.phys, c.width, c.add = float32s, 4, addFloat32
	case *arrow.Float64Type:
		c.phys, c.width, c.add = float64s, 8, addFloat64
	case *arrow.Decimal128Type:
		// The format leaves no choice: the least that holds the digits.
		switch {
		case t.Precision <= 9:
			c.phys, c.add = int32Type, addSmallDecimals
		case t.Precision <= 18:
			c.phys, c.add = int64Type, addMediumDecimals
		default:
			c.phys, c.width, c.add = fixedBytes, decimalBytes(int(t.Precision)), addDecimals
		}
	case *arrow.StringType:
		c.phys, c.text, c.add = byteArray, true, addStrings
	case *arrow.BinaryType:
		c.phys, c.add = byteArray, addStrings
	case *arrow.ListType:
		if t.Elem().ID() != arrow.FLOAT32 || t.ElemField().Nullable {
			return nil, fmt.Errorf("column %q: type %s is not supported", spec.Name, t)
		}
		c.phys, c.width, c.list, c.add = float32s, 4, true, addLists
	default:
		return nil, fmt.Errorf("column %q: type %s is not supported", spec.Name, spec.Type)
	}
	return c, nil
}

// decimalBytes is how many bytes hold a signed number of so many digits.
func decimalBytes(precision int) int {
	return int(math.Ceil((float64(precision)*math.Log2(10) + 1) / 8))
}

// valid notes which rows are null and returns the validity bits and where they
// start, or nil if no row is.
func (c *column) valid(a arrow.Array, from, n int) (bits []byte, off int) {
	c.rows += n
	if !c.Nullable {
		return nil, 0
	}
	if a.NullN() == 0 {
		c.def.appendSet(n)
		return nil, 0
	}
	bits, off = a.NullBitmapBytes(), a.Data().Offset()+from
	c.def.appendBits(bits, off, n)
	return bits, off
}

// lead leaves headRoom before the first plain value.
func (c *column) lead() {
	if len(c.plain) == 0 {
		c.plain = grow(c.plain, headRoom)
	}
}

// room is how many rows of a fixed size the page still takes, at least one.
func (c *column) room(n, size int) int {
	return min(n, max(1, (c.target-c.pageSize())/size), pageRows-c.rows)
}

func addInt32(values func(arrow.Array) []int32) func(*column, arrow.Array, int, int) int {
	return func(c *column, a arrow.Array, from, n int) int {
		n = c.room(n, 4)
		v := values(a)[from : from+n]
		bits, off := c.valid(a, from, n)
		if bits == nil {
			c.i32 = append(c.i32, v...)
			return n
		}
		for i, x := range v {
			if bitutil.BitIsSet(bits, off+i) {
				c.i32 = append(c.i32, x)
			}
		}
		return n
	}
}

func addInt64(values func(arrow.Array) []int64) func(*column, arrow.Array, int, int) int {
	return func(c *column, a arrow.Array, from, n int) int {
		n = c.room(n, 8)
		v := values(a)[from : from+n]
		bits, off := c.valid(a, from, n)
		if bits == nil {
			c.i64 = append(c.i64, v...)
			return n
		}
		for i, x := range v {
			if bitutil.BitIsSet(bits, off+i) {
				c.i64 = append(c.i64, x)
			}
		}
		return n
	}
}

func addSmallDecimals(c *column, a arrow.Array, from, n int) int {
	n = c.room(n, 4)
	v := a.(*array.Decimal128).Values()[from : from+n]
	bits, off := c.valid(a, from, n)
	for i, x := range v {
		if bits == nil || bitutil.BitIsSet(bits, off+i) {
			c.i32 = append(c.i32, int32(x.LowBits()))
		}
	}
	return n
}

func addMediumDecimals(c *column, a arrow.Array, from, n int) int {
	n = c.room(n, 8)
	v := a.(*array.Decimal128).Values()[from : from+n]
	bits, off := c.valid(a, from, n)
	for i, x := range v {
		if bits == nil || bitutil.BitIsSet(bits, off+i) {
			c.i64 = append(c.i64, int64(x.LowBits()))
		}
	}
	return n
}

func addDecimals(c *column, a arrow.Array, from, n int) int {
	n = c.room(n, c.width)
	v := a.(*array.Decimal128).Values()[from : from+n]
	bits, off := c.valid(a, from, n)
	var b [16]byte
	for i, x := range v {
		if bits != nil && !bitutil.BitIsSet(bits, off+i) {
			continue
		}
		c.decimals.add(x)
		bigEndian(&b, x)
		c.lead()
		c.plain = append(c.plain, b[16-c.width:]...)
	}
	return n
}

func bigEndian(b *[16]byte, x decimal128.Num) {
	binary.BigEndian.PutUint64(b[:8], uint64(x.HighBits()))
	binary.BigEndian.PutUint64(b[8:], x.LowBits())
}

func addFloat32(c *column, a arrow.Array, from, n int) int {
	n = c.room(n, 4)
	v := a.(*array.Float32).Float32Values()[from : from+n]
	bits, off := c.valid(a, from, n)
	for i, x := range v {
		if bits == nil || bitutil.BitIsSet(bits, off+i) {
			c.floats.add(float64(x))
			c.lead()
			c.plain = binary.LittleEndian.AppendUint32(c.plain, math.Float32bits(x))
		}
	}
	return n
}

func addFloat64(c *column, a arrow.Array, from, n int) int {
	n = c.room(n, 8)
	v := a.(*array.Float64).Float64Values()[from : from+n]
	bits, off := c.valid(a, from, n)
	for i, x := range v {
		if bits == nil || bitutil.BitIsSet(bits, off+i) {
			c.floats.add(x)
			c.lead()
			c.plain = binary.LittleEndian.AppendUint64(c.plain, math.Float64bits(x))
		}
	}
	return n
}

func addBools(c *column, a arrow.Array, from, n int) int {
	n = min(n, pageRows-c.rows)
	values := a.Data().Buffers()[1].Bytes()
	at := a.Data().Offset() + from
	bits, off := c.valid(a, from, n)
	before, ones := c.bools.n, c.bools.ones
	if bits == nil {
		c.bools.appendBits(values, at, n)
	} else {
		for i := range n {
			if bitutil.BitIsSet(bits, off+i) {
				c.bools.appendBits(values, at+i, 1)
			}
		}
	}
	added, set := c.bools.n-before, c.bools.ones-ones
	c.trueFalse[0] = c.trueFalse[0] || set < added
	c.trueFalse[1] = c.trueFalse[1] || set > 0
	return n
}

// addStrings takes text and binary values.
func addStrings(c *column, a arrow.Array, from, n int) int {
	var offsets []int32
	switch a := a.(type) {
	case *array.String:
		offsets = a.ValueOffsets()
	case *array.Binary:
		offsets = a.ValueOffsets()
	}
	offsets = offsets[from : from+n+1]
	var data []byte
	if b := a.Data().Buffers()[2]; b != nil {
		data = b.Bytes()
	}
	// As many rows as the page takes; nulls count as empty, which does no harm.
	n = min(n, pageRows-c.rows)
	c.lead()
	if left := c.target - len(c.plain) + headRoom; int(offsets[n]-offsets[0])+4*n > left {
		k, size := 0, 0
		for k < n && (size < left || k == 0) {
			size += 4 + int(offsets[k+1]-offsets[k])
			k++
		}
		n = k
	}
	bits, off := a.NullBitmapBytes(), a.Data().Offset()+from
	if k := firstHuge(offsets, n); k < n {
		if k == 0 && (a.NullN() == 0 || bitutil.BitIsSet(bits, off)) {
			c.huge = data[offsets[0]:offsets[1]]
			return 0
		}
		n = max(k, 1) // what is null takes no room, whatever its length
	}
	at := len(c.plain)
	c.plain = growTo(c.plain, int(offsets[n]-offsets[0])+4*n, c.target)
	out := c.plain
	bits, off = c.valid(a, from, n)
	start := offsets[0]
	for i, end := range offsets[1 : n+1] {
		v := data[start:end]
		start = end
		if bits != nil && !bitutil.BitIsSet(bits, off+i) {
			continue
		}
		binary.LittleEndian.PutUint32(out[at:], uint32(len(v)))
		at += 4
		at += copy(out[at:], v)
		c.strings.add(v)
	}
	c.plain = out[:at]
	return n
}

// growTo lengthens b by n bytes. Room is made for a whole page at once.
func growTo(b []byte, n, page int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	size := len(b) + n
	if 4*size > page { // small pages stay small: they may be many
		size = max(size, page+page/8)
	} else {
		size *= 2
	}
	c := make([]byte, len(b)+n, size)
	copy(c, b)
	return c
}

// addLists takes lists of float32, whole rows at a time.
func addLists(c *column, a arrow.Array, from, n int) int {
	l := a.(*array.List)
	values := l.ListValues().(*array.Float32).Float32Values()
	offsets := l.Offsets()[l.Data().Offset():]
	n = min(n, pageRows-c.rows)
	isNull, isEmpty, isValue := uint32(0), uint32(0), uint32(1)
	if c.Nullable {
		isEmpty, isValue = 1, 2
	}
	k := 0
	for k < n && (k == 0 || c.pageSize() < c.target) {
		i := from + k
		k++
		if l.IsNull(i) {
			c.levels = append(c.levels, isNull<<1)
			continue
		}
		v := values[offsets[i]:offsets[i+1]]
		if len(v) == 0 {
			c.levels = append(c.levels, isEmpty<<1)
			continue
		}
		for j, x := range v {
			c.levels = append(c.levels, isValue<<1|uint32(min(j, 1)))
			c.lead()
			c.plain = binary.LittleEndian.AppendUint32(c.plain, math.Float32bits(x))
		}
	}
	c.rows += k
	return k
}

// reset readies the column for the next chunk.
func (c *column) reset() {
	c.data.release()
	c.dict.reset()
	if len(c.dict.page) == 0 && cap(c.dict.page) > 4*c.target {
		c.dict = dictionary{}
	}
	c.mode, c.way, c.dictWay = unset, undecided, undecided
	c.pages, c.values, c.nonNull, c.nulls, c.size = [2]int{}, 0, 0, 0, 0
	c.ints, c.floats, c.decimals, c.trueFalse = intRange{}, floatRange{}, decimalRange{}, [2]bool{}
	c.strings.reset()
}
