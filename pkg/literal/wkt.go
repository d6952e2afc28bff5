package literal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	sridBytes    = 4
	maxWKTLevels = 100 // of collections within collections
)

var errWKBShort = errors.New("the geometry is cut")

// AppendWKT appends a geometry as MySQL stores it, four bytes of SRID and then WKB, as
// Well-Known Text. It is ST_AsText's but for the order of the axes: x comes first, as it is
// stored, where ST_AsText goes by the SRID.
func AppendWKT(dst, value []byte) ([]byte, error) {
	if len(value) < sridBytes {
		return dst, errWKBShort
	}
	return AppendWKB(dst, value[sridBytes:])
}

// AppendWKB is AppendWKT for a geometry without its SRID.
func AppendWKB(dst, value []byte) ([]byte, error) {
	r := wkbReader{rest: value}
	out, err := r.geometry(dst, 0, 0)
	if err == nil && len(r.rest) > 0 {
		err = fmt.Errorf("%d bytes are behind the geometry", len(r.rest))
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Types of WKB.
const (
	wkbPoint = iota + 1
	wkbLine
	wkbPolygon
	wkbPoints
	wkbLines
	wkbPolygons
	wkbCollection
)

var wktNames = [...]string{
	wkbPoint: "POINT", wkbLine: "LINESTRING", wkbPolygon: "POLYGON", wkbPoints: "MULTIPOINT",
	wkbLines: "MULTILINESTRING", wkbPolygons: "MULTIPOLYGON", wkbCollection: "GEOMETRYCOLLECTION",
}

type wkbReader struct {
	rest  []byte
	order binary.ByteOrder // of the geometry that is being read
}

// geometry appends one. If it has to be of a type, as those of a MULTIPOINT, its name is left
// out.
func (r *wkbReader) geometry(dst []byte, of uint32, level int) ([]byte, error) {
	kind, err := r.head()
	switch {
	case err != nil:
		return dst, err
	case kind < wkbPoint || kind > wkbCollection:
		return dst, fmt.Errorf("unknown type of geometry: %d", kind)
	case of != 0 && kind != of:
		return dst, fmt.Errorf("a %s is within a multiple of %s", wktNames[kind], wktNames[of])
	case level > maxWKTLevels:
		return dst, fmt.Errorf("geometries are within each other %d levels deep", level)
	case of == 0:
		dst = append(dst, wktNames[kind]...)
	}
	switch kind {
	case wkbPoint:
		if dst, err = r.point(append(dst, '(')); err != nil {
			return dst, err
		}
		return append(dst, ')'), nil
	case wkbLine:
		return r.list(dst, of == 0, r.point)
	case wkbPolygon:
		return r.list(dst, of == 0, r.line)
	case wkbCollection:
		return r.list(dst, true, func(dst []byte) ([]byte, error) { return r.geometry(dst, 0, level+1) })
	}
	each := kind - wkbPoints + wkbPoint
	return r.list(dst, true, func(dst []byte) ([]byte, error) { return r.geometry(dst, each, level+1) })
}

// head reads the byte order and the type that each geometry begins with.
func (r *wkbReader) head() (uint32, error) {
	if len(r.rest) == 0 {
		return 0, errWKBShort
	}
	switch r.rest[0] {
	case 0:
		r.order = binary.BigEndian
	case 1:
		r.order = binary.LittleEndian
	default:
		return 0, fmt.Errorf("unknown byte order of a geometry: %d", r.rest[0])
	}
	r.rest = r.rest[1:]
	return r.number()
}

func (r *wkbReader) number() (uint32, error) {
	if len(r.rest) < 4 {
		return 0, errWKBShort
	}
	n := r.order.Uint32(r.rest)
	r.rest = r.rest[4:]
	return n, nil
}

// list appends as many items as its number says, each of which takes some bytes, or EMPTY.
func (r *wkbReader) list(dst []byte, named bool, item func([]byte) ([]byte, error)) ([]byte, error) {
	n, err := r.number()
	switch {
	case err != nil:
		return dst, err
	case n == 0 && named:
		return append(dst, " EMPTY"...), nil
	case n == 0:
		return append(dst, "EMPTY"...), nil
	}
	for i := range n {
		if i == 0 {
			dst = append(dst, '(')
		} else {
			dst = append(dst, ',')
		}
		if dst, err = item(dst); err != nil {
			return dst, err
		}
	}
	return append(dst, ')'), nil
}

func (r *wkbReader) line(dst []byte) ([]byte, error) { return r.list(dst, false, r.point) }

func (r *wkbReader) point(dst []byte) ([]byte, error) {
	if len(r.rest) < 16 {
		return dst, errWKBShort
	}
	x, y := math.Float64frombits(r.order.Uint64(r.rest)), math.Float64frombits(r.order.Uint64(r.rest[8:]))
	if r.rest = r.rest[16:]; !finite(x) || !finite(y) {
		return dst, fmt.Errorf("a point is at no place: %v %v", x, y)
	}
	dst = append(AppendFloat(dst, x, 64), ' ')
	return AppendFloat(dst, y, 64), nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
