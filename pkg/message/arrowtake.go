package message

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// A layout is how Arrow has a column's values in buffers.
type layout uint8

const (
	packed  layout = iota // a bit a value
	fixed                 // so many bytes a value
	varying               // offsets, and bytes
	listed                // offsets, and values of another column, none of which is null
)

// layoutOf returns how values of a type lie, and the bytes of one: of varying and listed
// those that offsets count.
func layoutOf(t arrow.DataType) (l layout, width int, err error) {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return packed, 0, nil
	case *arrow.Int32Type, *arrow.Float32Type, *arrow.Date32Type:
		return fixed, 4, nil
	case *arrow.Int64Type, *arrow.Float64Type, *arrow.TimestampType:
		return fixed, 8, nil
	case *arrow.Decimal128Type:
		return fixed, 16, nil
	case *arrow.StringType, *arrow.BinaryType:
		return varying, 1, nil
	case *arrow.ListType:
		if t.Elem().ID() == arrow.FLOAT32 {
			return listed, 4, nil
		}
	}
	return 0, 0, fmt.Errorf("the format arrow has no %s", t)
}

// A source is a column of the batch at hand.
type source struct {
	kind  layout
	width int
	at    int    // of row 0 in valid, and in data if that has bits
	valid []byte // nil if no row is null
	offs  []int32
	data  []byte
}

func newSource(t arrow.DataType) (s source, err error) {
	s.kind, s.width, err = layoutOf(t)
	return s, err
}

// shape is of how many nodes and buffers the column consists in a message.
func (s *source) shape() (nodes, buffers int) {
	switch s.kind {
	case varying:
		return 1, 3
	case listed:
		return 2, 4
	}
	return 1, 2
}

// least is what a row takes of bytes, rounded up, if its value has no length.
func (s *source) least() int {
	switch s.kind {
	case packed:
		return 2
	case fixed:
		return 1 + s.width
	}
	return 1 + 4
}

// bind has the source be of an array.
func (s *source) bind(a arrow.ArrayData) {
	buffers := a.Buffers()
	s.at, s.valid = a.Offset(), nil
	if buffers[0] != nil && a.NullN() > 0 {
		s.valid = buffers[0].Bytes()
	}
	switch s.kind {
	case packed:
		s.data = buffers[1].Bytes()
	case fixed:
		s.data = buffers[1].Bytes()[s.width*s.at:]
	case varying:
		s.offs, s.data = arrow.Int32Traits.CastFromBytes(buffers[1].Bytes())[s.at:], nil
		if buffers[2] != nil {
			s.data = buffers[2].Bytes()
		}
	case listed:
		s.offs, s.data = arrow.Int32Traits.CastFromBytes(buffers[1].Bytes())[s.at:], nil
		if items := a.Children()[0]; items.Len() > 0 {
			s.data = items.Buffers()[1].Bytes()[s.width*items.Offset():]
		}
	}
}

// arrowPad is what the buffers of a column may take of bytes beside those of its rows.
const arrowPad = 48

// pad ends a buffer at a multiple of 8 bytes, as Arrow asks for.
func padTo8(out []byte) []byte {
	const zeros = "\x00\x00\x00\x00\x00\x00\x00"
	return append(out, zeros[:-len(out)&7]...)
}

// write appends the column's buffers as they are of some rows, which ascend.
func (s *source) write(out []byte, rows []int32, h *headerWriter) []byte {
	run := int(rows[len(rows)-1]-rows[0])+1 == len(rows)
	start, nulls := len(out), 0
	if s.valid != nil {
		out, nulls = gatherBits(out, s.valid, s.at, rows)
		if nulls = len(rows) - nulls; nulls == 0 {
			out = out[:start]
		}
	}
	h.node(len(rows), nulls)
	h.buffer(start, len(out))
	out = padTo8(out)
	start = len(out)
	switch s.kind {
	case packed:
		out, _ = gatherBits(out, s.data, s.at, rows)
	case fixed:
		out = s.writeFixed(out, rows, run)
	default:
		out = s.writeOffsets(out, rows, run)
		h.buffer(start, len(out))
		out = padTo8(out)
		if start = len(out); s.kind == listed {
			h.buffer(start, start) // no item is null
		}
		out = s.writeLong(out, rows, run)
		if s.kind == listed {
			h.node((len(out)-start)/s.width, 0)
		}
	}
	h.buffer(start, len(out))
	return padTo8(out)
}

func (s *source) writeFixed(out []byte, rows []int32, run bool) []byte {
	from := s.width * int(rows[0])
	if run {
		return append(out, s.data[from:from+s.width*len(rows)]...)
	}
	switch s.width {
	case 4:
		for _, r := range rows {
			out = binary.LittleEndian.AppendUint32(out, binary.LittleEndian.Uint32(s.data[4*r:]))
		}
	case 8:
		for _, r := range rows {
			out = binary.LittleEndian.AppendUint64(out, binary.LittleEndian.Uint64(s.data[8*r:]))
		}
	default:
		for _, r := range rows {
			out = append(out, s.data[s.width*int(r):][:s.width]...)
		}
	}
	return out
}

func (s *source) writeOffsets(out []byte, rows []int32, run bool) []byte {
	out = binary.LittleEndian.AppendUint32(out, 0)
	if run {
		first := s.offs[rows[0]]
		for _, end := range s.offs[rows[0]+1:][:len(rows)] {
			out = binary.LittleEndian.AppendUint32(out, uint32(end-first))
		}
		return out
	}
	end := int32(0)
	for _, r := range rows {
		end += s.offs[r+1] - s.offs[r]
		out = binary.LittleEndian.AppendUint32(out, uint32(end))
	}
	return out
}

func (s *source) writeLong(out []byte, rows []int32, run bool) []byte {
	if run {
		from, to := s.offs[rows[0]], s.offs[rows[len(rows)-1]+1]
		return append(out, s.data[int(from)*s.width:int(to)*s.width]...)
	}
	for _, r := range rows {
		out = append(out, s.data[int(s.offs[r])*s.width:int(s.offs[r+1])*s.width]...)
	}
	return out
}

// gatherBits appends the bits of some rows, and tells how many of them are set.
func gatherBits(out, from []byte, at int, rows []int32) ([]byte, int) {
	start, set := len(out), 0
	out = append(out, make([]byte, (len(rows)+7)/8)...)
	to := out[start:]
	for i, r := range rows {
		if bitutil.BitIsSet(from, at+int(r)) {
			to[i>>3] |= 1 << (i & 7)
			set++
		}
	}
	return out, set
}
