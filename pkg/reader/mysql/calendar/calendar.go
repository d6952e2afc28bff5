// Package calendar counts days, and says what becomes of the dates that MySQL
// stores and no calendar holds.
package calendar

import (
	"fmt"
	"sync/atomic"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Policy says what becomes of dates that no calendar holds, such as 0000-00-00
// and 2021-02-31.
type Policy string

// The policies: NULL, 1970-01-01, and an error.
const (
	Null  Policy = "null"
	Epoch Policy = "epoch"
	Fail  Policy = "fail"
)

// Parse reads a policy's name; "" is Null.
func Parse(s string) (Policy, error) {
	switch p := Policy(s); p {
	case "":
		return Null, nil
	case Null, Epoch, Fail:
		return p, nil
	}
	return "", fmt.Errorf("bad zero-date policy %q: want null, epoch or fail", s)
}

// Of returns what the policy comes to for a column, of whose table t keeps count:
// one that cannot be null, as in a key, fails where it would have to be.
func (p Policy) Of(column string, nullable bool, t *Tally) Rule {
	if p == Null && !nullable {
		p = Fail
	}
	return Rule{p, t.column(column)}
}

// A Rule says what becomes of such dates in one column.
type Rule struct {
	policy  Policy
	changed *atomic.Int64 // how many it has changed
}

// A badDate is a date that no calendar holds, met under the Fail policy.
type badDate struct{ year, month, day int }

func (e badDate) Error() string {
	return fmt.Sprintf("no calendar holds the date %04d-%02d-%02d", e.year, e.month, e.day)
}

// Bad appends to col what stands for a date that no calendar holds; epoch
// appends 1970-01-01.
func (r Rule) Bad(col batch.Column, epoch func(), y, m, d int) error {
	switch r.policy {
	case Null:
		col.Null()
	case Epoch:
		epoch()
	default:
		return hint.Wrap(badDate{y, m, d}, "--zero-date epoch makes 1970-01-01 of such dates, null makes NULL of them outside the key")
	}
	r.changed.Add(1)
	return nil
}

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// IsDate reports whether the proleptic Gregorian calendar holds the date.
func IsDate(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	return d <= monthDays[m] || m == 2 && d == 29 && y%4 == 0 && (y%100 != 0 || y%400 == 0)
}

// daysBefore holds the days of a year before each month, counted from March, so
// that the leap day is the last of its year.
var daysBefore = [13]int{0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275}

// Days returns the days from 1970-01-01 to a date of year 0 or later.
func Days(y, m, d int) int {
	if m <= 2 {
		y--
	}
	// Floor division, as year 0 begins in the March year −1.
	y += 400
	return y*365 + y/4 - y/100 + y/400 + daysBefore[m] + d - 1 - 719468 - 146097
}
