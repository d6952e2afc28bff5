package binlog

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
)

func (p *jsonPrinter) int(n int64)   { p.dst = strconv.AppendInt(p.dst, n, 10) }
func (p *jsonPrinter) uint(n uint64) { p.dst = strconv.AppendUint(p.dst, n, 10) }

const hexDigits = "0123456789abcdef"

// appendQuoted quotes a string as the server does: only what must be is escaped.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// maxPoint is how many digits before the point, or zeros behind it, the server
// writes before it turns to an exponent.
const maxPoint = 15

// appendDouble prints the shortest digits that mean the number, in the server's
// choice of forms, and as one that cannot be taken for an integer.
func appendDouble(dst []byte, f float64) []byte {
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // d.ddde±dd
	if e[0] == '-' {
		dst, e = append(dst, '-'), e[1:]
	}
	var digits [20]byte
	n, i := 0, 0
	for ; i < len(e) && e[i] != 'e'; i++ {
		if e[i] != '.' {
			digits[n] = e[i]
			n++
		}
	}
	if i == len(e) {
		return append(dst, e...) // not a number; no server writes it
	}
	exp, _ := strconv.Atoi(string(e[i+1:])) // just printed
	point := exp + 1                        // digits before the point
	d := digits[:n]
	switch {
	case point < 1-maxPoint || point > maxPoint && n <= point:
		dst = append(dst, d[0])
		if n > 1 {
			dst = append(append(dst, '.'), d[1:]...)
		}
		return strconv.AppendInt(append(dst, 'e'), int64(exp), 10)
	case point <= 0:
		dst = append(dst, "0."...)
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	case n <= point:
		dst = append(dst, d...)
		for range point - n {
			dst = append(dst, '0')
		}
		return append(dst, ".0"...)
	}
	return append(append(append(dst, d[:point]...), '.'), d[point:]...)
}

// base64Line is how many bytes the server puts on a line of base64.
const base64Line = 57

// opaque prints a value of a type that JSON does not have: its code, its length
// and its bytes.
func (p *jsonPrinter) opaque(v []byte) error {
	if len(v) < 1 {
		return errJSON
	}
	n, start, err := p.length(v[1:])
	if err != nil {
		return err
	}
	typ, v := v[0], v[1+start:1+start+n]
	switch typ {
	case typeNewDecimal:
		if len(v) < 2 || int(v[1]) > int(v[0]) || v[0] > 81 {
			return errJSON
		}
		p.dst, err = appendDecimal(p.dst, v[2:], int(v[0]), int(v[1]))
		return err
	case typeDate, typeDateTime, typeTimestamp, typeTime:
		if len(v) != 8 {
			return errJSON
		}
		p.dst = appendPacked(p.dst, typ, int64(binary.LittleEndian.Uint64(v)))
		return nil
	}
	p.dst = fmt.Appendf(p.dst, `"base64:type%d:`, typ)
	for ; len(v) > base64Line; v = v[base64Line:] {
		p.dst = append(base64.StdEncoding.AppendEncode(p.dst, v[:base64Line]), `\n`...)
	}
	p.dst = append(base64.StdEncoding.AppendEncode(p.dst, v), '"')
	return nil
}

// appendPacked prints a time in the format that DATETIME(6) and TIME(6) have in
// memory: the fields' bits above 24 bits of microseconds.
func appendPacked(dst []byte, typ byte, n int64) []byte {
	sign := ""
	if n < 0 {
		n, sign = -n, "-"
	}
	us, hms := n&(1<<24-1), n>>24
	if typ == typeTime {
		return fmt.Appendf(dst, `"%s%02d:%02d:%02d.%06d"`, sign, hms>>12&1023, hms>>6&63, hms&63, us)
	}
	ym := hms >> 22
	dst = fmt.Appendf(dst, `"%s%04d-%02d-%02d`, sign, ym/13, ym%13, hms>>17&31)
	if typ != typeDate {
		dst = fmt.Appendf(dst, ` %02d:%02d:%02d.%06d`, hms>>12&31, hms>>6&63, hms&63, us)
	}
	return append(dst, '"')
}
