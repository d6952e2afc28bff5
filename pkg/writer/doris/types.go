package doris

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Types are written as DDL has them, but for a word before some whose values are not what
// their text says: bytes in base64 are no text, and neither are geometries.
// Another word is before those of a key, that Doris cannot alter later, as tables are
// distributed by it: they are declared as wide as they may ever get.
const (
	inBase64 = "base64 "
	asWKT    = "wkt "
	ofKey    = "key "
)

// maxVarchar is the most bytes of a VARCHAR; what may be longer is a STRING, which no key may
// have.
const maxVarchar = 65533

// typeOf is the type of a column, which is of the key or not.
func typeOf(c schema.Column, key bool) (string, error) {
	t, err := plainTypeOf(c, key)
	if key && err == nil && widest(t) != t {
		t = ofKey + t
	}
	return t, err
}

func bare(t string) string { return strings.TrimPrefix(t, ofKey) }

// widest is the type that a column of a key may ever get.
func widest(t string) string {
	var n [2]int
	switch i := slices.Index(wholes, t); {
	case i >= 0 && t != "largeint":
		return "bigint"
	case numbered(t, "varchar(%d)", n[:1]):
		return fmt.Sprintf("varchar(%d)", maxVarchar)
	case numbered(t, "decimal(%d,%d)", n[:]):
		return fmt.Sprintf("decimal(38,%d)", n[1])
	}
	return t
}

func plainTypeOf(c schema.Column, key bool) (string, error) {
	long := "string"
	if key {
		long = fmt.Sprintf("varchar(%d)", maxVarchar)
	}
	switch t := c.Arrow.(type) {
	case *arrow.BooleanType:
		return "boolean", nil
	case *arrow.Int32Type:
		return wholeOf(c.Type), nil
	case *arrow.Int64Type:
		if c.Type.Kind == schema.Time {
			return fmt.Sprintf("time(%d)", digitsOf(c)), nil
		}
		return "bigint", nil
	case *arrow.Float32Type:
		return "float", nil
	case *arrow.Float64Type:
		return "double", nil
	case *arrow.Decimal128Type:
		if t.Scale == 0 && (c.Type.Kind == schema.BigInt || c.Type.Kind == schema.Bit) {
			return "largeint", nil
		}
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale), nil
	case *arrow.Date32Type:
		return "date", nil
	case *arrow.TimestampType:
		return fmt.Sprintf("datetime(%d)", digitsOf(c)), nil
	case *arrow.StringType:
		return textOf(c, long), nil
	case *arrow.BinaryType:
		if c.Type.Kind == schema.Geometry {
			return asWKT + long, nil
		}
		return inBase64 + long, nil
	case *arrow.ListType:
		return "array<float>", nil
	}
	return "", fmt.Errorf("column %s: type %s has no place in Doris", c.Name, c.Arrow)
}

// wholeOf is the narrowest type that has all values of an integer's.
func wholeOf(t schema.Type) string {
	ranks := map[schema.Kind]int{schema.TinyInt: 0, schema.SmallInt: 1, schema.MediumInt: 2}
	i, ok := ranks[t.Kind]
	switch {
	case !ok || t.Kind == schema.MediumInt:
		return "int"
	case t.Unsigned:
		i++
	}
	return wholes[i]
}

// digitsOf are the digits behind the second.
func digitsOf(c schema.Column) int {
	switch c.Type.Kind {
	case schema.DateTime, schema.Timestamp, schema.Time:
		return c.Type.Precision
	}
	return 6
}

// timeDigits are those of a TIME. Doris has no such type: its text is that of MySQL. In a key it
// stays of these digits, as the same time in others would be another text.
func timeDigits(t string) (n int, ok bool) {
	var d [1]int
	ok = numbered(bare(t), "time(%d)", d[:])
	return d[0], ok
}

// textOf is VARCHAR for what is one, or a CHAR, at the source: of four bytes a character.
func textOf(c schema.Column, long string) string {
	switch {
	case c.Type.Kind == schema.JSON && long == "string":
		return "json"
	case c.Type.Kind != schema.String:
		return long
	}
	name, args, _ := strings.Cut(strings.ToLower(c.Native), "(")
	if name != "char" && name != "varchar" {
		return long
	}
	args, _, _ = strings.Cut(args, ")")
	n, err := strconv.Atoi(args)
	if err != nil || n < 1 || 4*n > maxVarchar {
		return long
	}
	return fmt.Sprintf("varchar(%d)", 4*n)
}

// declared is a type as DDL has it.
func declared(t string) string {
	_, isTime := timeDigits(t)
	switch {
	case isTime:
		return "varchar(20)"
	case strings.HasPrefix(t, ofKey):
		return widest(bare(t))
	}
	return strings.TrimPrefix(strings.TrimPrefix(t, inBase64), asWKT)
}

var wholes = []string{"tinyint", "smallint", "int", "bigint", "largeint"}

// widens reports whether a column can be altered from one type to another that has all its
// values, as Doris lets it be.
func widens(from, to string) bool {
	from, to = bare(from), bare(to)
	i, j := slices.Index(wholes, from), slices.Index(wholes, to)
	var a, b [2]int
	switch {
	case from == to, from == "float" && to == "double", i >= 0 && i <= j:
		return true
	case numbered(from, "varchar(%d)", a[:1]) && numbered(to, "varchar(%d)", b[:1]):
		return a[0] <= b[0]
	case numbered(from, "varchar(%d)", a[:1]):
		return to == "string"
	case numbered(from, "datetime(%d)", a[:1]) && numbered(to, "datetime(%d)", b[:1]),
		numbered(from, "time(%d)", a[:1]) && numbered(to, "time(%d)", b[:1]): // old rows stay in fewer digits
		return a[0] <= b[0]
	}
	return numbered(from, "decimal(%d,%d)", a[:]) && numbered(to, "decimal(%d,%d)", b[:]) && a[1] == b[1] && a[0] <= b[0]
}

// alike reports whether the source tells two types apart in a way that its rows do not: a
// VARCHAR of another length, which schema.Table.Since looks at.
func alike(have, want string) bool {
	var a, b [1]int
	have, want = bare(have), bare(want)
	return have == want || numbered(have, "varchar(%d)", a[:]) && numbered(want, "varchar(%d)", b[:])
}

// numbered reads the numbers of a type.
func numbered(t, form string, to []int) bool {
	args := make([]any, len(to))
	for i := range to {
		args[i] = &to[i]
	}
	n, err := fmt.Sscanf(t, form, args...)
	return err == nil && n == len(to)
}
