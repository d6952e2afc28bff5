package message

import (
	"encoding/binary"
	"math"
)

// A flat is a FlatBuffer of whoever has written it: what points out of it reads as zero,
// and makes it bad.
type flat struct {
	buf []byte
	bad bool
}

// in reports whether n bytes are there.
func (f *flat) in(at, n int) bool {
	if at < 0 || n < 0 || at > len(f.buf)-n {
		f.bad = true
	}
	return !f.bad
}

func (f *flat) u8(at int) int {
	if !f.in(at, 1) {
		return 0
	}
	return int(f.buf[at])
}

func (f *flat) u16(at int) int {
	if !f.in(at, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.buf[at:]))
}

func (f *flat) u32(at int) int {
	if !f.in(at, 4) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(f.buf[at:]))
}

// count is a number of 64 bits that counts what is in memory.
func (f *flat) count(at int) int {
	if !f.in(at, 8) {
		return 0
	}
	n := binary.LittleEndian.Uint64(f.buf[at:])
	if n > math.MaxInt32 {
		f.bad = true
		return 0
	}
	return int(n)
}

// ref follows a reference.
func (f *flat) ref(at int) int { return at + f.u32(at) }

// member is where a table has its id-th member; 0 if it has none.
func (f *flat) member(table, id int) int {
	vtable := table - int(int32(f.u32(table)))
	if 4+2*id+2 > f.u16(vtable) {
		return 0
	}
	at := f.u16(vtable + 4 + 2*id)
	if at == 0 {
		return 0
	}
	return table + at
}

// number is a member that is a number of so many bytes, which is other if there is none.
func (f *flat) number(table, id, size, other int) int {
	at := f.member(table, id)
	switch {
	case at == 0:
		return other
	case size == 1:
		return f.u8(at)
	case size == 2:
		return f.u16(at)
	case size == 4:
		return int(int32(f.u32(at)))
	}
	return f.count(at)
}

// table is a member that is a table; 0 if there is none.
func (f *flat) table(table, id int) int {
	if at := f.member(table, id); at != 0 {
		return f.ref(at)
	}
	return 0
}

// vector is a member that is a vector: where its items begin, each of so many bytes, and
// how many there are.
func (f *flat) vector(table, id, size int) (at, n int) {
	if at = f.member(table, id); at == 0 {
		return 0, 0
	}
	at = f.ref(at)
	n = f.u32(at)
	if !f.in(at+4, n*size) {
		return 0, 0
	}
	return at + 4, n
}

// text is a member that is a string.
func (f *flat) text(table, id int) string {
	at, n := f.vector(table, id, 1)
	return string(f.buf[at : at+n])
}
