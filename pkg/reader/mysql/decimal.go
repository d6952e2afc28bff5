package mysql

import (
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// parseDecimal reads the server's text of a DECIMAL(precision, scale) into an
// integer of 10^−scale. The server always writes all fractional digits. More
// digits than declared would be cut by whoever stores them: the column was
// altered.
func parseDecimal(s []byte, precision, scale int) (decimal128.Num, error) {
	text := s
	if len(s) > schema.MaxDecimal+3 { // sign, point and a leading zero; more would not fit into 128 bits
		return decimal128.Num{}, fmt.Errorf("decimal %q has more digits than the %d declared", text, precision)
	}
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	var hi, lo uint64
	point := -1
	for i, c := range s {
		d := uint64(c - '0')
		if d > 9 {
			if c == '.' && point < 0 {
				point = i
				continue
			}
			return decimal128.Num{}, fmt.Errorf("bad decimal %q", text)
		}
		if i < 19 { // the value still fits into 64 bits, as nearly all do
			lo = lo*10 + d
			continue
		}
		over, low := bits.Mul64(lo, 10)
		var carry uint64
		lo, carry = bits.Add64(low, d, 0)
		hi = hi*10 + over + carry
	}
	digits := 0
	if point >= 0 {
		digits = len(s) - point - 1
	}
	if digits != scale || len(s) == 0 {
		return decimal128.Num{}, fmt.Errorf("decimal %q has %d fractional digits, %d were declared", text, digits, scale)
	}
	n := decimal128.New(int64(hi), lo)
	if hi != 0 || precision < len(powers) && lo >= powers[precision] {
		if !n.FitsInPrecision(int32(precision)) {
			return decimal128.Num{}, fmt.Errorf("decimal %q has more digits than the %d declared", text, precision)
		}
	}
	if neg {
		n = n.Negate()
	}
	return n, nil
}

// powers holds those of ten that fit into 64 bits.
var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()
