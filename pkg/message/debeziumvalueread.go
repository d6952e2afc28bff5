package message

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A tokenFunc appends to its column the value that a text stands for, which has stood
// between quotes or not.
type tokenFunc = func(text []byte, quoted bool) error

// debeziumRead returns how a column is read, nil if it cannot be.
func debeziumRead(w wire, c schema.Column, col batch.Column) tokenFunc {
	switch w {
	case wireLabel:
		return labelRead(col)
	case wireUnsigned:
		return unsignedRead(c, col)
	case wireDecimal:
		return unscaledRead(c, col)
	case wireVariable:
		return variableRead(col)
	case wireBits:
		return bitsRead(c, col)
	case wireDays, wireMillis, wireMicros, wireNanos:
		return sinceRead(w, c, col)
	case wireISO:
		return isoRead(c, col)
	case wireFloats:
		return floatsRead(col)
	case wireGeometry:
		return geometryRead(col)
	}
	b, text := col.(*batch.Bytes)
	switch {
	case w == wireBytes && text:
		var scratch []byte
		return func(text []byte, quoted bool) (err error) {
			if scratch, err = base64.StdEncoding.AppendDecode(scratch[:0], text); err != nil || !quoted {
				return literal.Bad(text, "base64")
			}
			b.Append(scratch)
			return nil
		}
	case w == wireJSON && text:
		return func(text []byte, _ bool) error { b.Append(text); return nil }
	case text && c.Type.Kind != schema.Decimal:
		return func(text []byte, quoted bool) error {
			if !quoted {
				return literal.Bad(text, "text")
			}
			b.Append(text)
			return nil
		}
	}
	if read := number(c, col); read != nil {
		return func(text []byte, _ bool) error { return read(text) }
	}
	return nil
}

// labelRead reads a label.
func labelRead(col batch.Column) tokenFunc {
	b, ok := col.(*batch.Bytes)
	if !ok {
		return nil
	}
	return func(text []byte, quoted bool) error {
		if !quoted {
			return literal.Bad(text, "text")
		}
		if bytes.Contains(text, []byte(`\,`)) {
			text = bytes.ReplaceAll(text, []byte(`\,`), []byte{','})
		}
		b.Append(text)
		return nil
	}
}

// unsignedRead reads a BIGINT UNSIGNED, which is negative from 2^63 on.
func unsignedRead(c schema.Column, col batch.Column) tokenFunc {
	read := number(c, col)
	b, ok := col.(*batch.Fixed[decimal128.Num])
	if !ok || read == nil {
		return nil
	}
	return func(text []byte, _ bool) error {
		if len(text) > 0 && text[0] == '-' {
			v, err := literal.ParseInt(text)
			if err != nil {
				return err
			}
			b.Append(decimal128.FromU64(uint64(v)))
			return nil
		}
		return read(text)
	}
}

// unscaledRead reads an unscaled number in base64, or, as converters can be told, a number.
func unscaledRead(c schema.Column, col batch.Column) tokenFunc {
	plain := number(c, col)
	if plain == nil {
		return nil
	}
	var scratch, digits []byte
	b, fixed := col.(*batch.Fixed[decimal128.Num])
	scale := c.Type.Scale
	if c.Type.Kind != schema.Decimal {
		scale = 0
	}
	return func(text []byte, quoted bool) (err error) {
		if !quoted {
			return plain(text)
		}
		if scratch, err = base64.StdEncoding.AppendDecode(scratch[:0], text); err != nil || len(scratch) == 0 {
			return literal.Bad(text, "decimal in base64")
		}
		if fixed {
			t := c.Arrow.(*arrow.Decimal128Type)
			n, ok := twosComplement(scratch)
			if !ok || int(t.Scale) != scale || !n.FitsInPrecision(t.Precision) {
				return fmt.Errorf("a decimal of %d bytes is no decimal(%d,%d)", len(scratch), t.Precision, t.Scale)
			}
			b.Append(n)
			return nil
		}
		digits = appendLongDecimal(digits[:0], scratch, scale)
		return plain(digits)
	}
}

