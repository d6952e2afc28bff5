package iceberg

import (
	"fmt"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/iceberg-go"
	"github.com/twmb/murmur3"
)

// A partitionField numbers the values that its transform makes of a column. Rows
// that follow each other often have the same one, which is then looked up once.
type partitionField struct {
	id     int // in the spec
	column int // of the batches; -1 if they lack it
	fixed  func(int64) int64
	bytes  func([]byte) []byte
	wide   func(decimal128.Num) decimal128.Num
	hash   func([]byte) int64 // bucket of bytes and decimals, which make numbers then
	value  func(int64) any
	text   func(string) any
	scale  int

	values []any // by number; 0 is null
	ids    []uint32
	ints   map[int64]uint32
	texts  map[string]uint32
	wides  map[decimal128.Num]uint32
}

func newPartitionField(f iceberg.PartitionField, typ iceberg.Type, column int) (*partitionField, error) {
	p := &partitionField{id: f.FieldID, column: column}
	if d, ok := typ.(iceberg.DecimalType); ok {
		p.scale = d.Scale()
	}
	p.value, p.text = valueOf(f.Transform.ResultType(typ))
	same := func(v int64) int64 { return v }
	p.fixed = same
	p.bytes = func(b []byte) []byte { return b }
	p.wide = func(v decimal128.Num) decimal128.Num { return v }
	stamp := typ.Equals(iceberg.PrimitiveTypes.Timestamp) || typ.Equals(iceberg.PrimitiveTypes.TimestampTz)
	days := same
	if stamp {
		days = func(v int64) int64 { return floorDiv(v, 24*hourMicros) }
	}
	switch t := f.Transform.(type) {
	case iceberg.IdentityTransform:
	case iceberg.YearTransform:
		p.fixed = func(v int64) int64 { y, _ := civil(days(v)); return y - 1970 }
	case iceberg.MonthTransform:
		p.fixed = func(v int64) int64 { y, m := civil(days(v)); return (y-1970)*12 + m - 1 }
	case iceberg.DayTransform:
		p.fixed = days
	case iceberg.HourTransform:
		p.fixed = func(v int64) int64 { return floorDiv(v, hourMicros) }
	case iceberg.BucketTransform:
		n := int64(t.NumBuckets)
		bucket := func(hash uint32) int64 { return int64(hash&0x7fffffff) % n }
		p.fixed = func(v int64) int64 { return bucket(hashLong(v)) }
		p.hash = func(b []byte) int64 { return bucket(murmur3.Sum32(b)) }
	case iceberg.TruncateTransform:
		p.truncate(int64(t.Width), typ)
	default:
		return nil, fmt.Errorf("partition field %s: transform %s is not supported", f.Name, f.Transform)
	}
	return p, nil
}

func (p *partitionField) truncate(width int64, typ iceberg.Type) {
	p.fixed = func(v int64) int64 { return v - (v%width+width)%width }
	p.wide = func(v decimal128.Num) decimal128.Num {
		// The rest of a division that rounds down: truncation goes to smaller
		// values below zero too.
		n := v.BigInt()
		rest := new(big.Int).Mod(n, big.NewInt(width))
		return decimal128.FromBigInt(n.Sub(n, rest))
	}
	p.bytes = func(b []byte) []byte { return b[:min(len(b), int(width))] }
	if typ.Equals(iceberg.PrimitiveTypes.String) {
		p.bytes = func(b []byte) []byte { return b[:codePoints(b, int(width))] }
	}
}

// codePoints is the length of the first n code points.
func codePoints(b []byte, n int) int {
	for i, c := range b {
		if c&0xc0 != 0x80 { // the first byte of one
			if n == 0 {
				return i
			}
			n--
		}
	}
	return len(b)
}

// valueOf returns what makes values of a type as manifests have them.
func valueOf(typ iceberg.Type) (func(int64) any, func(string) any) {
	fixed := func(v int64) any { return v }
	text := func(s string) any { return s }
	switch typ.(type) {
	case iceberg.BooleanType:
		fixed = func(v int64) any { return v != 0 }
	case iceberg.Int32Type:
		fixed = func(v int64) any { return int32(v) } //nolint:gosec // it came from one
	case iceberg.DateType:
		fixed = func(v int64) any { return iceberg.Date(v) } //nolint:gosec // it came from one
	case iceberg.TimestampType, iceberg.TimestampTzType:
		fixed = func(v int64) any { return iceberg.Timestamp(v) }
	case iceberg.BinaryType:
		text = func(s string) any { return []byte(s) }
	}
	return fixed, text
}

func (p *partitionField) reset() {
	p.values = []any{nil}
	p.ints, p.texts, p.wides = make(map[int64]uint32), make(map[string]uint32), make(map[decimal128.Num]uint32)
}

