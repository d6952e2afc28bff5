package message

import "encoding/binary"

// continuation begins each part of a stream of Arrow IPC. The size of what describes the
// part follows, four bytes, then that itself, then the part's own bytes, its body.
var continuation = []byte{0xff, 0xff, 0xff, 0xff}

const (
	partHead = 8 // bytes: continuation and size

	metadataV5 = 4 // of Message.fbs, as the rest below

	headerSchema = 1
	headerBatch  = 3
)

// A batchHeader is what describes a batch of so many columns: a FlatBuffer of a Message
// with a RecordBatch, of which nothing but some numbers differs from batch to batch.
type batchHeader struct {
	at             int // where it begins in a message
	nodes, buffers int
}

// The places of what differs, in the FlatBuffer, which is laid out as template says.
const (
	placeBody   = 24 // Message.bodyLength
	placeLength = 56 // RecordBatch.length
	placeNodes  = 72 // behind their number
)

func (b batchHeader) placeBuffers() int { return placeNodes + 16*b.nodes + 8 }

func (b batchHeader) size() int { return b.placeBuffers() + 16*b.buffers }

// template is the header with all that does not differ, behind its continuation and size.
// A table of a FlatBuffer begins with how far before it its vtable is, which has its own
// size, the table's, and where in the table each member is. Other references count
// forward from where they are.
func (b batchHeader) template() []byte {
	f := make([]byte, b.size())
	u16 := func(at int, values ...uint16) {
		for i, v := range values {
			binary.LittleEndian.PutUint16(f[at+2*i:], v)
		}
	}
	u32 := func(at, v int) { binary.LittleEndian.PutUint32(f[at:], uint32(v)) }
	u32(0, 16)
	u16(4, 12, 20, 16, 18, 4, 8) // Message: version, header_type, header, bodyLength
	u32(16, 16-4)
	u32(20, 48-20)
	u16(32, metadataV5, headerBatch)
	u16(36, 10, 20, 8, 4, 16) // RecordBatch: length, nodes, buffers
	u32(48, 48-36)
	u32(52, placeNodes-4-52)
	u32(64, b.placeBuffers()-4-64)
	u32(placeNodes-4, b.nodes)
	u32(b.placeBuffers()-4, b.buffers)
	return append(binary.LittleEndian.AppendUint32(continuation[:4:4], uint32(len(f))), f...)
}

// A headerWriter collects the numbers of a batch.
type headerWriter struct {
	batchHeader
	body, rows int // where the body begins, and how many rows there are
	nodeAt     []uint64
	bufferAt   []uint64
}

// begin begins a batch of so many rows, whose body comes next.
func (h *headerWriter) begin(body, rows int) {
	h.body, h.rows, h.nodeAt, h.bufferAt = body, rows, h.nodeAt[:0], h.bufferAt[:0]
}

// node says how many values the next column has, and how many of them are null.
func (h *headerWriter) node(length, nulls int) {
	h.nodeAt = append(h.nodeAt, uint64(length), uint64(nulls))
}

// buffer says where in the message the next buffer is.
func (h *headerWriter) buffer(from, to int) {
	h.bufferAt = append(h.bufferAt, uint64(from-h.body), uint64(to-from))
}

// end puts the numbers into the message, which is complete.
func (h *headerWriter) end(out []byte) {
	f := out[h.at+partHead:]
	binary.LittleEndian.PutUint64(f[placeBody:], uint64(len(out)-h.body))
	binary.LittleEndian.PutUint64(f[placeLength:], uint64(h.rows))
	for i, v := range h.nodeAt {
		binary.LittleEndian.PutUint64(f[placeNodes+8*i:], v)
	}
	at := h.placeBuffers()
	for i, v := range h.bufferAt {
		binary.LittleEndian.PutUint64(f[at+8*i:], v)
	}
}