// appendLongDecimal appends a number of any length with a point in it.
func appendLongDecimal(dst, twos []byte, scale int) []byte {
	if n, ok := twosComplement(twos); ok {
		return literal.AppendDecimal(dst, n, scale)
	}
	n := new(big.Int).SetBytes(twos)
	if twos[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(twos))))
	}
	text := n.Append(nil, 10)
	if text[0] == '-' {
		dst, text = append(dst, '-'), text[1:]
	}
	for len(text) <= scale {
		text = append([]byte{'0'}, text...)
	}
	dst = append(dst, text[:len(text)-scale]...)
	if scale > 0 {
		dst = append(append(dst, '.'), text[len(text)-scale:]...)
	}
	return dst
}

// maxScale bounds the scales of numbers that tell their own.
const maxScale = 16383 // PostgreSQL's

// variableRead reads an object of an unscaled number in base64 and its scale, as text.
func variableRead(col batch.Column) tokenFunc {
	b, ok := col.(*batch.Bytes)
	if !ok {
		return nil
	}
	var scratch []byte
	return func(text []byte, _ bool) error {
		scaleText, err := member(scanner{text: text}, []byte("scale"))
		if err != nil {
			return err
		}
		value, err := member(scanner{text: text}, []byte("value"))
		if err != nil {
			return err
		}
		scale, err := literal.ParseInt(scaleText)
		if err != nil || scale < -maxScale || scale > maxScale || len(value) < 2 || value[0] != '"' {
			return literal.Bad(text, "decimal that tells its scale")
		}
		if scratch, err = base64.StdEncoding.AppendDecode(scratch[:0], value[1:len(value)-1]); err != nil || len(scratch) == 0 {
			return literal.Bad(text, "decimal in base64")
		}
		digits := appendLongDecimal(nil, scratch, int(max(scale, 0)))
		for ; scale < 0 && string(digits) != "0"; scale++ {
			digits = append(digits, '0')
		}
		b.Append(digits)
		return nil
	}
}

// bitsRead reads bits, from the lowest on.
func bitsRead(c schema.Column, col batch.Column) tokenFunc {
	var put func(uint64)
	switch b := col.(type) {
	case *batch.Fixed[int64]:
		put = func(v uint64) { b.Append(int64(v)) }
	case *batch.Fixed[decimal128.Num]:
		put = func(v uint64) { b.Append(decimal128.FromU64(v)) }
	case *batch.Bools:
		put = func(v uint64) { b.Append(v != 0) }
	default:
		return nil
	}
	var scratch []byte
	return func(text []byte, quoted bool) (err error) {
		if scratch, err = base64.StdEncoding.AppendDecode(scratch[:0], text); err != nil || !quoted {
			return literal.Bad(text, "bits in base64")
		}
		var all [8]byte
		n := copy(all[:], scratch)
		for _, b := range scratch[n:] {
			if b != 0 {
				return literal.Bad(text, c.Native)
			}
		}
		v := binary.LittleEndian.Uint64(all[:])
		if c.Type.Precision < 64 && v>>c.Type.Precision != 0 {
			return literal.Bad(text, c.Native)
		}
		put(v)
		return nil
	}
}

// Days of the years 0, of which MySQL has dates, to 9999.
const (
	firstDay = -719528
	endDay   = endMicros / literal.DayMicros
)

// sinceRead reads numbers of days, or of fractions of a second, since 1970 or of a day.
func sinceRead(w wire, c schema.Column, col batch.Column) tokenFunc {
	if b, ok := col.(*batch.Fixed[int32]); ok && w == wireDays && c.Arrow.ID() == arrow.DATE32 {
		return func(text []byte, _ bool) error {
			v, err := literal.ParseInt(text)
			switch {
			case err != nil:
				return err
			case v < firstDay || v >= endDay:
				return fmt.Errorf("%.40q: %w", text, errYears)
			}
			b.Append(int32(v))
			return nil
		}
	}
	b, ok := col.(*batch.Fixed[int64])
	if !ok || w == wireDays {
		return nil
	}
	dated := c.Arrow.ID() == arrow.TIMESTAMP // and no time of day
	return func(text []byte, _ bool) error {
		v, err := literal.ParseInt(text)
		switch {
		case err != nil:
			return err
		case w == wireNanos:
			v = floorDiv(v, 1000)
		case w == wireMillis:
			if v > 1<<53 || v < -1<<53 {
				return literal.Bad(text, "time in milliseconds")
			}
			v *= 1000
		}
		if dated && (v < firstDay*literal.DayMicros || v >= endMicros) {
			return fmt.Errorf("%.40q: %w", text, errYears)
		}
		b.Append(v)
		return nil
	}
}

