package hdfs

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// What of Hadoop's RPC is read here is framed as: a length of four bytes, then messages
// of protobuf, each behind a length of its own.

// A request is one that is awaiting its reply.
type request struct {
	packet         []byte
	call           int32
	method         string
	header, naming []byte // its first two messages
	body           []byte
}

// parseRequest reads what is being sent; nil if it is no request, but part of a greeting.
func parseRequest(packet []byte) *request {
	if len(packet) < 4 || int(binary.BigEndian.Uint32(packet)) != len(packet)-4 {
		return nil
	}
	r := &request{packet: packet}
	rest := packet[4:]
	for _, m := range []*[]byte{&r.header, &r.naming, &r.body} {
		b, n := protowire.ConsumeBytes(rest)
		if n < 0 {
			return nil
		}
		*m, rest = b, rest[n:]
	}
	call, ok := number(r.header, 3)
	r.call = int32(protowire.DecodeZigZag(call))
	r.method = text(r.naming, 1)
	if !ok || r.call < 0 {
		return nil
	}
	return r
}

// with returns the request with another body; asked under another name and number, if
// there is a name.
func (r *request) with(method string, call int32, body []byte) *request {
	n := &request{header: r.header, naming: r.naming, call: r.call, method: r.method, body: body}
	if method != "" {
		n.call, n.method = call, method
		// Of a field that is there twice, the last one counts.
		n.header = protowire.AppendVarint(protowire.AppendTag(clone(r.header), 3, protowire.VarintType), protowire.EncodeZigZag(int64(call)))
		n.naming = protowire.AppendString(protowire.AppendTag(clone(r.naming), 1, protowire.BytesType), method)
	}
	n.packet = frame(n.header, n.naming, n.body)
	return n
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func frame(messages ...[]byte) []byte {
	packet := make([]byte, 4)
	for _, m := range messages {
		packet = protowire.AppendBytes(packet, m)
	}
	binary.BigEndian.PutUint32(packet, uint32(len(packet)-4))
	return packet
}

// A reply is what a NameNode answers.
type reply struct {
	packet         []byte
	call           uint32
	failed         bool
	class, message string // of the exception
	header, body   []byte
}

func parseReply(packet []byte) (r reply, ok bool) {
	r.packet = packet
	header, n := protowire.ConsumeBytes(packet[4:])
	if n < 0 {
		return r, false
	}
	r.header = header
	r.body, _ = protowire.ConsumeBytes(packet[4+n:])
	call, ok := number(header, 1)
	status, _ := number(header, 2)
	r.call, r.failed = uint32(call), status != 0
	r.class, r.message = text(header, 4), text(header, 5)
	return r, ok
}

// exception makes the reply that a call has failed.
func exception(call int32, class, message string) []byte {
	var h []byte
	h = protowire.AppendVarint(protowire.AppendTag(h, 1, protowire.VarintType), uint64(uint32(call)))
	h = protowire.AppendVarint(protowire.AppendTag(h, 2, protowire.VarintType), 1)
	h = protowire.AppendString(protowire.AppendTag(h, 4, protowire.BytesType), class)
	h = protowire.AppendString(protowire.AppendTag(h, 5, protowire.BytesType), message)
	h = protowire.AppendVarint(protowire.AppendTag(h, 6, protowire.VarintType), 1)
	return frame(h)
}

// readPacket reads a length and as many bytes behind it.
func readPacket(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > 256<<20 {
		return nil, fmt.Errorf("%w (%q)", errNoRPC, length)
	}
	packet := make([]byte, 4+n)
	copy(packet, length[:])
	_, err := io.ReadFull(r, packet[4:])
	return packet, err
}

// each calls f with the fields of a message.
func each(message []byte, f func(n protowire.Number, value []byte, v uint64)) {
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		var value []byte
		var v uint64
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(num, kind, message)
		}
		if n < 0 {
			return
		}
		message = message[n:]
		f(num, value, v)
	}
}

func number(message []byte, field protowire.Number) (v uint64, ok bool) {
	each(message, func(n protowire.Number, _ []byte, x uint64) {
		if n == field {
			v, ok = x, true
		}
	})
	return v, ok
}

func bytesOf(message []byte, field protowire.Number) (b []byte) {
	each(message, func(n protowire.Number, value []byte, _ uint64) {
		if n == field {
			b = value
		}
	})
	return b
}

func text(message []byte, field protowire.Number) string { return string(bytesOf(message, field)) }
