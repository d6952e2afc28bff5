package mysql

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// The client/server protocol: packets of at most 2^24−1 bytes behind a header of
// three length bytes and a sequence number; a full one is continued by the
// next. Source: MySQL Internals, "MySQL Packets".
const (
	headerLen  = 4
	maxPayload = 1<<24 - 1

	// readSize is the smallest read that is asked of the socket. Larger ones
	// gain nothing: the kernel hands over what has arrived.
	readSize = 256 << 10
)

// A packetReader cuts a connection's bytes into packets. It reads as much as
// the socket has and hands out slices of its buffer, so a row is not copied
// before it is decoded.
type packetReader struct {
	src  io.Reader
	buf  []byte
	r, w int    // buf[r:w] is read and not yet handed out
	seq  uint8  // of the next packet
	long []byte // a packet put together from several
	more bool   // long is not complete yet
}

func newPacketReader(src io.Reader) *packetReader { return &packetReader{src: src} }

// begin readies the reader for the answer to a new command.
func (p *packetReader) begin() {
	p.seq, p.r, p.w, p.more = 1, 0, 0, false
	if p.buf == nil {
		p.buf = make([]byte, 2*readSize)
	}
}

// next returns the payload of the next packet. It is valid until the next call.
// After an error that a deadline made, next can be called again and goes on
// where it was.
func (p *packetReader) next() ([]byte, error) {
	if !p.more {
		part, err := p.part()
		if err != nil || len(part) < maxPayload {
			return part, err
		}
		p.long, p.more = append(p.long[:0], part...), true
	}
	for p.more {
		part, err := p.part()
		if err != nil {
			return nil, err
		}
		p.long, p.more = append(p.long, part...), len(part) == maxPayload
	}
	return p.long, nil
}

// part returns the payload of one packet on the wire.
func (p *packetReader) part() ([]byte, error) {
	if p.w-p.r < headerLen {
		if err := p.fill(headerLen); err != nil {
			return nil, err
		}
	}
	h := binary.LittleEndian.Uint32(p.buf[p.r:])
	n := int(h & maxPayload)
	if seq := uint8(h >> 24); seq != p.seq {
		return nil, fmt.Errorf("packet %d came where %d was due", seq, p.seq)
	}
	if p.w-p.r < headerLen+n {
		if err := p.fill(headerLen + n); err != nil {
			return nil, err
		}
	}
	p.seq++
	payload := p.buf[p.r+headerLen : p.r+headerLen+n : p.r+headerLen+n]
	p.r += headerLen + n
	return payload, nil
}

// fill reads until n bytes are there.
func (p *packetReader) fill(n int) error {
	// What is left moves to the front; it is less than one row.
	if p.r > 0 && (p.r == p.w || len(p.buf)-p.r < n || len(p.buf)-p.w < readSize) {
		p.w = copy(p.buf, p.buf[p.r:p.w])
		p.r = 0
	}
	if len(p.buf) < n {
		bigger := make([]byte, n+readSize)
		copy(bigger, p.buf[:p.w])
		p.buf = bigger
	}
	for p.w-p.r < n {
		m, err := p.src.Read(p.buf[p.w:])
		p.w += m
		if err != nil && p.w-p.r < n {
			return err
		}
	}
	return nil
}

// trim gives the memory of giants back, so that one row of 64 MiB does not
// stay with the connection.
func (p *packetReader) trim() {
	if len(p.buf) > 8*readSize {
		p.buf = make([]byte, 2*readSize)
		p.r, p.w = 0, 0
	}
	p.long = nil
}

// rest is trim for whoever waits between packets.
func (p *packetReader) rest() {
	if p.r == p.w && !p.more {
		p.trim()
	}
}

// isEOF reports whether a packet ends a list of columns or rows.
func isEOF(p []byte) bool { return len(p) < 9 && len(p) > 0 && p[0] == mysql.EOF_HEADER }

// asError returns the server's error if the packet is one.
func asError(p []byte) error {
	if len(p) < 3 || p[0] != mysql.ERR_HEADER {
		return nil
	}
	e := &mysql.MyError{Code: binary.LittleEndian.Uint16(p[1:])}
	msg := p[3:]
	if len(msg) >= 6 && msg[0] == '#' {
		e.State, msg = string(msg[1:6]), msg[6:]
	}
	e.Message = string(msg)
	return e
}

// lenenc reads a length-encoded integer at p[i:] and returns it and where it
// ends; end is −1 if p is too short or the value is NULL.
func lenenc(p []byte, i int) (v, end int) {
	if i >= len(p) {
		return 0, -1
	}
	switch b := p[i]; {
	case b < 0xfb:
		return int(b), i + 1
	case b == 0xfc && i+3 <= len(p):
		return int(binary.LittleEndian.Uint16(p[i+1:])), i + 3
	case b == 0xfd && i+4 <= len(p):
		return int(uint32(p[i+1]) | uint32(p[i+2])<<8 | uint32(p[i+3])<<16), i + 4
	case b == 0xfe && i+9 <= len(p):
		if n := binary.LittleEndian.Uint64(p[i+1:]); n < 1<<40 {
			return int(n), i + 9
		}
	}
	return 0, -1
}

// lenencBytes reads a length-encoded string at p[i:].
func lenencBytes(p []byte, i int) (v []byte, end int) {
	n, i := lenenc(p, i)
	if i < 0 || len(p)-i < n {
		return nil, -1
	}
	return p[i : i+n], i + n
}
