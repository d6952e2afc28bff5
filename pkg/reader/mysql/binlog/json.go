package binlog

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// The types of values in MySQL's binary JSON. The source of the format is the
// comment at the top of json_binary.h.
const (
	jsonSmallObject = iota
	jsonLargeObject
	jsonSmallArray
	jsonLargeArray
	jsonLiteral
	jsonInt16
	jsonUint16
	jsonInt32
	jsonUint32
	jsonInt64
	jsonUint64
	jsonDouble
	jsonString
	jsonOpaque = 15
)

var errJSON = errors.New("bad binary JSON")

// maxJSONDepth is more than the server's own limit of 100.
const maxJSONDepth = 128

func jsonAppend(b *batch.Bytes) appendFunc {
	var buf []byte
	return func(v []byte) (err error) {
		if buf, err = AppendJSON(buf[:0], v); err == nil {
			b.Append(buf)
		}
		return err
	}
}

// AppendJSON appends to dst the text of a binary JSON value as MySQL prints it.
func AppendJSON(dst, v []byte) ([]byte, error) {
	if len(v) == 0 { // what an engine stores that lost the value; the server reads null
		return append(dst, "null"...), nil
	}
	p := jsonPrinter{dst: dst, budget: len(v)}
	err := p.value(v[0], v[1:], 0)
	return p.dst, err
}

// A jsonPrinter writes text. Values lie at offsets, so that bad ones may share
// bytes and blow up: budget is how many bytes are left that no value has used.
type jsonPrinter struct {
	dst    []byte
	budget int
}

// spend reports whether n more bytes may be used.
func (p *jsonPrinter) spend(n int) error {
	if p.budget -= n; p.budget < 0 {
		return errJSON
	}
	return nil
}

func (p *jsonPrinter) value(typ byte, v []byte, depth int) error {
	switch typ {
	case jsonSmallObject, jsonSmallArray:
		return p.container(v, typ == jsonSmallObject, 2, depth+1)
	case jsonLargeObject, jsonLargeArray:
		return p.container(v, typ == jsonLargeObject, 4, depth+1)
	case jsonString:
		n, start, err := p.length(v)
		if err != nil {
			return err
		}
		p.dst = appendQuoted(p.dst, v[start:start+n])
		return nil
	case jsonOpaque:
		return p.opaque(v)
	}
	return p.scalar(typ, v)
}

// scalarWidth is the width of the types that have one, by their code from
// jsonLiteral on.
var scalarWidth = [...]int{1, 2, 2, 4, 4, 8, 8, 8}

func (p *jsonPrinter) scalar(typ byte, v []byte) error {
	if typ > jsonDouble || typ < jsonLiteral || len(v) < scalarWidth[typ-jsonLiteral] {
		return errJSON
	}
	switch typ {
	case jsonLiteral:
		if v[0] > 2 {
			return errJSON
		}
		p.dst = append(p.dst, [3]string{"null", "true", "false"}[v[0]]...)
	case jsonInt16:
		p.int(int64(int16(binary.LittleEndian.Uint16(v))))
	case jsonUint16:
		p.int(int64(binary.LittleEndian.Uint16(v)))
	case jsonInt32:
		p.int(int64(int32(binary.LittleEndian.Uint32(v))))
	case jsonUint32:
		p.int(int64(binary.LittleEndian.Uint32(v)))
	case jsonInt64:
		p.int(int64(binary.LittleEndian.Uint64(v)))
	case jsonUint64:
		p.uint(binary.LittleEndian.Uint64(v))
	case jsonDouble:
		p.dst = appendDouble(p.dst, math.Float64frombits(binary.LittleEndian.Uint64(v)))
	}
	return nil
}

// length reads the length of a string: seven bits a byte, the lowest first.
func (p *jsonPrinter) length(v []byte) (n, start int, err error) {
	for i := range min(len(v), 5) {
		n |= int(v[i]&0x7f) << (7 * i)
		if v[i]&0x80 == 0 {
			if n > len(v)-i-1 {
				return 0, 0, errJSON
			}
			return n, i + 1, p.spend(n)
		}
	}
	return 0, 0, errJSON
}

// container prints an object or array whose offsets are of w bytes.
func (p *jsonPrinter) container(v []byte, object bool, w, depth int) error {
	open, end := byte('['), byte(']')
	if object {
		open, end = '{', '}'
	}
	p.dst = append(p.dst, open)
	err := p.members(v, object, w, depth, func(i int, key []byte, typ byte, v []byte) error {
		if i > 0 {
			p.dst = append(p.dst, ", "...)
		}
		if object {
			p.dst = append(appendQuoted(p.dst, key), ": "...)
		}
		return p.value(typ, v, depth)
	})
	p.dst = append(p.dst, end)
	return err
}

// members calls f with each member of an object or array whose offsets are of w
// bytes: the number of members, the size, the keys' offsets and lengths, the
// values' types and offsets, or the values themselves where they fit in, then
// keys and values.
func (p *jsonPrinter) members(v []byte, object bool, w, depth int, f func(i int, key []byte, typ byte, v []byte) error) error {
	if len(v) < 2*w || depth > maxJSONDepth {
		return errJSON
	}
	n, size := number(v, w), number(v[w:], w)
	entry, values := 1+w, 2*w
	if object {
		entry, values = entry+w+2, values+n*(w+2)
	}
	if size > len(v) || n > (size-2*w)/entry {
		return errJSON
	}
	if err := p.spend(n * entry); err != nil {
		return err
	}
	v = v[:size]
	for i := range n {
		var key []byte
		if object {
			at := 2*w + i*(w+2)
			start, length := number(v[at:], w), number(v[at+w:], 2)
			if start > size || length > size-start {
				return errJSON
			}
			if err := p.spend(length); err != nil {
				return err
			}
			key = v[start : start+length]
		}
		at := values + i*(1+w)
		typ, from := v[at], at+1
		if !inlined(typ, w) {
			if from = number(v[at+1:], w); from > size {
				return errJSON
			}
		}
		if err := f(i, key, typ, v[from:]); err != nil {
			return err
		}
	}
	return nil
}

// inlined reports whether a value stands where its offset would.
func inlined(typ byte, w int) bool {
	return typ == jsonLiteral || typ == jsonInt16 || typ == jsonUint16 || w == 4 && (typ == jsonInt32 || typ == jsonUint32)
}

// number reads two or four bytes.
func number(v []byte, w int) int {
	if w == 2 {
		return int(binary.LittleEndian.Uint16(v))
	}
	return int(binary.LittleEndian.Uint32(v))
}
