// Package batchtest builds batches from Go values and reads them back, for the
// tests of everything that batches pass through.
package batchtest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Row is one row as Go values, in column order:
//
//	NULL                       nil
//	boolean                    bool
//	integers, TIME             int64
//	float, double              float32, float64
//	decimal, date, timestamp   string, as MySQL prints it with all its digits; a zoned timestamp ends in Z
//	text                       string
//	binary                     []byte
//	vector                     []float32
type Row []any

// String returns the row in a form that is the same for the same values only:
// a string differs from bytes and from NULL, and floats keep every bit.
func (r Row) String() string {
	var b strings.Builder
	for i, v := range r {
		if i > 0 {
			b.WriteString(" | ")
		}
		switch v := v.(type) {
		case nil:
			b.WriteString("NULL")
		case string:
			head, tail := cut(v)
			b.WriteString(strconv.Quote(head) + tail)
		case []byte:
			head, tail := cut(string(v))
			fmt.Fprintf(&b, "x'%x'%s", head, tail)
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case float32:
			b.WriteString(strconv.FormatFloat(float64(v), 'g', -1, 32) + "f")
		case float64:
			b.WriteString(strconv.FormatFloat(v, 'g', -1, 64) + "d")
		default:
			fmt.Fprint(&b, v)
		}
	}
	return b.String()
}

// cut keeps megabytes out of comparisons and logs: of a long value it leaves the
// beginning and a digest.
func cut(s string) (head, tail string) {
	if len(s) <= 300 {
		return s, ""
	}
	return s[:100], fmt.Sprintf("…(%d bytes, SHA-256 %x)", len(s), sha256.Sum256([]byte(s)))
}

// Diff compares rows whose order does not count. It returns "" if they are the
// same, each as often, and else says what is missing and what is too many.
func Diff(got, want []Row) string {
	count := map[string]int{}
	for _, r := range got {
		count[r.String()]++
	}
	for _, r := range want {
		count[r.String()]--
	}
	var lines []string
	for text, n := range count {
		switch {
		case n > 0:
			lines = append(lines, fmt.Sprintf("%d too many: %s", n, shorten(text)))
		case n < 0:
			lines = append(lines, fmt.Sprintf("%d missing: %s", -n, shorten(text)))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	if more := len(lines) - 10; more > 0 {
		lines = append(lines[:10], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("got %d rows, want %d:\n\t%s", len(got), len(want), strings.Join(lines, "\n\t"))
}

// DiffOrdered is Diff for rows whose order counts.
func DiffOrdered(got, want []Row) string {
	for i := range min(len(got), len(want)) {
		if g, w := got[i].String(), want[i].String(); g != w {
			return fmt.Sprintf("row %d:\n\t got %s\n\twant %s", i, shorten(g), shorten(w))
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("got %d rows, want %d; the first %d agree", len(got), len(want), min(len(got), len(want)))
	}
	return ""
}

// shorten keeps rows of a thousand columns out of a test's log.
func shorten(s string) string {
	if len(s) <= 400 {
		return s
	}
	return strings.ToValidUTF8(s[:400], "") + fmt.Sprintf("… (%d bytes)", len(s))
}
