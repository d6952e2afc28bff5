package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A readFunc appends to its column the value that a text stands for.
type readFunc func(text []byte) error

func badValue(text []byte, want string) error {
	return fmt.Errorf("%.40q is no %s", text, want)
}

// parseInt reads a number that fits into 64 bits.
func parseInt(text []byte) (int64, error) {
	i, negative := 0, false
	if len(text) > 0 && text[0] == '-' {
		i, negative = 1, true
	}
	if n := len(text) - i; n == 0 || n > 18 {
		v, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, badValue(text, "number of 64 bits")
		}
		return v, nil
	}
	var v int64
	for ; i < len(text); i++ {
		c := text[i] - '0'
		if c > 9 {
			return 0, badValue(text, "number")
		}
		v = 10*v + int64(c)
	}
	if negative {
		v = -v
	}
	return v, nil
}

// number returns how columns are read whose text is that of a number, nil for others.
func number(c schema.Column, col batch.Column) readFunc {
	switch b := col.(type) {
	case *batch.Fixed[int32]:
		low, high := int64(math.MinInt32), int64(math.MaxInt32)
		return func(text []byte) error {
			v, err := parseInt(text)
			if err != nil || v < low || v > high {
				return badValue(text, "number of 32 bits")
			}
			b.Append(int32(v))
			return nil
		}
	case *batch.Fixed[int64]:
		return func(text []byte) error {
			v, err := parseInt(text)
			if err == nil {
				b.Append(v)
			}
			return err
		}
	case *batch.Fixed[float32]:
		return func(text []byte) error {
			v, err := strconv.ParseFloat(string(text), 32)
			if err != nil {
				return badValue(text, "number")
			}
			b.Append(float32(v))
			return nil
		}
	case *batch.Fixed[float64]:
		return func(text []byte) error {
			v, err := strconv.ParseFloat(string(text), 64)
			if err != nil {
				return badValue(text, "number")
			}
			b.Append(v)
			return nil
		}
	case *batch.Fixed[decimal128.Num]:
		t := c.Arrow.(*arrow.Decimal128Type)
		return func(text []byte) error {
			v, err := parseDecimal(text, int(t.Precision), int(t.Scale))
			if err == nil {
				b.Append(v)
			}
			return err
		}
	case *batch.Bools:
		return func(text []byte) error {
			switch string(text) {
			case "0", "false":
				b.Append(false)
			case "1", "true":
				b.Append(true)
			default:
				return badValue(text, "bit")
			}
			return nil
		}
	case *batch.Bytes:
		if c.Type.Kind == schema.Decimal {
			return func(text []byte) error { b.Append(text); return nil }
		}
	}
	return nil
}

// parseDecimal reads a decimal exactly: digits that its type has no room for are an
// error, but for zeros at the end.
func parseDecimal(text []byte, precision, scale int) (decimal128.Num, error) {
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
			return decimal128.Num{}, badValue(text, "decimal")
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
		return decimal128.Num{}, badValue(text, "decimal")
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
	return badValue(text, fmt.Sprintf("decimal(%d,%d): it has more digits %s the point than that", precision, scale, side))
}

// digits reads so many digits, -1 if there are others.
func digits(text []byte) int {
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

var errNoDate = errors.New("no calendar holds this date")

// parseDate reads YYYY-MM-DD as days since 1970-01-01. A date that no calendar holds is
// errNoDate.
func parseDate(text []byte) (int64, error) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return 0, badValue(text, "date")
	}
	y, m, d := digits(text[:4]), digits(text[5:7]), digits(text[8:])
	if y < 0 || m < 0 || d < 0 {
		return 0, badValue(text, "date")
	}
	leap := y%4 == 0 && (y%100 != 0 || y%400 == 0)
	if m < 1 || m > 12 || d < 1 || d > monthLengths[m] && !(leap && m == 2 && d == 29) {
		return 0, errNoDate
	}
	// Years begin in March, so that the leap day is the last of its year.
	if m <= 2 {
		y--
		m += 12
	}
	y += 400 // floor division: the March year −1
	return int64(y*365+y/4-y/100+y/400+(153*(m-3)+2)/5+d-1) - 719468 - 146097, nil
}

