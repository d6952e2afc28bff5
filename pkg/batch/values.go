package batch

import (
	"encoding/binary"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// Values are values of one column as Arrow's format has them, little-endian, at any
// address. Whoever makes them has seen to it that the buffers are long enough and that
// offsets ascend and stay within Data.
type Values struct {
	N       int
	Valid   []byte // a bit a value; nil if none is null
	Offsets []byte // N+1 of 32 bits where values differ in length, else nil
	Data    []byte // of lists their items
}

// EndRows completes n rows that weighed bytes on the wire together.
func (b *Builder) EndRows(n, bytes int) {
	b.rows += n
	b.bytes += bytes
}

// count is how many are taken by Column.Take.
func (v *Values) count(rows []int32) int {
	if rows == nil {
		return v.N
	}
	return len(rows)
}

// bounds are those of a value in Data.
func (v *Values) bounds(i int32) (from, to int32) {
	pair := binary.LittleEndian.Uint64(v.Offsets[4*i:])
	return int32(pair), int32(pair >> 32)
}

// marks marks the nulls among values that are to be rows from n on.
func (v *validity) marks(n int, from *Values, rows []int32) {
	if from.Valid == nil {
		return
	}
	for i, r := range rows {
		if from.Valid[r>>3]&(1<<(r&7)) == 0 {
			v.null(n + i)
		}
	}
	if rows != nil {
		return
	}
	for i := 0; i < from.N; i++ {
		switch bits := from.Valid[i>>3]; {
		case bits == 0xff:
			i |= 7 // and so are the next
		case bits&(1<<(i&7)) == 0:
			v.null(n + i)
		}
	}
}

// Take implements Column.
func (c *Fixed[T]) Take(v *Values, rows []int32) {
	width := int(unsafe.Sizeof(*new(T)))
	n := v.count(rows)
	c.marks(c.n, v, rows)
	if need := (c.n + n) * width; need > len(c.raw) {
		c.grow(need)
	}
	to := c.raw[c.n*width:]
	c.n += n
	if rows == nil {
		copy(to, v.Data[:n*width])
		return
	}
	for i, r := range rows {
		switch from := v.Data[int(r)*width:]; width {
		case 4:
			binary.LittleEndian.PutUint32(to[4*i:], binary.LittleEndian.Uint32(from))
		case 8:
			binary.LittleEndian.PutUint64(to[8*i:], binary.LittleEndian.Uint64(from))
		default:
			copy(to[width*i:], from[:width])
		}
	}
}

// Take implements Column.
func (c *Bytes) Take(v *Values, rows []int32) {
	n := v.count(rows)
	c.marks(c.n, v, rows)
	for c.n+n >= len(c.offs) {
		c.moreOffsets()
	}
	ends := c.offs[c.n+1 : c.n+n+1]
	c.n += n
	if rows == nil {
		first, _ := v.bounds(0)
		_, last := v.bounds(int32(n - 1))
		if need := int(last - first); len(c.data)-c.used < need {
			c.moreData(need)
		}
		copy(c.data[c.used:], v.Data[first:last])
		for i := range ends {
			ends[i] = int32(c.used) - first + int32(binary.LittleEndian.Uint32(v.Offsets[4*i+4:]))
		}
		c.used += int(last - first)
		return
	}
	for i, r := range rows {
		from, to := v.bounds(r)
		if len(c.data)-c.used < int(to-from) {
			c.moreData(int(to - from))
		}
		c.used += copy(c.data[c.used:], v.Data[from:to])
		ends[i] = int32(c.used)
	}
}

// Take implements Column.
func (c *Bools) Take(v *Values, rows []int32) {
	n := v.count(rows)
	c.marks(c.n, v, rows)
	if need := (c.n + n + 7) / 8; need > len(c.bits) {
		c.bits = c.mem.Reallocate(max(2*len(c.bits), 512, need), c.bits)
	}
	if rows == nil {
		bitutil.CopyBitmap(v.Data, 0, n, c.bits, c.n)
	}
	for i, r := range rows {
		bitutil.SetBitTo(c.bits, c.n+i, v.Data[r>>3]&(1<<(r&7)) != 0)
	}
	c.n += n
}

// Take implements Column.
func (c *FloatList) Take(v *Values, rows []int32) {
	c.marks(c.n, v, rows)
	for i := range v.count(rows) {
		r := int32(i)
		if rows != nil {
			r = rows[i]
		}
		from, to := v.bounds(r)
		c.items.Take(&Values{N: int(to - from), Data: v.Data[4*from : 4*to]}, nil)
		c.End()
	}
}
