package literal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// ParseWKT appends as WKB, little-endian, a geometry that AppendWKB has written.
func ParseWKT(dst, text []byte) ([]byte, error) {
	r := wktReader{rest: text}
	out, err := r.geometry(dst, 0, 0)
	if err == nil && len(r.rest) > 0 {
		err = errors.New("something is behind the geometry")
	}
	if err != nil {
		return dst, fmt.Errorf("%.40q: %w", text, err)
	}
	return out, nil
}

type wktReader struct{ rest []byte }

// geometry reads one, whose name is left out if it has to be of a type.
func (r *wktReader) geometry(dst []byte, of uint32, level int) (_ []byte, err error) {
	if level > maxWKTLevels {
		return dst, fmt.Errorf("geometries are within each other %d levels deep", level)
	}
	kind := of
	if kind == 0 {
		name := r.word()
		for i, n := range wktNames {
			if n != "" && n == name {
				kind = uint32(i) //nolint:gosec // of a few
			}
		}
	}
	dst = binary.LittleEndian.AppendUint32(append(dst, 1), kind)
	switch kind {
	case 0:
		return dst, errors.New("unknown type of geometry")
	case wkbPoint:
		if err = r.want('('); err == nil {
			dst, err = r.point(dst)
		}
		if err == nil {
			err = r.want(')')
		}
		return dst, err
	case wkbLine:
		return r.list(dst, r.point)
	case wkbPolygon:
		return r.list(dst, r.line)
	case wkbCollection:
		return r.list(dst, func(dst []byte) ([]byte, error) { return r.geometry(dst, 0, level+1) })
	}
	each := kind - wkbPoints + wkbPoint
	return r.list(dst, func(dst []byte) ([]byte, error) { return r.geometry(dst, each, level+1) })
}

// list reads items in parentheses, or EMPTY, with their number before them.
func (r *wktReader) list(dst []byte, item func([]byte) ([]byte, error)) ([]byte, error) {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	if r.space(); len(r.rest) > 0 && r.rest[0] != '(' {
		if r.word() == "EMPTY" {
			return dst, nil
		}
		return dst, errors.New("a list is neither in parentheses nor EMPTY")
	}
	err := r.want('(')
	for n := uint32(1); err == nil; n++ {
		if dst, err = item(dst); err != nil {
			break
		}
		binary.LittleEndian.PutUint32(dst[at:], n)
		if len(r.rest) > 0 && r.rest[0] == ')' {
			r.rest = r.rest[1:]
			return dst, nil
		}
		err = r.want(',')
	}
	return dst, err
}

func (r *wktReader) line(dst []byte) ([]byte, error) { return r.list(dst, r.point) }

func (r *wktReader) point(dst []byte) ([]byte, error) {
	for range 2 {
		r.space()
		n := 0
		for n < len(r.rest) && r.rest[n] != ' ' && r.rest[n] != ',' && r.rest[n] != ')' {
			n++
		}
		v, err := strconv.ParseFloat(string(r.rest[:n]), 64)
		if err != nil || !finite(v) {
			return dst, Bad(r.rest[:n], "number")
		}
		r.rest = r.rest[n:]
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst, nil
}

// word reads a word in capitals.
func (r *wktReader) word() string {
	n := 0
	for n < len(r.rest) && 'A' <= r.rest[n] && r.rest[n] <= 'Z' {
		n++
	}
	word := string(r.rest[:n])
	r.rest = r.rest[n:]
	return word
}

func (r *wktReader) space() {
	for len(r.rest) > 0 && r.rest[0] == ' ' {
		r.rest = r.rest[1:]
	}
}

func (r *wktReader) want(c byte) error {
	if len(r.rest) == 0 || r.rest[0] != c {
		return fmt.Errorf("there is no %c where one has to be", c)
	}
	r.rest = r.rest[1:]
	return nil
}
