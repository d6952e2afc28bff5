package message

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// aliases are names that a DDL statement may have for types, which Canal passes on, and
// what information_schema calls them.
var aliases = map[string]string{
	"bool": "tinyint(1)", "boolean": "tinyint(1)", "int1": "tinyint", "int2": "smallint", "int3": "mediumint", "middleint": "mediumint",
	"int4": "int", "integer": "int", "int8": "bigint", "serial": "bigint unsigned",
	"dec": "decimal", "numeric": "decimal", "fixed": "decimal", "real": "double", "float4": "float", "float8": "double",
	"character": "char", "nchar": "char", "nvarchar": "varchar", "varchar2": "varchar", "long": "mediumtext",
}

// unsized are the types that need what stands between parentheses, and what is taken for
// one that lacks it.
var unsized = map[string]string{
	"enum": "text", "set": "text", // nothing tells what a number stands for: it stays one
	"bit": "bit(64)", // any width fits
}

// foreignColumn returns a column as others tell of it. They may lack what
// information_schema has between parentheses, as TiCDC does. A decimal without digits is
// open: its values are to tell how many it has.
func foreignColumn(name, native string) (c schema.Column, open bool, err error) {
	base, rest := native, ""
	if i := strings.IndexAny(native, "( "); i >= 0 {
		base, rest = native[:i], native[i:]
	}
	bare := !strings.HasPrefix(strings.TrimSpace(rest), "(")
	base = strings.ToLower(base)
	guessed := false
	to, ok := aliases[base]
	if bare && !ok {
		to, ok = unsized[base]
		guessed = ok
	}
	if ok {
		if strings.ContainsAny(to, "( ") { // it says all
			rest = ""
		}
		native, base = to+rest, to
	}
	c = schema.Column{Name: name, Native: squeeze(native), Nullable: true, Guessed: guessed}
	if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
		return c, false, fmt.Errorf("column %s: %w", name, err)
	}
	c.Arrow = c.Type.Arrow()
	return c, bare && base == "decimal", nil
}

// squeeze takes away the spaces that a statement may have between a type's name and its
// labels, and between these.
func squeeze(native string) string {
	open := strings.IndexByte(native, '(')
	if open < 0 || !strings.Contains(native, " ") {
		return native
	}
	b := append(make([]byte, 0, len(native)), strings.TrimRight(native[:open], " ")...)
	quoted := false
	for i := open; i < len(native); i++ {
		c := native[i]
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted && c == '\\' && i+1 < len(native):
			b = append(b, c)
			i++
			c = native[i]
		case c == ' ' && !quoted:
			if i > 0 && native[i-1] != ')' { // " unsigned" keeps its space
				continue
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// decimalOf returns the type of a decimal that has a value like this one: with as many
// digits behind the point, and as many before it as there may be.
func decimalOf(text []byte) (native string, err error) {
	before, behind, point := 0, 0, false
	for i, c := range text {
		switch {
		case c == '-' && i == 0:
		case c == '.' && !point:
			point = true
		case c < '0' || c > '9':
			return "", literal.Bad(text, "decimal")
		case point:
			behind++
		default:
			before++
		}
	}
	if before+behind == 0 || before+behind > 65 {
		return "", literal.Bad(text, "decimal")
	}
	digits := schema.MaxDecimal
	if before+behind > digits {
		digits = 65
	}
	return "decimal(" + strconv.Itoa(digits) + "," + strconv.Itoa(behind) + ")", nil
}

// sqlNative returns the type that columns of a type of java.sql.Types have at least, for
// messages that tell no other. Whole numbers may be unsigned: Canal tells of a value's
// size then.
func sqlNative(code int64) (string, bool) {
	switch code {
	case -6, 4, 5, -5, 16: // TINYINT, INTEGER, SMALLINT, BIGINT, BOOLEAN
		return "bigint", true
	case -7: // BIT, and SET
		return "bit", true
	case 2, 3: // NUMERIC, DECIMAL
		return "decimal", true
	case 7: // REAL
		return "float", true
	case 6, 8: // FLOAT, DOUBLE
		return "double", true
	case 91:
		return "date", true
	case 92:
		return "time(6)", true
	case 93:
		return "datetime(6)", true
	case -2, -3, -4, 2004: // BINARY, VARBINARY, LONGVARBINARY, BLOB
		return "longblob", true
	case 1, 12, -1, 2005, -15, -9, 2011, 1111: // CHAR, VARCHAR, LONGVARCHAR, CLOB, those of Unicode, OTHER
		return "longtext", true
	}
	return "", false
}
