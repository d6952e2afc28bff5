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
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A readFunc appends to its column the value that a text stands for.
type readFunc func(text []byte) error

// number returns how columns are read whose text is that of a number, nil for others.
func number(c schema.Column, col batch.Column) readFunc {
	switch b := col.(type) {
	case *batch.Fixed[int32]:
		low, high := int64(math.MinInt32), int64(math.MaxInt32)
		return func(text []byte) error {
			v, err := literal.ParseInt(text)
			if err != nil || v < low || v > high {
				return literal.Bad(text, "number of 32 bits")
			}
			b.Append(int32(v))
			return nil
		}
	case *batch.Fixed[int64]:
		return func(text []byte) error {
			v, err := literal.ParseInt(text)
			if err == nil {
				b.Append(v)
			}
			return err
		}
	case *batch.Fixed[float32]:
		return func(text []byte) error {
			v, err := strconv.ParseFloat(string(text), 32)
			if err != nil {
				return literal.Bad(text, "number")
			}
			b.Append(float32(v))
			return nil
		}
	case *batch.Fixed[float64]:
		return func(text []byte) error {
			v, err := strconv.ParseFloat(string(text), 64)
			if err != nil {
				return literal.Bad(text, "number")
			}
			b.Append(v)
			return nil
		}
	case *batch.Fixed[decimal128.Num]:
		t := c.Arrow.(*arrow.Decimal128Type)
		return func(text []byte) error {
			v, err := literal.ParseDecimal(text, int(t.Precision), int(t.Scale))
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
				return literal.Bad(text, "bit")
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

// timeRead returns how dates and times are read, nil for other columns. A date that no
// calendar holds becomes NULL.
func timeRead(c schema.Column, col batch.Column) readFunc {
	switch c.Type.Kind {
	case schema.Date:
		b := col.(*batch.Fixed[int32])
		return func(text []byte) error {
			days, err := literal.ParseDate(text)
			if errors.Is(err, literal.ErrNoDate) {
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
			us, err := literal.ParseDateTime(text)
			if errors.Is(err, literal.ErrNoDate) {
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
			us, err := literal.ParseClock(text)
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
		return literal.Bad(text, "vector")
	}
	var all []float32
	for item := range strings.SplitSeq(items, ",") {
		if strings.TrimSpace(items) == "" {
			break
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(item), 32)
		if err != nil {
			return literal.Bad(text, "vector")
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
			return literal.Bad(text, "vector")
		}
		for v := stored; len(v) > 0; v = v[4:] {
			b.AppendItem(math.Float32frombits(binary.LittleEndian.Uint32(v)))
		}
		b.End()
		return nil
	}
}
