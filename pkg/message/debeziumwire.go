package message

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A wire is how debezium-json has a value: what the name of its schema says, whether that
// comes along or not.
type wire uint8

const (
	wirePlain    wire = iota // text, a number, true or false, as it is
	wireLabel                // text of an ENUM, in which Debezium leaves a backslash before a comma
	wireUnsigned             // a BIGINT UNSIGNED, which may have become a negative number
	wireDecimal              // base64 of a big-endian two's complement, without the point
	wireVariable             // an object of such a value and its scale
	wireBits                 // base64 of little-endian bits
	wireBytes                // base64
	wireDays                 // since 1970
	wireMillis               // since 1970, or of a day
	wireMicros
	wireNanos
	wireISO      // text of a date, a time or both, with a zone
	wireGeometry // an object that has WKB in base64
	wireFloats   // an array
	wireJSON     // the text of whatever stands there
)

// ownWire is how this program writes a column: as Debezium does that was told nothing, but
// that no value is lost on the way. Without a schema nobody knows where the point of a
// DECIMAL in base64 is, so that it is text then, as by decimal.handling.mode=string; and a
// BIGINT UNSIGNED keeps its sign, as a number, and in base64 where there is a schema.
func ownWire(c schema.Column, schemas bool) wire {
	switch c.Type.Kind {
	case schema.BigInt:
		if c.Type.Unsigned && schemas {
			return wireDecimal
		}
	case schema.Decimal:
		if schemas {
			return wireDecimal
		}
	case schema.Bit:
		if c.Type.Precision > 1 {
			return wireBits
		}
	case schema.Date:
		return wireDays
	case schema.DateTime:
		if c.Type.Precision <= 3 {
			return wireMillis
		}
		return wireMicros
	case schema.Time:
		return wireMicros
	case schema.Timestamp:
		return wireISO
	case schema.Binary:
		return wireBytes
	case schema.Geometry:
		return wireGeometry
	case schema.Vector:
		return wireFloats
	}
	return wirePlain
}

// debeziumValue returns how a column is written, nil if it cannot be.
func debeziumValue(c schema.Column, schemas bool) bindFunc {
	switch ownWire(c, schemas) {
	case wireDecimal:
		return decimalBytes(c)
	case wireBits:
		return bitBytes(c)
	case wireDays:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Date32)
			return func(dst []byte, i int) []byte { return appendInt(dst, int64(v.Value(i))) }
		}
	case wireMillis:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Timestamp)
			return func(dst []byte, i int) []byte { return appendInt(dst, floorDiv(int64(v.Value(i)), 1000)) }
		}
	case wireMicros:
		return func(a arrow.Array) valueFunc {
			if v, ok := a.(*array.Timestamp); ok {
				return func(dst []byte, i int) []byte { return appendInt(dst, int64(v.Value(i))) }
			}
			v := a.(*array.Int64)
			return func(dst []byte, i int) []byte { return appendInt(dst, v.Value(i)) }
		}
	case wireISO:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Timestamp)
			digits := c.Type.Precision
			return func(dst []byte, i int) []byte {
				return append(literal.AppendDateTime(append(dst, '"'), int64(v.Value(i)), 'T', digits), 'Z', '"')
			}
		}
	case wireBytes:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Binary)
			return func(dst []byte, i int) []byte { return appendBase64(dst, v.Value(i)) }
		}
	case wireGeometry:
		return geometryObject(c)
	case wireFloats:
		return floatArray
	}
	switch c.Type.Kind {
	case schema.String, schema.JSON, schema.Enum, schema.Set:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return literal.AppendJSON(dst, v.Value(i)) }
		}
	case schema.Decimal:
		return quoted(numbers(c))
	case schema.Bit:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Boolean)
			return func(dst []byte, i int) []byte {
				if v.Value(i) {
					return append(dst, "true"...)
				}
				return append(dst, "false"...)
			}
		}
	}
	return numbers(c)
}

