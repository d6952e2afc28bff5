package mysql

import (
	"encoding/binary"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
)

// ymd reads year, month and day of a value; no bytes are 0000-00-00.
func ymd(v []byte) (y, m, d int) {
	if len(v) < 4 {
		return 0, 0, 0
	}
	return int(binary.LittleEndian.Uint16(v)), int(v[2]), int(v[3])
}

// dateDecoder reads DATE into days since 1970-01-01.
func dateDecoder(b *batch.Fixed[int32], zero calendar.Rule) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		y, m, d := ymd(v)
		if !calendar.IsDate(y, m, d) {
			return end, zero.Bad(b, func() { b.Append(0) }, calendar.Date{Year: y, Month: m, Day: d})
		}
		days := int32(calendar.Days(y, m, d))
		if days == 0 {
			if err := zero.Epoch(); err != nil {
				return end, err
			}
		}
		b.Append(days)
		return end, nil
	}
}

// dateTimeDecoder reads DATETIME and TIMESTAMP into microseconds since
// 1970-01-01T00:00:00. The session's zone is UTC, so both read alike.
func dateTimeDecoder(b *batch.Fixed[int64], zero calendar.Rule) decodeFunc {
	return func(p []byte, i int) (int, error) {
		v, end := lenencBytes(p, i)
		if end < 0 {
			return 0, errShort
		}
		us := int64(0)
		if len(v) >= 7 {
			us = (int64(v[4])*3600 + int64(v[5])*60 + int64(v[6])) * 1e6
		}
		if len(v) >= 11 {
			us += int64(binary.LittleEndian.Uint32(v[7:]))
		}
		y, m, d := ymd(v)
		if !calendar.IsDate(y, m, d) {
			return end, zero.Bad(b, func() { b.Append(0) }, calendar.Date{Year: y, Month: m, Day: d, Micros: us})
		}
		us += int64(calendar.Days(y, m, d)) * 86400e6
		if us == 0 {
			if err := zero.Epoch(); err != nil {
				return end, err
			}
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
