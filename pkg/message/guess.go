package message

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// guess returns the type of MySQL's that a JSON value shows of its column; "" if none, as
// null does. Whole numbers are bigint, or a decimal beyond that; others are double if that
// holds them exactly, else a decimal, too; and what is no number is text: only statements
// tell of dates, and of binary values, which are base64. Arrays of texts are the labels of a
// SET, other arrays and objects are JSON.
func guess(text []byte) string {
	switch text[0] {
	case 'n':
		return ""
	case '"':
		return "longtext"
	case 't', 'f':
		return "bit(1)"
	case '{':
		return "json"
	case '[':
		if _, _, ok := joinLabels(nil, nil, text); ok {
			return "longtext"
		}
		return "json"
	}
	if !bytes.ContainsAny(text, ".eE") {
		if _, err := literal.ParseInt(text); err == nil {
			return "bigint"
		}
	} else if isDouble(text) {
		return "double"
	}
	native, err := decimalOf(text)
	if err != nil {
		return ""
	}
	return native
}

// isDouble reports whether a double holds the number exactly, as far as it was written.
func isDouble(text []byte) bool {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return false
	}
	if len(text) <= 15 || bytes.ContainsAny(text, "eE") {
		return true
	}
	written := strconv.FormatFloat(v, 'f', -1, 64)
	number := string(text)
	if strings.IndexByte(number, '.') >= 0 {
		number = strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
	}
	return written == number
}

// both returns the type for what two guesses were of.
func both(a, b string) string {
	switch {
	case a == b || b == "":
		return a
	case a == "":
		return b
	}
	decimal := strings.HasPrefix(a, "decimal") || strings.HasPrefix(b, "decimal")
	number := func(s string) bool { return s == "bigint" || s == "double" || strings.HasPrefix(s, "decimal") }
	switch {
	case !number(a) || !number(b):
		return "longtext"
	case !decimal:
		return "double"
	case a == "bigint":
		return b
	case b == "bigint":
		return a
	}
	return a // a column of decimals is no double, and one of doubles has none
}

// learn has the values of a row tell the types of columns. It returns the columns as they
// were, and reports whether some are others now.
func (t *maxwellTable) learn(object []byte) (was []objectColumn, changed bool, err error) {
	was = t.columns
	s := scanner{text: object}
	more, err := s.open('{', '}')
	for i := 0; err == nil && more; i++ {
		var name, v []byte
		if name, err = s.key(); err != nil {
			break
		}
		if v, err = s.skip(); err != nil {
			break
		}
		if native := guess(v); native != "" {
			k := t.column(name, i)
			if k < 0 {
				t.columns = append(t.columns[:len(t.columns):len(t.columns)], objectColumn{name: bytes.Clone(name), open: true})
				k = len(t.columns) - 1
				t.byName = nil
			}
			var other bool
			if other, err = t.widen(k, native, v); err != nil {
				break
			}
			changed = changed || other
		}
		more, err = s.more('}')
	}
	return was, changed, err
}

// widen has a value tell the type of a column, which was guessed so far.
func (t *maxwellTable) widen(k int, native string, value []byte) (bool, error) {
	c := t.columns[k]
	switch {
	case c.open && c.Native != "": // a decimal of a statement's
		var err error
		if native, err = decimalOf(bytes.Trim(value, `"`)); err != nil {
			return false, fmt.Errorf("column %s: %w", c.Name, err)
		}
	case c.open:
	case c.told:
		return false, nil
	default:
		native = both(c.Native, native)
	}
	if native == c.Native {
		return false, nil
	}
	name, err := unescape(nil, c.name)
	if err != nil {
		return false, err
	}
	next, _, err := foreignColumn(string(name), native)
	if err != nil {
		return false, err
	}
	next.Guessed, next.Nullable = true, !c.key
	columns := make([]objectColumn, len(t.columns))
	copy(columns, t.columns)
	c.Column, c.open = next, false
	columns[k] = c
	t.columns = columns
	return true, nil
}

// wider has the values of a message, which has failed with cause, tell of the table's shape,
// and reads it again if that has become another one.
func (r *MaxwellReader) wider(t *maxwellTable, m *maxwellMessage, size int, cause error) (*maxwellTable, error) {
	t.back()
	next := *t
	changed := false
	for _, object := range [][]byte{m.old, m.data} {
		if !present(object) {
			continue
		}
		_, other, err := next.learn(object)
		if err != nil {
			return t, err
		}
		changed = changed || other
	}
	if !changed {
		return t, cause
	}
	next.columns = append([]objectColumn(nil), next.columns...)
	next.index()
	r.last = nil
	if err := r.bind(&next); err != nil {
		return t, err
	}
	r.last = &next
	next.mark()
	if err := r.row(&next, m, size); err != nil {
		next.back()
		r.last = nil
		return t, err // the columns stay what they were
	}
	r.tables[string(t.db)+"\x00"+string(t.name)] = &next
	return &next, nil
}
