// Package calendar counts days, and says what becomes of the dates that MySQL
// stores and no calendar holds.
package calendar

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
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

// Of returns what the policy comes to for a column of a table, of which tally keeps count.
// One that cannot be null, as in a key, fails where it would have to be. The key of a changelog
// is that of its messages, and of whoever dumps them.
func (p Policy) Of(t *schema.Table, column int, tally *Tally) Rule {
	c := t.Columns[column]
	if !c.Type.HasZero() { // the others need no counter
		return Rule{}
	}
	key := slices.Contains(t.Key, column) || slices.Contains(t.RowKey, column)
	if p == Null && (key || !c.Nullable) {
		p = Fail
	}
	return Rule{p, key, tally.column(c.Name)}
}

// A Rule says what becomes of such dates in one column.
type Rule struct {
	policy  Policy
	key     bool          // no two values may become the same
	changed *atomic.Int64 // how many it has changed
}

// A Date is one as it is stored, with the microseconds of its day. The zero value is
// 0000-00-00.
type Date struct {
	Year, Month, Day int
	Micros           int64
}

// String writes it as the source does, to the second; what it has no time of is a date.
func (d Date) String() string {
	text := fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
	if s := d.Micros / 1e6; d.Micros != 0 {
		text += fmt.Sprintf(" %02d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return text
}

// anew is what mends a key: the log tells of it again, in the row as it was, when it is changed.
const anew = "and copy the table anew with snapshot --mode replace"

// Bad appends to col what stands for a date that no calendar holds; epoch
// appends 1970-01-01.
func (r Rule) Bad(col batch.Column, epoch func(), d Date) error {
	err := fmt.Errorf("no calendar holds the date %s", d)
	switch {
	case r.policy == Null:
		col.Null()
	case r.policy == Epoch && r.key && d != Date{}:
		return hint.Wrap(err, "in a key --zero-date epoch makes 1970-01-01 of 0000-00-00 alone, so that no two keys become the same: put the row right at the source, "+anew)
	case r.policy == Epoch:
		epoch()
	case r.key:
		return hint.Wrap(err, "put the row right at the source, "+anew+"; with --zero-date epoch, which makes 1970-01-01 of 0000-00-00 in a key, it may stay")
	default:
		return hint.Wrap(err, "--zero-date epoch makes 1970-01-01 of such dates, null makes NULL of them")
	}
	r.changed.Add(1)
	return nil
}

// Epoch is called for a value that is 1970-01-01 itself, to the microsecond: in a key it
// may not be what another one becomes.
func (r Rule) Epoch() error {
	if r.policy == Epoch && r.key {
		return hint.Wrap(errors.New("--zero-date epoch gives 0000-00-00 the key of 1970-01-01, which is here itself"),
			"put those rows right at the source whose key has 0000-00-00, "+anew+" and without --zero-date")
	}
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
