package doristest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A colType is a column's type as DDL has it: DECIMAL(10,2), VARCHAR(65533), ARRAY<FLOAT>.
type colType struct {
	name string // in capitals, without what is in parentheses
	args []int
	elem string // of an ARRAY
}

var typeForm = regexp.MustCompile(`(?is)^\s*([a-z_0-9]+)\s*(?:\(([0-9,\s]+)\)|<\s*([a-z]+)\s*>)?\s*$`)

var typeNames = map[string]string{
	"BOOL": "BOOLEAN", "INTEGER": "INT", "DECIMALV3": "DECIMAL", "DATEV2": "DATE", "DATETIMEV2": "DATETIME", "TEXT": "STRING", "JSONB": "JSON",
}

func parseColType(s string) (colType, error) {
	m := typeForm.FindStringSubmatch(s)
	if m == nil {
		return colType{}, fmt.Errorf("unsupported type: %s", s)
	}
	t := colType{name: strings.ToUpper(m[1]), elem: strings.ToUpper(m[3])}
	if n, ok := typeNames[t.name]; ok {
		t.name = n
	}
	for a := range strings.SplitSeq(m[2], ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(a)); err == nil {
			t.args = append(t.args, n)
		}
	}
	return t, t.complete()
}

// complete fills in what may be left out of a type, and refuses what Doris does not take.
func (t *colType) complete() error {
	switch t.name {
	case "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "LARGEINT", "FLOAT", "DOUBLE", "DATE", "STRING", "JSON":
	case "DECIMAL":
		if len(t.args) == 0 {
			t.args = []int{38, 9}
		}
		if len(t.args) == 1 {
			t.args = append(t.args, 0)
		}
		if t.args[0] < 1 || t.args[0] > 38 || t.args[1] > t.args[0] {
			return fmt.Errorf("decimal precision should be between 1 and 38 and scale should not be greater: %v", t.args)
		}
	case "DATETIME":
		if len(t.args) == 0 {
			t.args = []int{0}
		}
		if t.args[0] > 6 {
			return fmt.Errorf("scale of Datetime/Time must between 0 and 6. Scale was set to: %d", t.args[0])
		}
	case "CHAR", "VARCHAR":
		if len(t.args) == 0 {
			t.args = []int{map[string]int{"CHAR": 1, "VARCHAR": 65533}[t.name]}
		}
		if most := map[string]int{"CHAR": 255, "VARCHAR": 65533}[t.name]; t.args[0] < 1 || t.args[0] > most {
			return fmt.Errorf("%s size must be between 1 and %d: %d", t.name, most, t.args[0])
		}
	case "ARRAY":
		if t.elem == "" {
			return errors.New("ARRAY without a type of elements")
		}
	default:
		return fmt.Errorf("unsupported type: %s", t.name)
	}
	return nil
}

// String writes the type as SHOW CREATE TABLE does.
func (t colType) String() string {
	name := strings.ToLower(t.name)
	if t.name == "STRING" {
		name = "text"
	}
	if t.elem != "" {
		return name + "<" + strings.ToLower(t.elem) + ">"
	}
	if len(t.args) == 0 || t.name == "DATETIME" && t.args[0] == 0 {
		return name
	}
	args := make([]string, len(t.args))
	for i, a := range t.args {
		args[i] = strconv.Itoa(a)
	}
	return name + "(" + strings.Join(args, ",") + ")"
}

// keyable reports whether columns of the type may be of a key.
func (t colType) keyable() bool {
	switch t.name {
	case "FLOAT", "DOUBLE", "JSON", "STRING", "ARRAY":
		return false
	}
	return true
}

