package message

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// logRead returns how values of a log's column are read into col, whose Arrow type is
// that of c: it may be wider than the type's own. nil if it cannot be.
func logRead(t LogType, c schema.Column, col batch.Column) readFunc {
	switch b := col.(type) {
	case *batch.Bools:
		return boolRead(b)
	case *batch.Bytes:
		switch {
		case t.name == "binary":
			return t.binaryRead(b)
		case c.Arrow.ID() == arrow.BINARY:
			return nil
		case t.name == "json":
			return jsonRead(b)
		}
		return textRead(b)
	case *batch.Fixed[int32]:
		if t.name == "date" {
			return logDateRead(b)
		}
	case *batch.Fixed[int64]:
		if a, ok := c.Arrow.(*arrow.TimestampType); ok {
			return t.timestampRead(b, a.TimeZone != "")
		}
		return longRead(b)
	case *batch.Fixed[decimal128.Num]:
		return decimalRead(c.Arrow.(*arrow.Decimal128Type), b)
	case *batch.FloatList:
		return nil
	}
	return number(c, col)
}

// textRead reads text, which readers of the sink want to be UTF-8.
func textRead(b *batch.Bytes) readFunc {
	return func(text []byte) error {
		if !utf8.Valid(text) {
			return literal.Bad(text, "UTF-8")
		}
		b.Append(text)
		return nil
	}
}

func jsonRead(b *batch.Bytes) readFunc {
	return func(text []byte) error {
		if !utf8.Valid(text) || !json.Valid(text) {
			return literal.Bad(text, "JSON")
		}
		b.Append(text)
		return nil
	}
}

func boolRead(b *batch.Bools) readFunc {
	return func(text []byte) error {
		switch string(text) {
		case "true", "True", "TRUE", "1":
			b.Append(true)
		case "false", "False", "FALSE", "0":
			b.Append(false)
		default:
			return literal.Bad(text, "boolean")
		}
		return nil
	}
}

// longRead also takes what some programs make of whole numbers: 7.0 and 1e3.
func longRead(b *batch.Fixed[int64]) readFunc {
	return func(text []byte) error {
		v, err := literal.ParseInt(text)
		if err != nil {
			const exact = 1 << 53
			f, e := strconv.ParseFloat(string(text), 64)
			if e != nil || !isNumber(text) || f != math.Trunc(f) || f >= exact || f <= -exact {
				return literal.Bad(text, "number of 64 bits")
			}
			v = int64(f)
		}
		b.Append(v)
		return nil
	}
}

func decimalRead(t *arrow.Decimal128Type, b *batch.Fixed[decimal128.Num]) readFunc {
	return func(text []byte) error {
		v, err := literal.ParseDecimal(text, int(t.Precision), int(t.Scale))
		if err == nil {
			b.Append(v)
		}
		return err
	}
}

func (t LogType) binaryRead(b *batch.Bytes) readFunc {
	var stored []byte
	return func(text []byte) (err error) {
		if t.hex {
			stored, err = hex.AppendDecode(stored[:0], text)
		} else {
			for len(text) > 0 && text[len(text)-1] == '=' {
				text = text[:len(text)-1]
			}
			stored, err = base64.RawStdEncoding.AppendDecode(stored[:0], text)
		}
		if err != nil {
			return literal.Bad(text, map[bool]string{true: "hexadecimal text", false: "base64"}[t.hex])
		}
		b.Append(stored)
		return nil
	}
}

func logDateRead(b *batch.Fixed[int32]) readFunc {
	return func(text []byte) error {
		days, err := literal.ParseDate(text)
		if err != nil {
			return literal.Bad(text, "date")
		}
		b.Append(int32(days))
		return nil
	}
}

func (t LogType) timestampRead(b *batch.Fixed[int64], zone bool) readFunc {
	if t.nanos != 0 {
		return func(text []byte) error {
			us, err := parseEpoch(text, t.nanos)
			if err == nil {
				b.Append(us)
			}
			return err
		}
	}
	return func(text []byte) error {
		us, err := parseRFC3339(text, zone)
		if err == nil {
			b.Append(us)
		}
		return err
	}
}

