package parquet

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// A dictionary numbers the distinct values of a column chunk in the order of
// their first appearance. Its content is the dictionary page.
type dictionary struct {
	page  []byte   // values, encoded plainly
	table []uint32 // open addressing: number+1 of a value, 0 where free
	mask  uint32   // len(table)-1
	hash  []uint32 // of each value, to tell most misses without a look at it
	at    []uint32 // where each value starts in page; for values of any length
	keys  []uint64 // the values; for those of 4 or 8 bytes
}

// maxDict is the size of a dictionary page that is given up.
func (c *column) maxDict() int { return max(c.target, 64<<10) }

func (d *dictionary) reset() {
	d.page, d.hash, d.at, d.keys = d.page[:0], d.hash[:0], d.at[:0], d.keys[:0]
	clear(d.table)
}

func (d *dictionary) len() int { return len(d.hash) }

// width is how many bits a number takes now.
func (d *dictionary) width() int { return bits.Len(uint(max(d.len()-1, 0))) }

var seed = maphash.MakeSeed()

// bytes returns the number of a value given in its plain encoding, which for
// strings includes the length.
func (d *dictionary) bytes(v []byte) uint32 {
	if 2*len(d.hash) >= len(d.table) {
		d.rehash()
	}
	h := uint32(maphash.Bytes(seed, v))
	for i := h & d.mask; ; i = (i + 1) & d.mask {
		e := d.table[i]
		if e == 0 {
			d.table[i] = uint32(len(d.hash) + 1)
			d.hash = append(d.hash, h)
			d.at = append(d.at, uint32(len(d.page)))
			d.page = append(d.page, v...)
			return uint32(len(d.hash) - 1)
		}
		if d.hash[e-1] == h {
			have := d.page[d.at[e-1]:]
			if len(have) >= len(v) && bytes.Equal(have[:len(v)], v) {
				return e - 1
			}
		}
	}
}

// word returns the number of a value of size 4 or 8 bytes.
func (d *dictionary) word(v uint64, size int) uint32 {
	if 2*len(d.hash) >= len(d.table) {
		d.rehash()
	}
	h := uint32(v * 0x9e3779b97f4a7c15 >> 32)
	for i := h & d.mask; ; i = (i + 1) & d.mask {
		e := d.table[i]
		if e == 0 {
			d.table[i] = uint32(len(d.hash) + 1)
			d.hash = append(d.hash, h)
			d.keys = append(d.keys, v)
			d.page = binary.LittleEndian.AppendUint64(d.page, v)
			d.page = d.page[:len(d.page)-8+size]
			return uint32(len(d.hash) - 1)
		}
		if d.keys[e-1] == v {
			return e - 1
		}
	}
}

func (d *dictionary) rehash() {
	d.table = make([]uint32, max(1024, 2*len(d.table)))
	d.mask = uint32(len(d.table) - 1)
	for n, h := range d.hash {
		i := h & d.mask
		for d.table[i] != 0 {
			i = (i + 1) & d.mask
		}
		d.table[i] = uint32(n + 1)
	}
}

// number appends the numbers of the page's values, up to limit of them, to out.
// It stops early when the dictionary is too large.
func (c *column) number(out []uint32, limit int) []uint32 {
	d := &c.dict
	switch c.phys {
	case int32Type:
		for _, v := range c.i32[:min(limit, len(c.i32))] {
			out = append(out, d.word(uint64(uint32(v)), 4))
		}
	case int64Type:
		for _, v := range c.i64[:min(limit, len(c.i64))] {
			out = append(out, d.word(uint64(v), 8))
		}
	case float32s:
		for p := c.plainValues(); len(p) > 0 && limit > 0; limit-- {
			out = append(out, d.word(uint64(binary.LittleEndian.Uint32(p)), 4))
			p = p[4:]
		}
	case float64s:
		for p := c.plainValues(); len(p) > 0 && limit > 0; limit-- {
			out = append(out, d.word(binary.LittleEndian.Uint64(p), 8))
			p = p[8:]
		}
	case fixedBytes, int96Type:
		for p := c.plainValues(); len(p) > 0 && limit > 0; limit-- {
			out = append(out, d.bytes(p[:c.width]))
			p = p[c.width:]
		}
	case byteArray:
		for p := c.plainValues(); len(p) > 0 && limit > 0 && len(d.page) <= c.maxDict(); limit-- {
			n := 4 + int(binary.LittleEndian.Uint32(p))
			out = append(out, d.bytes(p[:n]))
			p = p[n:]
		}
	}
	return out
}
