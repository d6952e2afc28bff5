package binlog

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxEvent is how large an event may be: servers write none of more.
const maxEvent = 1<<30 + 1<<16

// A Payload reads the events of a compressed transaction one by one.
type Payload struct {
	zstd *zstd.Decoder
	src  io.Reader
	buf  []byte
}

// The fields of a transaction payload's header, and the ways of compression.
const (
	payloadEnd  = 0
	payloadSize = 1
	payloadKind = 2

	payloadZstd  = 0
	payloadPlain = 255
)

// Reset begins with the body of a TransactionPayload, which must stay as it is
// until the last event of it was read.
func (p *Payload) Reset(body []byte) error {
	c := cursor{p: body}
	kind, size := uint64(payloadPlain), uint64(0)
	for {
		id := c.lenenc()
		if id == payloadEnd || c.bad {
			break
		}
		value := cursor{p: c.take(c.lenenc())}
		switch id {
		case payloadSize:
			size = value.lenenc()
		case payloadKind:
			kind = value.lenenc()
		}
	}
	data := c.take(size)
	if c.bad {
		return errShort
	}
	switch kind {
	case payloadZstd:
		if p.zstd == nil {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxEvent))
			if err != nil {
				return err
			}
			p.zstd = d
		}
		p.src = p.zstd
		return p.zstd.Reset(bytes.NewReader(data))
	case payloadPlain:
		p.src = bytes.NewReader(data)
		return nil
	}
	return fmt.Errorf("a transaction is compressed in an unknown way (%d)", kind)
}

// Next returns an event, header included; it has no checksum. The event is valid
// until the next call; io.EOF follows the last one.
func (p *Payload) Next() ([]byte, error) {
	p.buf = append(p.buf[:0], make([]byte, HeaderLen)...)
	if _, err := io.ReadFull(p.src, p.buf); err != nil {
		if err == io.EOF {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("decompress a transaction: %w", err)
	}
	size := int(binary.LittleEndian.Uint32(p.buf[9:]))
	if size < HeaderLen || size > maxEvent {
		return nil, fmt.Errorf("decompress a transaction: event of %d bytes", size)
	}
	if cap(p.buf) < size {
		p.buf = append(make([]byte, 0, size+size/4), p.buf...)
	}
	p.buf = p.buf[:size]
	if _, err := io.ReadFull(p.src, p.buf[HeaderLen:]); err != nil {
		return nil, fmt.Errorf("decompress a transaction: %w", err)
	}
	return p.buf, nil
}

// Close frees what decompression holds.
func (p *Payload) Close() {
	if p.zstd != nil {
		p.zstd.Close()
		p.zstd = nil
	}
}

// inflate appends to dst what MariaDB compressed: a byte that holds the way and
// the number of bytes of the length, the length in big-endian, and the data.
func inflate(dst, p []byte) ([]byte, error) {
	if len(p) < 2 {
		return nil, errShort
	}
	if p[0]&0x80 == 0 || p[0]>>4&7 != 0 {
		return nil, errors.New("an event is compressed in an unknown way")
	}
	n := int(p[0] & 7)
	if n == 0 || n > 4 || len(p) < 1+n {
		return nil, errShort
	}
	size := 0
	for _, b := range p[1 : 1+n] {
		size = size<<8 | int(b)
	}
	if size > maxEvent {
		return nil, fmt.Errorf("decompress an event: %d bytes", size)
	}
	z, err := zlib.NewReader(bytes.NewReader(p[1+n:]))
	if err != nil {
		return nil, fmt.Errorf("decompress an event: %w", err)
	}
	start := len(dst)
	dst = append(dst, make([]byte, size)...)
	if _, err := io.ReadFull(z, dst[start:]); err != nil {
		return nil, fmt.Errorf("decompress an event: %w", err)
	}
	// The end holds a checksum.
	if n, err := z.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("decompress an event: it is longer than it says, or cut short (%v)", err)
	}
	return dst, nil
}

// plain are the types that MariaDB's compressed rows events have decompressed.
var plain = map[EventType]EventType{
	MariaWriteRowsCompressedV1: WriteRowsV1, MariaUpdateRowsCompressedV1: UpdateRowsV1, MariaDeleteRowsCompressedV1: DeleteRowsV1,
	MariaWriteRowsCompressed: WriteRowsV2, MariaUpdateRowsCompressed: UpdateRowsV2, MariaDeleteRowsCompressed: DeleteRowsV2,
}

// Decompress returns the rows event that a compressed one of MariaDB stands for.
// Its body is built in buf, which is given back for the next call.
func Decompress(typ EventType, body, buf []byte) (EventType, []byte, error) {
	to := plain[typ]
	c := cursor{p: body}
	c.take(8)
	if to == WriteRowsV2 || to == UpdateRowsV2 || to == DeleteRowsV2 {
		c.take(max(uint64(c.uint16()), 2) - 2)
	}
	bitmap := (c.lenenc() + 7) / 8
	c.take(bitmap)
	if to == UpdateRowsV1 || to == UpdateRowsV2 {
		c.take(bitmap)
	}
	if c.bad || to == 0 {
		return 0, nil, errShort
	}
	buf = append(buf[:0], body[:len(body)-len(c.p)]...)
	buf, err := inflate(buf, c.p)
	return to, buf, err
}