// The years that all readers of the sink know: 1 to 9999. A number beyond is most
// likely one of another unit.
const (
	firstMicros = -62135596800 * literal.SecondMicros
	endMicros   = 253402300800 * literal.SecondMicros
)

var errYears = errors.New("it is not within the years 1 to 9999")

// parseEpoch reads a number of units since 1970, with or without a fraction, as
// microseconds; what is less than one is cut off.
func parseEpoch(text []byte, nanos int64) (int64, error) {
	whole, fraction := text, []byte(nil)
	for i, c := range text {
		if c == '.' {
			whole, fraction = text[:i], text[i+1:]
			break
		}
	}
	n, err := literal.ParseInt(whole)
	if err != nil || len(fraction) > 18 || literal.Digits(fraction) < 0 || len(whole) != len(text) && len(fraction) == 0 {
		return 0, literal.Bad(text, "number of a time")
	}
	var us int64
	if nanos < 1000 {
		if us = n / 1000; n%1000 < 0 {
			us-- // towards the past, as before 1970 the fraction counts from there
		}
	} else {
		perUnit := nanos / 1000
		if n > endMicros/perUnit || n < firstMicros/perUnit {
			return 0, fmt.Errorf("%.40q: %w", text, errYears)
		}
		us = n * perUnit
		var f int64
		for _, c := range fraction {
			if perUnit /= 10; perUnit == 0 {
				break
			}
			f += int64(c-'0') * perUnit
		}
		if text[0] == '-' {
			f = -f
		}
		us += f
	}
	if us < firstMicros || us >= endMicros {
		return 0, fmt.Errorf("%.40q: %w", text, errYears)
	}
	return us, nil
}

// parseRFC3339 reads YYYY-MM-DD, T or a blank, HH:MM:SS, a fraction, and a zone where
// one is wanted: Z, ±HH:MM or ±HHMM. Without a zone it is a time of no place. What is
// less than a microsecond is cut off.
func parseRFC3339(text []byte, zone bool) (int64, error) {
	bad := func() error {
		if zone {
			return literal.Bad(text, "time with a zone, such as 2026-02-28T12:30:00Z")
		}
		return literal.Bad(text, "time without a zone, such as 2026-02-28T12:30:00")
	}
	if len(text) < 19 || text[10] != 'T' && text[10] != ' ' && text[10] != 't' || text[13] != ':' || text[16] != ':' {
		return 0, bad()
	}
	local, offset := text, int64(0)
	if zone {
		var ok bool
		if local, offset, ok = cutZone(text); !ok {
			return 0, bad()
		}
	}
	days, err := literal.ParseDate(local[:10])
	if err != nil {
		return 0, bad()
	}
	us, err := literal.ParseClock(local[11:])
	if err != nil || us < 0 || us >= literal.DayMicros {
		return 0, bad()
	}
	us += days*literal.DayMicros - offset
	if us < firstMicros || us >= endMicros {
		return 0, fmt.Errorf("%.40q: %w", text, errYears)
	}
	return us, nil
}

// cutZone takes the zone off a time, and returns how far it is ahead of UTC.
func cutZone(text []byte) (local []byte, micros int64, ok bool) {
	n := len(text)
	if c := text[n-1]; c == 'Z' || c == 'z' {
		return text[:n-1], 0, n >= 20
	}
	at := n - 6
	if n >= 24 && (text[n-5] == '+' || text[n-5] == '-') {
		at = n - 5
	} else if n < 25 || text[n-3] != ':' {
		return nil, 0, false
	}
	h, m := literal.Digits(text[at+1:at+3]), literal.Digits(text[n-2:])
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return nil, 0, false
	}
	micros = int64(h*3600+m*60) * literal.SecondMicros
	switch text[at] {
	case '+':
	case '-':
		micros = -micros
	default:
		return nil, 0, false
	}
	return text[:at], micros, true
}
