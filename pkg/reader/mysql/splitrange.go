package mysql

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A splitKey is the part of a primary key that splits are ranges of.
type splitKey []schema.Column

// splitKeyOf returns the leading columns of the primary key whose values can be
// written as literals that compare as the column does and use its index. ENUM
// and SET compare by number but print as text, floats print rounded.
func splitKeyOf(t *schema.Table) splitKey {
	var cols splitKey
	key := t.SourceKey()
	t = t.AtSource() // the key counts, whether it is copied or not
	for _, i := range key {
		switch c := t.Columns[i]; c.Type.Kind {
		case schema.Enum, schema.Set, schema.Float, schema.Double, schema.Bit, schema.JSON, schema.Geometry, schema.Vector:
			return cols
		default:
			if strings.HasPrefix(c.Native, "inet") || c.Native == "uuid" {
				return cols
			}
			cols = append(cols, c)
		}
	}
	return cols
}

// A bound is a tuple of values of the leading key columns, each as keyText shows
// it. None is −∞ or ∞.
type bound []string

// after is the condition of keys beyond b, upTo that of keys at or before it.
// The leading column is compared alone as well, since the server takes ranges
// from that and not from row constructors.
func (k splitKey) after(b bound) string { return k.compare(b, ">", ">") }
func (k splitKey) upTo(b bound) string  { return k.compare(b, "<", "<=") }

func (k splitKey) compare(b bound, strict, last string) string {
	terms := make([]string, len(b))
	for i := range b {
		op := strict
		if i == len(b)-1 {
			op = last
		}
		var eq strings.Builder
		for j := range i {
			eq.WriteString(k.is(j, b[j]) + " AND ")
		}
		terms[i] = eq.String() + ident(k[i].Name) + " " + op + " " + keyLiteral(k[i], b[i])
	}
	if len(terms) == 1 {
		return terms[0]
	}
	return fmt.Sprintf("%s %s= %s AND (%s)", ident(k[0].Name), strict, keyLiteral(k[0], b[0]), "("+strings.Join(terms, ") OR (")+")")
}

// is is the condition that the i-th column has a value.
func (k splitKey) is(i int, value string) string {
	return ident(k[i].Name) + " = " + keyLiteral(k[i], value)
}

// between is the condition of keys in (lo, hi].
func (k splitKey) between(lo, hi bound) string {
	var parts []string
	if len(lo) > 0 {
		parts = append(parts, k.after(lo))
	}
	if len(hi) > 0 {
		parts = append(parts, k.upTo(hi))
	}
	return strings.Join(parts, " AND ")
}

// keyText is the expression that shows a key value without loss: bytes and
// text as hexadecimal, all else as it prints.
func keyText(c schema.Column) string {
	switch c.Type.Kind {
	case schema.String:
		return "HEX(CONVERT(" + ident(c.Name) + " USING utf8mb4))"
	case schema.Binary:
		return "HEX(" + ident(c.Name) + ")"
	}
	return "CAST(" + ident(c.Name) + " AS CHAR)"
}

// keyLiteral is a literal of what keyText showed.
func keyLiteral(c schema.Column, text string) string {
	switch c.Type.Kind {
	case schema.String:
		if text == "" {
			return "_utf8mb4''"
		}
		return "_utf8mb4 x'" + text + "'"
	case schema.Binary:
		return "x'" + text + "'"
	case schema.Date, schema.DateTime, schema.Timestamp, schema.Time:
		return "'" + text + "'"
	}
	return text // a number
}

// A keyRange is Split.Range: the keys in (After, UpTo], as JSON. It holds values
// and no SQL, because it may have been written down where others can write too.
type keyRange struct {
	After bound `json:"after,omitempty"`
	UpTo  bound `json:"upto,omitempty"`
}

// encodeRange returns the Range of the keys in (lo, hi].
func encodeRange(lo, hi bound) string {
	if len(lo)+len(hi) == 0 {
		return ""
	}
	text, _ := json.Marshal(keyRange{lo, hi}) // of strings alone
	return string(text)
}

// The forms that keyText's values have.
var (
	hexText    = regexp.MustCompile(`^([0-9A-Fa-f]{2})*$`)
	timeText   = regexp.MustCompile(`^-?[0-9:. -]+$`)
	numberText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

// rangeSQL returns the condition that a split's Range stands for, "" for a whole
// table.
func rangeSQL(t *schema.Table, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var r keyRange
	key := splitKeyOf(t)
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return "", fmt.Errorf("split %q of %s: %w", text, t, err)
	}
	for _, b := range []bound{r.After, r.UpTo} {
		if len(b) > len(key) {
			return "", fmt.Errorf("split %q of %s: its key has %d columns", text, t, len(key))
		}
		for i, v := range b {
			form := numberText
			switch key[i].Type.Kind {
			case schema.String, schema.Binary:
				form = hexText
			case schema.Date, schema.DateTime, schema.Timestamp, schema.Time:
				form = timeText
			}
			if !form.MatchString(v) {
				return "", fmt.Errorf("split %q of %s: %q is no value of column %s", text, t, v, key[i].Name)
			}
		}
	}
	return key.between(r.After, r.UpTo), nil
}
