package mysql

import (
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// parseDecimal reads the server's text of a DECIMAL with scale fractional
// digits into an integer of 10^−scale. The server always writes all of them.
func parseDecimal(s []byte, scale int) (decimal128.Num, error) {
	text := s
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
	if neg {
		n = n.Negate()
	}
	return n, nil
}
