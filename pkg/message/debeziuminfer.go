package message

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// errWider says that a value does not fit into what its column is taken for.
var errWider = errors.New("the value is no longer of the type that those before it were of")

// infer makes the table's columns from the values of a message, and from those that it had.
func (t *debeziumTable) infer(m *debeziumMessage, was *debeziumTable) error {
	if was != nil && was.inferred {
		t.shape = append(t.shape, was.shape...)
	}
	for _, text := range [][]byte{m.before, m.after} {
		s := scanner{text: text}
		if s.isNull() {
			continue
		}
		if err := t.inferRow(&s); err != nil {
			return err
		}
	}
	return nil
}

func (t *debeziumTable) inferRow(s *scanner) error {
	more, err := s.open('{', '}')
	for err == nil && more {
		var raw, name, v []byte
		if raw, err = s.key(); err != nil {
			break
		}
		if v, err = s.skip(); err != nil {
			break
		}
		if name, err = unescape(nil, raw); err != nil {
			break
		}
		if string(v) != "null" {
			err = t.inferColumn(string(name), v)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	return err
}

// inferColumn gives a column a type that takes a value as well.
func (t *debeziumTable) inferColumn(name string, v []byte) error {
	native := inferredType(v)
	for i, c := range t.shape {
		if c.Name != name {
			continue
		}
		if native = widest(c.Native, native, v); native == c.Native {
			return nil
		}
		wide, err := columnOf(name, native)
		t.shape[i] = wide
		return err
	}
	c, err := columnOf(name, native)
	t.shape = append(t.shape, c)
	return err
}

// inferredType is the MySQL type of a value.
func inferredType(v []byte) string {
	switch v[0] {
	case '"':
		return "longtext"
	case '{', '[':
		return "json"
	case 't', 'f':
		return "bit(1)"
	}
	if whole(v) {
		if _, err := literal.ParseInt(v); err == nil {
			return "bigint"
		}
		if len(v) <= schema.MaxDecimal {
			return "decimal(38,0)"
		}
		return "longtext"
	}
	if _, ok := exactFloat(v); ok {
		return "double"
	}
	return "longtext"
}

// widest is the type for values of two types that were inferred; v is of the second one.
func widest(a, b string, v []byte) string {
	switch {
	case a == b, a == "longtext":
		return a
	case a == "decimal(38,0)" && b == "bigint":
		return a
	case a == "double" && b == "bigint":
		if _, ok := exactFloat(v); ok {
			return a
		}
	case a == "bigint" && (b == "double" || b == "decimal(38,0)"):
		return b
	}
	return "longtext"
}

// whole reports whether a number has neither a point nor an exponent.
func whole(v []byte) bool {
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(v) > 0
}

// exactFloat reads a number whose digits are those that its float prints.
func exactFloat(v []byte) (float64, bool) {
	for _, c := range v { // what Go has for a number beside JSON's
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return 0, false
	}
	var a, b [40]byte
	if d := significant(a[:0], v); len(d) > 15 {
		return f, bytes.Equal(d, significant(b[:0], strconv.AppendFloat(nil, f, 'e', -1, 64)))
	}
	return f, true
}

// significant appends a number's digits without zeros at either end.
func significant(dst, v []byte) []byte {
	for _, c := range v {
		if c == 'e' || c == 'E' {
			break
		}
		if c >= '1' && c <= '9' || c == '0' && len(dst) > 0 {
			dst = append(dst, c)
		}
	}
	return bytes.TrimRight(dst, "0")
}

// inferredRead reads a column whose type was inferred. What does not fit is errWider.
func inferredRead(c schema.Column, col batch.Column) func(text []byte, quoted bool) error {
	read := number(c, col)
	switch b := col.(type) {
	case *batch.Bytes:
		object := c.Type.Kind == schema.JSON
		return func(text []byte, quoted bool) error {
			if object && (quoted || text[0] != '{' && text[0] != '[') {
				return errWider
			}
			b.Append(text)
			return nil
		}
	case *batch.Fixed[float64]:
		return func(text []byte, quoted bool) error {
			v, ok := exactFloat(text)
			if quoted || !ok {
				return errWider
			}
			b.Append(v)
			return nil
		}
	}
	if read == nil {
		return nil
	}
	_, bits := col.(*batch.Bools)
	return func(text []byte, quoted bool) error {
		if quoted || !bits && !whole(text) || bits && whole(text) || read(text) != nil {
			return errWider
		}
		return nil
	}
}