// assign numbers the values of n rows, until the next call.
func (p *partitionField) assign(columns []arrow.Array, n int) ([]uint32, error) {
	if cap(p.ids) < n {
		p.ids = make([]uint32, n)
	}
	p.ids = p.ids[:n]
	if p.column < 0 {
		clear(p.ids)
		return p.ids, nil
	}
	col := columns[p.column]
	var nulls arrow.Array // the values of nulls may be anything
	if col.NullN() > 0 {
		nulls = col
	}
	switch a := col.(type) {
	case *array.Boolean:
		for i := range n {
			switch {
			case a.IsNull(i):
				p.ids[i] = 0
			case a.Value(i):
				p.ids[i] = p.int(1)
			default:
				p.ids[i] = p.int(0)
			}
		}
	case *array.Int32:
		assignInts(p, nulls, a.Int32Values())
	case *array.Date32:
		assignInts(p, nulls, a.Date32Values())
	case *array.Int64:
		assignInts(p, nulls, a.Int64Values())
	case *array.Timestamp:
		assignInts(p, nulls, a.TimestampValues())
	case *array.Decimal128:
		p.decimals(nulls, a.Values())
	case *array.String:
		p.strings(nulls, a.ValueOffsets(), a.ValueBytes())
	case *array.Binary:
		p.strings(nulls, a.ValueOffsets(), a.ValueBytes())
	default:
		return nil, fmt.Errorf("partitions by %s", col.DataType())
	}
	return p.ids, nil
}

func assignInts[T ~int32 | ~int64](p *partitionField, nulls arrow.Array, values []T) {
	var last T
	var id uint32
	for i, v := range values {
		if nulls != nil && nulls.IsNull(i) {
			p.ids[i] = 0
			continue
		}
		if v != last || id == 0 {
			last, id = v, p.int(p.fixed(int64(v)))
		}
		p.ids[i] = id
	}
}

func (p *partitionField) decimals(nulls arrow.Array, values []decimal128.Num) {
	var last decimal128.Num
	var id uint32
	for i, v := range values {
		if nulls != nil && nulls.IsNull(i) {
			p.ids[i] = 0
			continue
		}
		if v != last || id == 0 {
			last = v
			if p.hash != nil {
				var b [16]byte
				id = p.int(p.hash(shortest(&b, v)))
			} else {
				id = p.decimal(p.wide(v))
			}
		}
		p.ids[i] = id
	}
}

func (p *partitionField) strings(nulls arrow.Array, offsets []int32, data []byte) {
	var last []byte
	var id uint32
	for i := range p.ids {
		if nulls != nil && nulls.IsNull(i) {
			p.ids[i] = 0
			continue
		}
		v := data[offsets[i]-offsets[0] : offsets[i+1]-offsets[0]]
		if string(v) != string(last) || id == 0 {
			last = v
			if p.hash != nil {
				id = p.int(p.hash(v))
			} else {
				id = p.string(p.bytes(v))
			}
		}
		p.ids[i] = id
	}
}

// int, decimal and string return the number of a value.
func (p *partitionField) int(v int64) uint32 {
	id, ok := p.ints[v]
	if !ok {
		id = uint32(len(p.values))
		p.ints[v] = id
		p.values = append(p.values, p.value(v))
	}
	return id
}

func (p *partitionField) decimal(v decimal128.Num) uint32 {
	id, ok := p.wides[v]
	if !ok {
		id = uint32(len(p.values))
		p.wides[v] = id
		p.values = append(p.values, iceberg.Decimal{Val: v, Scale: p.scale})
	}
	return id
}

func (p *partitionField) string(v []byte) uint32 {
	id, ok := p.texts[string(v)]
	if !ok {
		id = uint32(len(p.values))
		p.texts[string(v)] = id
		p.values = append(p.values, p.text(string(v)))
	}
	return id
}

const hourMicros = 3600 * 1_000_000

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil returns year and month of a day that is counted from 1970-01-01. A year
// is taken to begin in March, so that the odd day is its last.
func civil(day int64) (year, month int64) {
	const era = 146097 // days of 400 years
	day += 719468      // from 0000-03-01
	e := floorDiv(day, era)
	d := day - e*era
	y := (d - d/1460 + d/36524 - d/146096) / 365
	m := (5*(d-(365*y+y/4-y/100)) + 2) / 153 // from March
	year, month = y+e*400, m+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month
}

// hashLong is murmur3.Sum32 of the 8 bytes, the least first. It spares a call
// that would move them to the heap.
func hashLong(v int64) uint32 {
	h := uint32(0)
	for _, k := range [2]uint32{uint32(v), uint32(v >> 32)} {
		k *= 0xcc9e2d51
		k = k<<15 | k>>17
		h ^= k * 0x1b873593
		h = h<<13 | h>>19
		h = h*5 + 0xe6546b64
	}
	h ^= 8
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// shortest returns the big-endian bytes of a number without those that only
// repeat the sign, by which the format hashes decimals.
func shortest(b *[16]byte, v decimal128.Num) []byte {
	hi, lo := uint64(v.HighBits()), v.LowBits()
	for i := range 8 {
		b[7-i], b[15-i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	sign := byte(0)
	if v.HighBits() < 0 {
		sign = 0xff
	}
	n := 0
	for n < 15 && b[n] == sign && (b[n+1]^sign)&0x80 == 0 {
		n++
	}
	return b[n:]
}