var wholeBits = map[string]int{"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64, "LARGEINT": 128}

// A valueError is that a value does not fit its column: what strict mode filters the row for.
type valueError struct{ reason string }

func (e *valueError) Error() string { return e.reason }

// canonical is the one text that a value of a column has, however it was written.
func (t colType) canonical(s string, maxString int) (string, error) {
	switch t.name {
	case "CHAR", "VARCHAR", "STRING", "JSON":
		return t.text(s, maxString)
	case "DECIMAL":
		return t.decimal(s)
	case "DATETIME":
		return t.datetime(s)
	case "DATE":
		d, err := time.Parse("2006-01-02", s)
		if err != nil {
			return "", t.cannot(s)
		}
		return d.Format("2006-01-02"), nil
	case "ARRAY":
		return t.array(s, maxString)
	}
	return t.number(s)
}

// cannot is that a value is none of the type.
func (t colType) cannot(s string) error {
	return &valueError{fmt.Sprintf("the value %.60q cannot be cast to %s", s, t)}
}

// number takes whole numbers, floats and booleans.
func (t colType) number(s string) (string, error) {
	switch t.name {
	case "BOOLEAN":
		switch strings.ToLower(s) {
		case "1", "true":
			return "1", nil
		case "0", "false":
			return "0", nil
		}
		return "", t.cannot(s)
	case "FLOAT", "DOUBLE":
		bits := 64
		if t.name == "FLOAT" {
			bits = 32
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(s), bits)
		if err != nil {
			return "", t.cannot(s)
		}
		return strconv.FormatFloat(v, 'g', -1, bits), nil
	}
	n, ok := new(big.Int).SetString(strings.TrimSpace(s), 10)
	if !ok || n.BitLen() >= wholeBits[t.name] && !isLeast(n, wholeBits[t.name]) {
		return "", t.cannot(s)
	}
	return n.String(), nil
}

// text takes what is stored as it comes.
func (t colType) text(s string, maxString int) (string, error) {
	const long = "the length of input is too long than schema. first 32 bytes of input str: [%.32s] schema length: %d; actual length: %d"
	switch {
	case !utf8.ValidString(s):
		return "", &valueError{fmt.Sprintf("the value %.60q is no UTF-8", s)}
	case t.name == "JSON" && !json.Valid([]byte(s)):
		return "", t.cannot(s)
	case len(t.args) > 0 && len(s) > t.args[0]:
		return "", &valueError{fmt.Sprintf(long, s, t.args[0], len(s))}
	case len(t.args) == 0 && len(s) > maxString:
		return "", &valueError{fmt.Sprintf(long, s, maxString, len(s))}
	}
	return s, nil
}

// datetime rounds to the type's digits.
func (t colType) datetime(s string) (string, error) {
	d, err := time.Parse("2006-01-02 15:04:05.999999999", strings.Replace(s, "T", " ", 1))
	if err != nil {
		return "", t.cannot(s)
	}
	unit := time.Second
	for range t.args[0] {
		unit /= 10
	}
	if d = d.Add(unit / 2).Truncate(unit); d.Year() > 9999 {
		return "", t.cannot(s)
	}
	form := "2006-01-02 15:04:05"
	if t.args[0] > 0 {
		form += "." + strings.Repeat("0", t.args[0])
	}
	return d.Format(form), nil
}

func (t colType) array(s string, maxString int) (string, error) {
	var items []json.Number
	if err := json.Unmarshal([]byte(s), &items); err != nil {
		return "", t.cannot(s)
	}
	out := make([]string, len(items))
	for i, n := range items {
		v, err := colType{name: t.elem}.canonical(n.String(), maxString)
		if err != nil {
			return "", t.cannot(s)
		}
		out[i] = v
	}
	return "[" + strings.Join(out, ", ") + "]", nil
}

// isLeast reports whether n is the least of the whole numbers of so many bits.
func isLeast(n *big.Int, bits int) bool {
	return n.Cmp(new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))) == 0
}

var decimalForm = regexp.MustCompile(`^([+-]?)(\d*)(?:\.(\d*))?$`)

// decimal rounds to the scale, away from zero in the middle.
func (t colType) decimal(s string) (string, error) {
	m := decimalForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil || m[2]+m[3] == "" {
		return "", &valueError{fmt.Sprintf("the value %.60q cannot be cast to %s", s, t)}
	}
	scale, fraction := t.args[1], m[3]
	up := len(fraction) > scale && fraction[scale] >= '5'
	if len(fraction) > scale {
		fraction = fraction[:scale]
	}
	n, _ := new(big.Int).SetString("0"+m[2]+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	if up {
		n.Add(n, big.NewInt(1))
	}
	digits := n.String()
	if len(digits) > t.args[0] && n.Sign() != 0 {
		return "", &valueError{fmt.Sprintf("the value %.60q has more digits than %s", s, t)}
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	if scale > 0 {
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if m[1] == "-" && n.Sign() != 0 {
		digits = "-" + digits
	}
	return digits, nil
}
