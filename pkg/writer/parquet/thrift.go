package parquet

import "encoding/binary"

// A thrift appends structures in Thrift's compact protocol, which Parquet's
// footer and page headers are written in.
type thrift struct {
	b    []byte
	last []int16 // field numbers, one for each structure that is open
}

// Types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

func (t *thrift) begin() { t.last = append(t.last, 0) }

func (t *thrift) end() {
	t.b = append(t.b, 0)
	t.last = t.last[:len(t.last)-1]
}

// field starts a field of the innermost structure; numbers must rise.
func (t *thrift) field(id int16, typ byte) {
	prev := &t.last[len(t.last)-1]
	t.b = append(t.b, byte(id-*prev)<<4|typ) // no two fields we write lie 16 apart
	*prev = id
}

func (t *thrift) zigzag(v int64) { t.b = binary.AppendVarint(t.b, v) }

func (t *thrift) i16(id int16, v int16) { t.field(id, thriftI16); t.zigzag(int64(v)) }
func (t *thrift) i32(id int16, v int)   { t.field(id, thriftI32); t.zigzag(int64(v)) }
func (t *thrift) i64(id int16, v int64) { t.field(id, thriftI64); t.zigzag(v) }

func (t *thrift) boolean(id int16, v bool) {
	if v {
		t.field(id, thriftTrue)
	} else {
		t.field(id, thriftFalse)
	}
}

func (t *thrift) bytes(id int16, v []byte) {
	t.field(id, thriftBinary)
	t.b = binary.AppendUvarint(t.b, uint64(len(v)))
	t.b = append(t.b, v...)
}

func (t *thrift) text(id int16, v string) {
	t.field(id, thriftBinary)
	t.str(v)
}

// str is an element of a list of strings.
func (t *thrift) str(v string) {
	t.b = binary.AppendUvarint(t.b, uint64(len(v)))
	t.b = append(t.b, v...)
}

func (t *thrift) list(id int16, elem byte, n int) {
	t.field(id, thriftList)
	if n < 15 {
		t.b = append(t.b, byte(n)<<4|elem)
		return
	}
	t.b = append(t.b, 0xf0|elem)
	t.b = binary.AppendUvarint(t.b, uint64(n))
}

// structure starts a field that is a structure; end closes it.
func (t *thrift) structure(id int16) {
	t.field(id, thriftStruct)
	t.begin()
}

// empty is a field that is a structure without fields.
func (t *thrift) empty(id int16) {
	t.structure(id)
	t.end()
}
