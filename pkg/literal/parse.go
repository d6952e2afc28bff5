package literal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Bad is the error of a text that does not stand for what is wanted.
func Bad(text []byte, want string) error {
	return fmt.Errorf("%.40q is no %s", text, want)
}

// ParseInt reads a number that fits into 64 bits.
func ParseInt(text []byte) (int64, error) {
	i, negative := 0, false
	if len(text) > 0 && text[0] == '-' {
		i, negative = 1, true
	}
	if n := len(text) - i; n == 0 || n > 18 {
		v, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, Bad(text, "number of 64 bits")
		}
		return v, nil
	}
	var v int64
	for ; i < len(text); i++ {
		c := text[i] - '0'
		if c > 9 {
			return 0, Bad(text, "number")
		}
		v = 10*v + int64(c)
	}
	if negative {
		v = -v
	}
	return v, nil
}

// ParseDecimal reads a decimal exactly: digits that its type has no room for are an
// error, but for zeros at the end.
func ParseDecimal(text []byte, precision, scale int) (decimal128.Num, error) {
	var v int64
	digits, behind, point, negative := 0, 0, false, false
	for i, c := range text {
		switch {
		case c == '-' && i == 0:
			negative = true
			continue
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9':
			return decimal128.Num{}, Bad(text, "decimal")
		}
		if point {
			if behind++; behind > scale {
				if c != '0' {
					return decimal128.Num{}, tooLong(text, precision, scale, "behind")
				}
				behind--
				continue
			}
		}
		digits++
		v = 10*v + int64(c-'0')
	}
	if digits == 0 {
		return decimal128.Num{}, Bad(text, "decimal")
	}
	if digits+scale-behind > 18 { // v may have overflowed, or may yet
		n, err := decimal128.FromString(string(text), int32(precision), int32(scale))
		if err != nil {
			return n, tooLong(text, precision, scale, "before")
		}
		return n, nil
	}
	for ; behind < scale; behind++ {
		v *= 10
	}
	if negative {
		v = -v
	}
	n := decimal128.FromI64(v)
	if !n.FitsInPrecision(int32(precision)) {
		return n, tooLong(text, precision, scale, "before")
	}
	return n, nil
}

// tooLong is the error of a number that has more digits on one side of its point than its
// type has room for.
func tooLong(text []byte, precision, scale int, side string) error {
	return Bad(text, fmt.Sprintf("decimal(%d,%d): it has more digits %s the point than that", precision, scale, side))
}

// Digits reads so many digits, -1 if there are others.
func Digits(text []byte) int {
	n := 0
	for _, c := range text {
		if c -= '0'; c > 9 {
			return -1
		}
		n = 10*n + int(c)
	}
	return n
}

var monthLengths = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// ErrNoDate is the error of a date such as 0000-00-00.
var ErrNoDate = errors.New("no calendar holds this date")

// ParseDate reads YYYY-MM-DD as days since 1970-01-01. A date that no calendar holds is
// ErrNoDate.
func ParseDate(text []byte) (int64, error) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return 0, Bad(text, "date")
	}
	y, m, d := Digits(text[:4]), Digits(text[5:7]), Digits(text[8:])
	if y < 0 || m < 0 || d < 0 {
		return 0, Bad(text, "date")
	}
	leap := y%4 == 0 && (y%100 != 0 || y%400 == 0)
	if m < 1 || m > 12 || d < 1 || d > monthLengths[m] && !(leap && m == 2 && d == 29) {
		return 0, ErrNoDate
	}
	// Years begin in March, so that the leap day is the last of its year.
	if m <= 2 {
		y--
		m += 12
	}
	y += 400 // floor division: the March year −1
	return int64(y*365+y/4-y/100+y/400+(153*(m-3)+2)/5+d-1) - 719468 - 146097, nil
}

// ParseClock reads [-]H…:MM:SS and a fraction as microseconds.
func ParseClock(text []byte) (int64, error) {
	whole, negative := text, false
	if len(text) > 0 && text[0] == '-' {
		text, negative = text[1:], true
	}
	var us int64
	if i := strings.IndexByte(string(text), '.'); i >= 0 {
		f := text[i+1:]
		if len(f) == 0 || len(f) > 9 || Digits(f) < 0 {
			return 0, Bad(whole, "time")
		}
		for i := range 6 {
			us *= 10
			if i < len(f) {
				us += int64(f[i] - '0')
			}
		}
		text = text[:i]
	}
	n := len(text)
	if n < 7 || n > 9 || text[n-3] != ':' || text[n-6] != ':' {
		return 0, Bad(whole, "time")
	}
	h, m, s := Digits(text[:n-6]), Digits(text[n-5:n-3]), Digits(text[n-2:])
	if h < 0 || m < 0 || m > 59 || s < 0 || s > 59 {
		return 0, Bad(whole, "time")
	}
	us += int64(h*3600+m*60+s) * SecondMicros
	if negative {
		us = -us
	}
	return us, nil
}

// ParseDateTime reads a date, a byte between, and a time of day.
func ParseDateTime(text []byte) (int64, error) {
	if len(text) < 11 {
		days, err := ParseDate(text)
		return days * DayMicros, err
	}
	days, err := ParseDate(text[:10])
	if err != nil {
		return 0, err
	}
	us, err := ParseClock(text[11:])
	if err != nil || us < 0 || us >= DayMicros {
		return 0, Bad(text, "date and time")
	}
	return days*DayMicros + us, nil
}
