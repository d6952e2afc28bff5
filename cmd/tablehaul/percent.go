package main

import (
	"errors"
	"strconv"
	"strings"
)

// percent is a flag's value that is a share: 1%, 0.5%.
type percent float64

// Set parses a share above 0 and of 100% at most.
func (p *percent) Set(s string) error {
	number, is := strings.CutSuffix(strings.TrimSpace(s), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number)+"e-2", 64) // which a division would round otherwise
	if !is || err != nil || n <= 0 || n > 1 {
		return errors.New("want a share of the rows such as 1% or 0.5%")
	}
	*p = percent(n)
	return nil
}

// String writes the share as it is given.
func (p percent) String() string {
	text := strconv.FormatFloat(float64(p)*100, 'g', 10, 64) // without what the division has made of the last digits
	n, _ := strconv.ParseFloat(text, 64)
	return strconv.FormatFloat(n, 'f', -1, 64) + "%"
}

// Type names the value in help texts.
func (p *percent) Type() string { return "share" }