func floorDiv(v, by int64) int64 {
	if v < 0 {
		return (v - by + 1) / by
	}
	return v / by
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// decimalBytes writes the unscaled number as Java's BigInteger has it: in as few bytes as
// hold it and its sign.
func decimalBytes(c schema.Column) bindFunc {
	if c.Arrow.ID() == arrow.STRING {
		return longDecimalBytes
	}
	return func(a arrow.Array) valueFunc {
		v := a.(*array.Decimal128)
		return func(dst []byte, i int) []byte {
			var b [16]byte
			n := v.Value(i)
			binary.BigEndian.PutUint64(b[:], uint64(n.HighBits()))
			binary.BigEndian.PutUint64(b[8:], n.LowBits())
			return appendBase64(dst, shorten(b[:]))
		}
	}
}

// shorten leaves the first bytes of a two's complement out that the rest implies.
func shorten(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

// longDecimalBytes is decimalBytes for those that Arrow has no decimal for.
func longDecimalBytes(a arrow.Array) valueFunc {
	v := a.(*array.String)
	return func(dst []byte, i int) []byte {
		text := v.Value(i)
		var n, m big.Int
		n.SetString(strings.Replace(text, ".", "", 1), 10)
		b := make([]byte, n.BitLen()/8+1)
		if n.Sign() < 0 {
			n.Add(&n, m.Lsh(big.NewInt(1), uint(8*len(b))))
		}
		return appendBase64(dst, shorten(n.FillBytes(b)))
	}
}

// bitBytes writes bits from the lowest on.
func bitBytes(c schema.Column) bindFunc {
	n := (c.Type.Precision + 7) / 8
	return func(a arrow.Array) valueFunc {
		bits := func(i int) uint64 { return uint64(a.(*array.Int64).Value(i)) }
		if v, ok := a.(*array.Decimal128); ok {
			bits = func(i int) uint64 { return v.Value(i).LowBits() }
		}
		return func(dst []byte, i int) []byte {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], bits(i))
			return appendBase64(dst, b[:n])
		}
	}
}

// geometryObject writes WKB; that of a POINT beside its coordinates.
func geometryObject(c schema.Column) bindFunc {
	point := c.Native == "point"
	return func(a arrow.Array) valueFunc {
		v := a.(*array.Binary)
		return func(dst []byte, i int) []byte {
			wkb := v.Value(i)
			dst = append(dst, '{')
			if point {
				x, y := coordinates(wkb)
				dst = literal.AppendFloat(append(dst, `"x":`...), x, 64)
				dst = append(literal.AppendFloat(append(dst, `,"y":`...), y, 64), ',')
			}
			return append(appendBase64(append(dst, `"wkb":`...), wkb), `,"srid":null}`...)
		}
	}
}

// coordinates are those of a point in little-endian WKB, as MySQL stores it.
func coordinates(wkb []byte) (x, y float64) {
	if len(wkb) != 21 || wkb[0] != 1 {
		return 0, 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(wkb[5:])), math.Float64frombits(binary.LittleEndian.Uint64(wkb[13:]))
}

// floatArray writes the numbers of a VECTOR.
func floatArray(a arrow.Array) valueFunc {
	v := a.(*array.List)
	items := v.ListValues().(*array.Float32)
	return func(dst []byte, i int) []byte {
		from, to := v.ValueOffsets(i)
		dst = append(dst, '[')
		for k := from; k < to; k++ {
			if k > from {
				dst = append(dst, ',')
			}
			dst = literal.AppendFloat(dst, float64(items.Value(int(k))), 32)
		}
		return append(dst, ']')
	}
}

// twosComplement reads a big-endian number of at most 128 bits.
func twosComplement(b []byte) (n decimal128.Num, ok bool) {
	if b = shorten(b); len(b) > 16 {
		return n, false
	}
	var all [16]byte
	if len(b) > 0 && b[0] >= 0x80 {
		for i := range all {
			all[i] = 0xff
		}
	}
	copy(all[16-len(b):], b)
	return decimal128.New(int64(binary.BigEndian.Uint64(all[:])), binary.BigEndian.Uint64(all[8:])), true
}