// isoRead reads dates and times as ISO 8601 has them, which end in a zone.
func isoRead(c schema.Column, col batch.Column) tokenFunc {
	parse := literal.ParseDateTime
	switch c.Type.Kind {
	case schema.Date:
		b, ok := col.(*batch.Fixed[int32])
		if !ok {
			return nil
		}
		return func(text []byte, _ bool) error {
			local, _, err := partZone(text)
			if err != nil {
				return err
			}
			days, err := literal.ParseDate(local)
			if err != nil {
				return literal.Bad(text, "date")
			}
			b.Append(int32(days))
			return nil
		}
	case schema.Time:
		parse = literal.ParseClock
	}
	b, ok := col.(*batch.Fixed[int64])
	if !ok {
		return nil
	}
	return func(text []byte, _ bool) error {
		local, offset, err := partZone(text)
		if err != nil {
			return err
		}
		us, err := parse(withSeconds(local))
		if err != nil {
			return literal.Bad(text, c.Type.Arrow().String())
		}
		b.Append(us - offset)
		return nil
	}
}

// withSeconds completes a time of day that Java has cut short, as it does at whole minutes.
func withSeconds(text []byte) []byte {
	n := len(text)
	if (n == 5 || n == 16) && text[n-3] == ':' {
		return append(text[:n:n], ":00"...)
	}
	return text
}

// partZone parts a text from its zone, whose offset is in microseconds.
func partZone(text []byte) (local []byte, offset int64, err error) {
	n := len(text)
	if n > 0 && text[n-1] == 'Z' {
		return text[:n-1], 0, nil
	}
	if n > 6 && (text[n-6] == '+' || text[n-6] == '-') && text[n-3] == ':' {
		h, m := literal.Digits(text[n-5:n-3]), literal.Digits(text[n-2:])
		if h < 0 || h > 18 || m < 0 || m > 59 {
			return nil, 0, literal.Bad(text, "time with a zone")
		}
		offset = int64(h*3600+m*60) * literal.SecondMicros
		if text[n-6] == '-' {
			offset = -offset
		}
		return text[:n-6], offset, nil
	}
	return text, 0, nil
}

// geometryRead reads the WKB of an object.
func geometryRead(col batch.Column) tokenFunc {
	b, ok := col.(*batch.Bytes)
	if !ok {
		return nil
	}
	var scratch []byte
	return func(text []byte, _ bool) error {
		v, err := member(scanner{text: text}, []byte("wkb"))
		if err != nil {
			return err
		}
		if len(v) < 2 || v[0] != '"' {
			return errors.New("a geometry has no wkb")
		}
		if scratch, err = base64.StdEncoding.AppendDecode(scratch[:0], v[1:len(v)-1]); err != nil {
			return literal.Bad(v, "WKB in base64")
		}
		b.Append(scratch)
		return nil
	}
}

// floatsRead reads an array of numbers.
func floatsRead(col batch.Column) tokenFunc {
	b, ok := col.(*batch.FloatList)
	if !ok {
		return nil
	}
	return func(text []byte, _ bool) error {
		s := scanner{text: text}
		more, err := s.open('[', ']')
		for err == nil && more {
			var v []byte
			if v, err = s.skip(); err != nil {
				break
			}
			f, bad := strconv.ParseFloat(string(v), 32)
			if bad != nil {
				return literal.Bad(v, "number")
			}
			b.AppendItem(float32(f))
			more, err = s.more(']')
		}
		if err == nil {
			b.End()
		}
		return err
	}
}
