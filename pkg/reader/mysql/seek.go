package mysql

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	lit "github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var _ reader.Seeker = (*snapshot)(nil)

// Seek implements reader.Seeker: the server looks the keys up in the primary key.
func (p *snapshot) Seek(ctx context.Context, t *schema.Table, keys arrow.RecordBatch) (reader.Reader, error) {
	where, err := keysSQL(t, keys, p.s.zero)
	if err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	return p.openWhere(ctx, reader.Split{Table: t}, where)
}

// keysSQL is the condition that a row has one of some keys. A key that no row of the source can have
// is left out of it: what a sink holds may be anything.
func keysSQL(t *schema.Table, keys arrow.RecordBatch, zero calendar.Policy) (string, error) {
	if len(t.Key) == 0 || int(keys.NumCols()) != len(t.Key) {
		return "", fmt.Errorf("look up keys of %d columns, where the table's has %d", keys.NumCols(), len(t.Key))
	}
	names, values, terms := make([]string, len(t.Key)), make([]string, len(t.Key)), make([]string, len(t.Key))
	labels := false
	for i, k := range t.Key {
		kind := t.Columns[k].Type.Kind
		names[i], labels = keySQL(t.Columns[k]), labels || kind == schema.Enum || kind == schema.Set
	}
	var exact, others []string
	for row := range int(keys.NumRows()) {
		possible, epoch := true, false
		for i, k := range t.Key {
			c, a := t.Columns[k], keys.Column(i)
			text, ok, err := valueSQL(c, a, row)
			if err != nil {
				return "", err
			}
			values[i], terms[i] = text, names[i]+" = "+text
			if ok && zero == calendar.Epoch && isEpoch(a, row) { // it was 0000-00-00, or reading it fails
				epoch, terms[i] = true, names[i]+" IN ("+text+","+strings.ReplaceAll(text, "1970-01-01", "0000-00-00")+")"
			}
			possible = possible && ok
		}
		switch {
		case possible && (epoch || labels && len(names) > 1): // MariaDB has no use for the index of tuples with labels
			others = append(others, "("+strings.Join(terms, " AND ")+")")
		case possible:
			exact = append(exact, tuple(values))
		}
	}
	if len(exact) > 0 {
		others = append(others, tuple(names)+" IN ("+strings.Join(exact, ",")+")")
	}
	if len(others) == 0 {
		return "FALSE", nil
	}
	slices.Sort(others)
	return strings.Join(slices.Compact(others), " OR "), nil
}

func tuple(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return "(" + strings.Join(texts, ",") + ")"
}

// isEpoch reports whether a value is that which calendar.Epoch makes of 0000-00-00.
func isEpoch(a arrow.Array, row int) bool {
	switch v := a.(type) {
	case *array.Date32:
		return v.Value(row) == 0
	case *array.Timestamp:
		return v.Value(row) == 0
	}
	return false
}

// keptCharsets are those of which every text comes back the same from utf8mb4. Others have bytes that
// stand for nothing, or for the same as others.
var keptCharsets = map[string]bool{"": true, "utf8mb4": true, "utf8mb3": true, "utf8": true, "latin1": true, "ascii": true, "ucs2": true, "utf16": true, "utf16le": true, "utf32": true}

// keySQL is what a column's values are compared as. A text that does not survive the way through
// utf8mb4 is compared as it has come, which is without the index: no literal finds it there.
func keySQL(c schema.Column) string {
	if c.Type.Kind == schema.String && !keptCharsets[c.Charset] {
		return "CONVERT(" + ident(c.Name) + " USING utf8mb4) COLLATE utf8mb4_bin"
	}
	return ident(c.Name)
}

// lacks returns what tells characters that a charset does not have: those of literals make the server
// refuse the statement.
func lacks(charset string) func(rune) bool {
	switch charset {
	case "utf8mb3", "utf8", "ucs2":
		return func(r rune) bool { return r > 0xffff }
	case "ascii":
		return func(r rune) bool { return r > 0x7f }
	case "latin1": // the Windows code page 1252, and what it has no use for as it is
		return func(r rune) bool {
			return r > 0xff && !strings.ContainsRune("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ", r) || r >= 0x80 && r < 0xa0 && !strings.ContainsRune("\u0081\u008d\u008f\u0090\u009d", r)
		}
	}
	return func(rune) bool { return false }
}

// The ends of what the source's types hold, in days and microseconds.
const (
	firstDay, lastDay = -719528, 2932896                  // 0000-01-01 and 9999-12-31
	longestTime       = (839*3600 - 1) * lit.SecondMicros // in MySQL; MariaDB's may have a fraction of a second more
)

// valueSQL is a literal of a value as it is behind the reader, which is compared as the column is, by
// its index. It is not ok for one that no row of the source can have.
func valueSQL(c schema.Column, a arrow.Array, row int) (text string, ok bool, err error) {
	if a.IsNull(row) {
		return "", false, nil
	}
	switch v := a.(type) {
	case *array.Boolean:
		if v.Value(row) {
			return "1", true, nil
		}
		return "0", true, nil
	case *array.Int32:
		return strconv.Itoa(int(v.Value(row))), true, nil
	case *array.Int64:
		n := v.Value(row)
		if c.Type.Kind == schema.Time {
			text, beyond := "'"+string(lit.AppendTime(nil, n, 6))+"'", max(n, -n)-longestTime
			if beyond <= 0 { // MySQL finds no time by its text beside a date
				text = "TIME" + text
			}
			return text, beyond < lit.SecondMicros, nil
		}
		return strconv.FormatInt(n, 10), true, nil
	case *array.Decimal128:
		scale := 0
		if t, ok := v.DataType().(*arrow.Decimal128Type); ok {
			scale = int(t.Scale)
		}
		return string(lit.AppendDecimal(nil, v.Value(row), scale)), true, nil
	case *array.Float32:
		// The column's value becomes a double when it is compared: this is the same one.
		return doubleSQL(float64(v.Value(row)))
	case *array.Float64:
		return doubleSQL(v.Value(row))
	case *array.Date32:
		n := int64(v.Value(row))
		return "DATE'" + string(lit.AppendDate(nil, n)) + "'", n >= firstDay && n <= lastDay, nil
	case *array.Timestamp:
		n := int64(v.Value(row))
		return "TIMESTAMP'" + string(lit.AppendDateTime(nil, n, ' ', 6)) + "'", n >= firstDay*lit.DayMicros && n < (lastDay+1)*lit.DayMicros, nil
	case *array.String:
		text := v.Value(row)
		if c.Type.Kind == schema.Decimal { // of more digits than Arrow's have
			return text, numberText.MatchString(text), nil
		}
		return literal(text), utf8.ValidString(text) && !strings.ContainsFunc(text, lacks(c.Charset)), nil
	case *array.Binary:
		return "x'" + hex.EncodeToString(v.Value(row)) + "'", true, nil
	}
	return "", false, fmt.Errorf("column %s: a %s cannot be looked up", c.Name, a.DataType())
}

// doubleSQL is a literal that the server reads as just this double: with an exponent it is no decimal.
func doubleSQL(f float64) (text string, ok bool, err error) {
	return strconv.FormatFloat(f, 'e', -1, 64), !math.IsNaN(f) && !math.IsInf(f, 0), nil
}
