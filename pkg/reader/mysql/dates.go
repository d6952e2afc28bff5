package mysql

import (
	"encoding/binary"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A zeroDate is the policy for dates that no calendar holds.
type zeroDate string

const (
	zeroNull  zeroDate = "null"
	zeroEpoch zeroDate = "epoch"
	zeroFail  zeroDate = "fail"
)

func parseZeroDate(s string) (zeroDate, error) {
	switch z := zeroDate(s); z {
	case "":
		return zeroNull, nil
	case zeroNull, zeroEpoch, zeroFail:
		return z, nil
	}
	return "", fmt.Errorf("bad zero-date policy %q: want null, epoch or fail", s)
}

// A badDate is a date that no calendar holds, met under the fail policy.
type badDate struct{ year, month, day int }

func (e badDate) Error() string {
	return fmt.Sprintf("no calendar holds the date %04d-%02d-%02d", e.year, e.month, e.day)
}

// bad appends what stands for a date that no calendar holds.
func (z zeroDate) bad(col batch.Column, epoch func(), y, m, d int) error {
	switch z {
	case zeroNull:
		col.Null()
	case zeroEpoch:
		epoch()
	default:
		return hint.Wrap(badDate{y, m, d}, "--zero-date epoch makes 1970-01-01 of such dates, null makes NULL of them outside the key")
	}
	return nil
}

// ymd reads year, month and day of a value; no bytes are 0000-00-00.
func ymd(v []byte) (y, m, d int) {
	if len(v) < 4 {
		return 0, 0, 0
	}
	return int(binary.LittleEndian.Uint16(v)), int(v[2]), int(v[3])
}

// dateDecoder reads DATE into days since 1970-01-01.
func dateDecoder(b *batch.Fixed[int32], zero zeroDate) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		y, m, d := ymd(v)
		if !isDate(y, m, d) {
			return end, zero.bad(b, func() { b.Append(0) }, y, m, d)
		}
		b.Append(int32(daysSinceEpoch(y, m, d)))
		return end, nil
	}
}

// dateTimeDecoder reads DATETIME and TIMESTAMP into microseconds since
// 1970-01-01T00:00:00. The session's zone is UTC, so both read alike.
func dateTimeDecoder(b *batch.Fixed[int64], zero zeroDate) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		y, m, d := ymd(v)
		if !isDate(y, m, d) {
			return end, zero.bad(b, func() { b.Append(0) }, y, m, d)
		}
		us := int64(daysSinceEpoch(y, m, d)) * 86400e6
		if len(v) >= 7 {
			us += (int64(v[4])*3600 + int64(v[5])*60 + int64(v[6])) * 1e6
		}
		if len(v) >= 11 {
			us += int64(binary.LittleEndian.Uint32(v[7:]))
		}
		b.Append(us)
		return end, nil
	}
}

// timeDecoder reads TIME, a signed duration, into microseconds.
func timeDecoder(b *batch.Fixed[int64]) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		var us int64
		if len(v) >= 8 {
			days := int64(binary.LittleEndian.Uint32(v[1:]))
			us = (((days*24+int64(v[5]))*60+int64(v[6]))*60 + int64(v[7])) * 1e6
		}
		if len(v) >= 12 {
			us += int64(binary.LittleEndian.Uint32(v[8:]))
		}
		if len(v) >= 8 && v[0] == 1 {
			us = -us
		}
		b.Append(us)
		return end, nil
	}
}

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// isDate reports whether the proleptic Gregorian calendar holds the date.
func isDate(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	return d <= monthDays[m] || m == 2 && d == 29 && y%4 == 0 && (y%100 != 0 || y%400 == 0)
}

// daysBefore holds the days of a year before each month, counted from March, so
// that the leap day is the last of its year.
var daysBefore = [13]int{0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275}

// daysSinceEpoch returns the days from 1970-01-01 to a date of year 0 or later.
func daysSinceEpoch(y, m, d int) int {
	if m <= 2 {
		y--
	}
	// Floor division, as year 0 begins in the March year −1.
	y += 400
	return y*365 + y/4 - y/100 + y/400 + daysBefore[m] + d - 1 - 719468 - 146097
}
