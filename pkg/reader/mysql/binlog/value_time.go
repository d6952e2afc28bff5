package binlog

import (
	"encoding/binary"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
)

const (
	second = 1e6
	day    = 86400 * second
)

// toMicros holds what a unit of the fraction is, by its bytes; a fraction of an
// odd number of digits is stored with one more.
var toMicros = [4]int64{0, 10000, 100, 1}

func dateAppend(b *batch.Fixed[int32], zero calendar.Rule) appendFunc {
	epoch := func() { b.Append(0) }
	return func(v []byte) error {
		n := int(v[0]) | int(v[1])<<8 | int(v[2])<<16
		y, m, d := n>>9, n>>5&15, n&31
		if !calendar.IsDate(y, m, d) {
			return zero.Bad(b, epoch, calendar.Date{Year: y, Month: m, Day: d})
		}
		days := int32(calendar.Days(y, m, d))
		if days == 0 {
			if err := zero.Epoch(); err != nil {
				return err
			}
		}
		b.Append(days)
		return nil
	}
}

// A civil is a date and time of day, as it was read.
type civil struct {
	y, m, d  int
	h, mi, s int
	us       int64
}

func (c civil) append(b *batch.Fixed[int64], zero calendar.Rule, epoch func()) error {
	us := (int64(c.h)*3600+int64(c.mi)*60+int64(c.s))*second + c.us
	if !calendar.IsDate(c.y, c.m, c.d) {
		return zero.Bad(b, epoch, calendar.Date{Year: c.y, Month: c.m, Day: c.d, Micros: us})
	}
	us += int64(calendar.Days(c.y, c.m, c.d)) * day
	if us == 0 {
		if err := zero.Epoch(); err != nil {
			return err
		}
	}
	b.Append(us)
	return nil
}

// dateTimeAppend reads DATETIME and TIMESTAMP. precision is the declared one,
// which maps of MariaDB's old formats do not tell.
func dateTimeAppend(w *MapColumn, precision int, b *batch.Fixed[int64], zero calendar.Rule) appendFunc {
	epoch := func() { b.Append(0) }
	switch w.Type {
	case typeTimestamp2:
		unit := toMicros[(w.Meta+1)/2&3]
		return func(v []byte) error {
			s := int64(binary.BigEndian.Uint32(v))
			if s == 0 { // the zero date
				return zero.Bad(b, epoch, calendar.Date{})
			}
			b.Append(s*second + int64(bigEndian(v[4:]))*unit)
			return nil
		}
	case typeDateTime2:
		unit := toMicros[(w.Meta+1)/2&3]
		return func(v []byte) error {
			n := int(uint64(v[0])<<32|uint64(binary.BigEndian.Uint32(v[1:]))) - 1<<39
			us := int64(0)
			if len(v) > 5 {
				us = int64(bigEndian(v[5:])) * unit
			}
			return unpackDateTime(n, us).append(b, zero, epoch)
		}
	case typeTimestamp:
		return func(v []byte) error {
			var s, us int64
			if precision == 0 {
				s = int64(binary.LittleEndian.Uint32(v))
			} else {
				s, us = int64(binary.BigEndian.Uint32(v)), int64(bigEndian(v[4:]))*pow10[6-precision]
			}
			if s == 0 {
				return zero.Bad(b, epoch, calendar.Date{})
			}
			b.Append(s*second + us)
			return nil
		}
	}
	if precision > 0 {
		return func(v []byte) error { return unpackHires(bigEndian(v), precision).append(b, zero, epoch) }
	}
	return func(v []byte) error { // the digits YYYYMMDDhhmmss as a number
		n := binary.LittleEndian.Uint64(v)
		ymd, hms := int(n/1e6), int(n%1e6)
		return civil{ymd / 1e4, ymd / 100 % 100, ymd % 100, hms / 1e4, hms / 100 % 100, hms % 100, 0}.append(b, zero, epoch)
	}
}

// unpackDateTime undoes the packing of DATETIME: year*13+month, day, hour,
// minute, second in fields of bits.
func unpackDateTime(n int, us int64) civil {
	ymd, hms := n>>17, n&(1<<17-1)
	ym := ymd >> 5
	if ym < 0 { // no server writes this
		ym = 0
	}
	return civil{ym / 13, ym % 13, ymd & 31, hms >> 12, hms >> 6 & 63, hms & 63, us}
}

// unpackHires undoes the packing of MariaDB's old DATETIME with a fraction.
func unpackHires(n uint64, precision int) civil {
	fraction := uint64(pow10[precision])
	c := civil{us: int64(n%fraction) * pow10[6-precision]}
	n /= fraction
	for _, f := range []struct {
		to   *int
		unit uint64
	}{{&c.s, 60}, {&c.mi, 60}, {&c.h, 24}, {&c.d, 32}, {&c.m, 13}, {&c.y, 10000}} {
		*f.to = int(n % f.unit)
		n /= f.unit
	}
	return c
}

var pow10 = [7]int64{1, 10, 100, 1000, 10000, 100000, 1000000}

// oldWidth is the width of a time in MariaDB's formats of before 10.1 and
// MySQL's of before 5.6.
func oldWidth(typ byte, precision int) int {
	switch typ {
	case typeTimestamp:
		return 4 + (precision+1)/2
	case typeDateTime:
		return [7]int{8, 6, 6, 7, 7, 7, 8}[precision]
	}
	return [7]int{3, 4, 4, 5, 5, 5, 6}[precision]
}

// maxTime is what the old TIME with a fraction adds to be positive: 838:59:59
// and a second.
const maxTime = (838*3600 + 59*60 + 59 + 1)

// timeAppend reads TIME, a signed duration, into microseconds.
func timeAppend(w *MapColumn, precision int, b *batch.Fixed[int64]) appendFunc {
	if w.Type == typeTime2 {
		bytes := (int(w.Meta) + 1) / 2
		unit, zero, mask := toMicros[bytes&3], int64(1)<<(23+8*bytes), int64(1)<<(8*bytes)-1
		return func(v []byte) error {
			// Bits of hours, minutes, seconds, and the fraction; a negative time
			// is the complement of them all.
			n := int64(bigEndian(v)) - zero
			sign := int64(1)
			if n < 0 {
				n, sign = -n, -1
			}
			hms := n >> (8 * bytes)
			s := hms>>12*3600 + hms>>6&63*60 + hms&63
			b.Append(sign * (s*second + n&mask*unit))
			return nil
		}
	}
	if precision > 0 {
		return func(v []byte) error {
			b.Append(int64(bigEndian(v))*pow10[6-precision] - maxTime*second)
			return nil
		}
	}
	return func(v []byte) error { // the digits hhmmss as a number
		n := int64(v[0]) | int64(v[1])<<8 | int64(int8(v[2]))<<16
		sign := int64(1)
		if n < 0 {
			n, sign = -n, -1
		}
		b.Append(sign * (n/1e4*3600 + n/100%100*60 + n%100) * second)
		return nil
	}
}
