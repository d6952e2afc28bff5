package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag's value: 512MiB, 1GB, 1073741824.
type byteSize int64

// units by the suffix, in lower case. K alone is meant as the binary one, as
// servers' settings mean it.
var units = map[string]int64{
	"": 1, "b": 1,
	"k": 1 << 10, "kib": 1 << 10, "kb": 1e3,
	"m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
	"g": 1 << 30, "gib": 1 << 30, "gb": 1e9,
	"t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
}

// Set parses a size.
func (b *byteSize) Set(s string) error {
	s = strings.TrimSpace(s)
	end := len(s)
	for i, r := range s {
		if (r < '0' || r > '9') && r != '.' {
			end = i
			break
		}
	}
	unit, known := units[strings.ToLower(strings.TrimSpace(s[end:]))]
	n, err := strconv.ParseFloat(s[:end], 64)
	switch {
	case err != nil || !known:
		return errors.New("want a size such as 512MiB, 1GB or 1073741824")
	case n*float64(unit) >= math.MaxInt64:
		return errors.New("too large")
	}
	*b = byteSize(n * float64(unit))
	return nil
}

// String writes the size with the largest unit that divides it.
func (b byteSize) String() string {
	for _, u := range []struct {
		name string
		size byteSize
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= u.size && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Type names the value in help texts.
func (b *byteSize) Type() string { return "size" }

// oneOf is a flag's value that is one of a few words, the first by default.
type oneOf struct {
	words []string
	value string
	given bool // and not the default
}

func newOneOf(words ...string) *oneOf { return &oneOf{words: words, value: words[0]} }

// Set checks the word.
func (o *oneOf) Set(s string) error {
	for _, w := range o.words {
		if s == w {
			o.value, o.given = w, true
			return nil
		}
	}
	return fmt.Errorf("want %s", orList(o.words))
}

// String returns the word.
func (o *oneOf) String() string { return o.value }

// Type names the value in help texts.
func (o *oneOf) Type() string { return strings.Join(o.words, "|") }

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