// parseClock reads [-]H…:MM:SS and a fraction as microseconds.
func parseClock(text []byte) (int64, error) {
	whole, negative := text, false
	if len(text) > 0 && text[0] == '-' {
		text, negative = text[1:], true
	}
	var us int64
	if i := strings.IndexByte(string(text), '.'); i >= 0 {
		f := text[i+1:]
		if len(f) == 0 || len(f) > 9 || digits(f) < 0 {
			return 0, badValue(whole, "time")
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
		return 0, badValue(whole, "time")
	}
	h, m, s := digits(text[:n-6]), digits(text[n-5:n-3]), digits(text[n-2:])
	if h < 0 || m < 0 || m > 59 || s < 0 || s > 59 {
		return 0, badValue(whole, "time")
	}
	us += int64(h*3600+m*60+s) * secondMicros
	if negative {
		us = -us
	}
	return us, nil
}

// parseDateTime reads a date, a byte between, and a time of day.
func parseDateTime(text []byte) (int64, error) {
	if len(text) < 11 {
		days, err := parseDate(text)
		return days * dayMicros, err
	}
	days, err := parseDate(text[:10])
	if err != nil {
		return 0, err
	}
	us, err := parseClock(text[11:])
	if err != nil || us < 0 || us >= dayMicros {
		return 0, badValue(text, "date and time")
	}
	return days*dayMicros + us, nil
}

// timeRead returns how dates and times are read, nil for other columns. A date that no
// calendar holds becomes NULL.
func timeRead(c schema.Column, col batch.Column) readFunc {
	switch c.Type.Kind {
	case schema.Date:
		b := col.(*batch.Fixed[int32])
		return func(text []byte) error {
			days, err := parseDate(text)
			if errors.Is(err, errNoDate) {
				b.Null()
				return nil
			}
			if err == nil {
				b.Append(int32(days))
			}
			return err
		}
	case schema.DateTime, schema.Timestamp:
		b := col.(*batch.Fixed[int64])
		return func(text []byte) error {
			us, err := parseDateTime(text)
			if errors.Is(err, errNoDate) {
				b.Null()
				return nil
			}
			if err == nil {
				b.Append(us)
			}
			return err
		}
	case schema.Time:
		b := col.(*batch.Fixed[int64])
		return func(text []byte) error {
			us, err := parseClock(text)
			if err == nil {
				b.Append(us)
			}
			return err
		}
	}
	return nil
}

// latin1 appends the bytes that letters up to U+00FF stand for.
func latin1(dst, text []byte) ([]byte, error) {
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			dst = append(dst, text[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r > 0xff {
			return dst, fmt.Errorf("a letter of binary text is beyond U+00FF: %q", r)
		}
		dst = append(dst, byte(r))
		i += n
	}
	return dst, nil
}

// ordinalRead reads an ENUM or SET that is written as MySQL's number, or as labels.
func ordinalRead(c schema.Column, b *batch.Bytes) readFunc {
	labels := c.Type.Labels
	var joined []byte
	return func(text []byte) error {
		n, err := strconv.ParseUint(string(text), 10, 64)
		switch {
		case err != nil || len(text) == 0:
			b.Append(text)
		case c.Type.Kind == schema.Enum && n == 0:
			b.Append(nil)
		case c.Type.Kind == schema.Enum:
			if n > uint64(len(labels)) {
				return fmt.Errorf("there is no label %d of %s", n, c.Native)
			}
			b.Append([]byte(labels[n-1]))
		default:
			joined = joined[:0]
			for i, l := range labels {
				if n>>i&1 != 0 {
					if len(joined) > 0 {
						joined = append(joined, ',')
					}
					joined = append(joined, l...)
				}
			}
			if len(labels) < 64 && n>>len(labels) != 0 {
				return fmt.Errorf("there is no label for the bits %d of %s", n, c.Native)
			}
			b.Append(joined)
		}
		return nil
	}
}

// vectorText reads a vector that is written as [1,2.5].
func vectorText(b *batch.FloatList, text []byte) error {
	items, ok := strings.CutSuffix(string(text[1:]), "]")
	if !ok {
		return badValue(text, "vector")
	}
	var all []float32
	for item := range strings.SplitSeq(items, ",") {
		if strings.TrimSpace(items) == "" {
			break
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(item), 32)
		if err != nil {
			return badValue(text, "vector")
		}
		all = append(all, float32(v))
	}
	for _, v := range all {
		b.AppendItem(v)
	}
	b.End()
	return nil
}

// vectorRead reads a VECTOR's bytes.
func vectorRead(b *batch.FloatList) readFunc {
	var stored []byte
	return func(text []byte) (err error) {
		if stored, err = latin1(stored[:0], text); err != nil || len(stored)%4 != 0 {
			return badValue(text, "vector")
		}
		for v := stored; len(v) > 0; v = v[4:] {
			b.AppendItem(math.Float32frombits(binary.LittleEndian.Uint32(v)))
		}
		b.End()
		return nil
	}
}
