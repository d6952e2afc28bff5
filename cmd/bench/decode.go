package main

import (
	"encoding/binary"
	"errors"
)

var errShort = errors.New("the row does not end where its columns do")

// textRow takes a row of the text protocol apart.
func textRow(row []byte, columns []appender) error {
	for i := range columns {
		if row[0] == 0xfb {
			columns[i].null()
			row = row[1:]
			continue
		}
		row = columns[i].take(row)
	}
	if len(row) != 0 {
		return errShort
	}
	return nil
}

// binaryRow takes a row of the binary protocol apart: a zero byte, a bitmap of
// NULLs that begins at bit 2, the other values.
func binaryRow(row []byte, columns []appender) error {
	nulls := row[1:]
	row = row[1+(len(columns)+9)/8:]
	for i := range columns {
		if nulls[(i+2)/8]>>((i+2)%8)&1 != 0 {
			columns[i].null()
			continue
		}
		row = columns[i].take(row)
	}
	if len(row) != 0 {
		return errShort
	}
	return nil
}

// lenenc parts a length-encoded string from the rest.
func lenenc(row []byte) (value, rest []byte) {
	n, at := int(row[0]), 1
	switch row[0] {
	case 0xfc:
		n, at = int(binary.LittleEndian.Uint16(row[1:])), 3
	case 0xfd:
		n, at = int(uint32(row[1])|uint32(row[2])<<8|uint32(row[3])<<16), 4
	}
	return row[at : at+n], row[at+n:]
}

// decimalText reads digits with an optional sign and point as an integer: the
// unscaled value of a DECIMAL, whose text always has all digits of its scale.
func decimalText(s []byte) int64 {
	v, sign := int64(0), int64(1)
	for _, c := range s {
		switch c {
		case '-':
			sign = -1
		case '.':
		default:
			v = v*10 + int64(c-'0')
		}
	}
	return sign * v
}

// datetime reads a DATE, DATETIME or TIMESTAMP of the binary protocol. Leading
// parts are present only as far as something in them is not zero.
func datetime(row []byte) (days int32, micros int64, rest []byte) {
	n := int(row[0])
	v := row[1 : 1+n]
	if n >= 4 {
		days = civil(int(binary.LittleEndian.Uint16(v)), int(v[2]), int(v[3]))
	}
	if n >= 7 {
		micros = (int64(v[4])*3600 + int64(v[5])*60 + int64(v[6])) * 1_000_000
	}
	if n >= 11 {
		micros += int64(binary.LittleEndian.Uint32(v[7:]))
	}
	return days, micros, row[1+n:]
}

// civil counts days from 1970-01-01 (the era-based method, years from March).
func civil(year, month, day int) int32 {
	if month <= 2 {
		year--
		month += 12
	}
	return int32(365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719_468)
}
