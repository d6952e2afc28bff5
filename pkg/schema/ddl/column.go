package ddl

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/test_driver"
	"github.com/pingcap/tidb/pkg/parser/types"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// column is a column as it is declared.
func (a *altering) column(def *ast.ColumnDef) (c schema.Column, err error) {
	c = schema.Column{Name: def.Name.Name.O, Nullable: !a.ImplicitTimestamps || def.Tp.GetType() != mysql.TypeTimestamp}
	collation, compressed := def.Tp.GetCollate(), false
	for _, o := range def.Options {
		switch o.Tp {
		case ast.ColumnOptionNotNull, ast.ColumnOptionAutoIncrement, ast.ColumnOptionPrimaryKey:
			c.Nullable = false
		case ast.ColumnOptionNull:
			c.Nullable = true
		case ast.ColumnOptionColumnFormat:
			compressed = a.Maria
		case ast.ColumnOptionCollate:
			collation = o.StrValue
		case ast.ColumnOptionComment:
			if v, ok := o.Expr.(*test_driver.ValueExpr); ok {
				c.Comment = shown(v.GetString())
			}
		}
	}
	charset := a.columnCharset(def.Tp, collation)
	if c.Native, err = native(def.Tp, charset, a.Maria); err != nil {
		return c, fmt.Errorf("%w: column %s: %w", ErrUnknown, c.Name, err)
	}
	if compressed {
		c.Native += " /*M!100301 COMPRESSED*/"
	}
	if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
		return c, fmt.Errorf("%w: column %s: %w", ErrUnknown, c.Name, err)
	}
	c.Arrow = c.Type.Arrow()
	switch c.Type.Kind {
	case schema.String, schema.Enum, schema.Set:
		if lacking[c.Native] == "" && (charset != "binary" || a.Maria) {
			c.Charset, c.Collation = charset, strings.ToLower(collation)
		}
	}
	return c, nil
}

// columnCharset is the character set of a column, of text or not.
func (a *altering) columnCharset(t *types.FieldType, collation string) string {
	charset := plainCharset(t.GetCharset())
	switch {
	case a.Maria && t.GetType() == mysql.TypeJSON: // which is another name there
		return "utf8mb4"
	case charset == "" && collation != "":
		charset = a.charsetOf(collation)
	}
	if charset == "" {
		return a.Charset
	}
	return charset
}

// integers are the names of types, and the widths that servers print of them: signed, unsigned.
var integers = map[byte]struct {
	name   string
	widths [2]int
}{
	mysql.TypeTiny: {"tinyint", [2]int{4, 3}}, mysql.TypeShort: {"smallint", [2]int{6, 5}}, mysql.TypeInt24: {"mediumint", [2]int{9, 8}},
	mysql.TypeLong: {"int", [2]int{11, 10}}, mysql.TypeLonglong: {"bigint", [2]int{20, 20}},
}

// native is a type as information_schema.columns.column_type prints it.
func native(t *types.FieldType, charset string, maria bool) (string, error) {
	n, scale := t.GetFlen(), t.GetDecimal()
	if _, ok := integers[t.GetType()]; ok {
		return integer(t, maria), nil
	}
	switch t.GetType() {
	case mysql.TypeFloat, mysql.TypeDouble:
		name := "float"
		if t.GetType() == mysql.TypeDouble {
			name = "double"
		}
		if n >= 0 && scale >= 0 {
			name += fmt.Sprintf("(%d,%d)", n, scale)
		}
		return name + signs(t), nil
	case mysql.TypeNewDecimal:
		if n <= 0 {
			n = 10
		}
		return fmt.Sprintf("decimal(%d,%d)", n, max(scale, 0)) + signs(t), nil
	case mysql.TypeBit:
		return fmt.Sprintf("bit(%d)", max(n, 1)), nil
	case mysql.TypeYear:
		if maria {
			return "year(4)", nil
		}
		return "year", nil
	case mysql.TypeDate, mysql.TypeNewDate:
		return "date", nil
	case mysql.TypeDatetime:
		return fraction("datetime", scale), nil
	case mysql.TypeTimestamp:
		return fraction("timestamp", scale), nil
	case mysql.TypeDuration:
		return fraction("time", scale), nil
	case mysql.TypeJSON:
		if maria {
			return "longtext", nil
		}
		return "json", nil
	case mysql.TypeEnum, mysql.TypeSet:
		return labels(t), nil
	case mysql.TypeTiDBVectorFloat32:
		if n <= 0 {
			n = 2048
		}
		return fmt.Sprintf("vector(%d)", n), nil
	}
	return text(t, charset, maria)
}

func integer(t *types.FieldType, maria bool) string {
	i := integers[t.GetType()]
	fill, unsigned := mysql.HasZerofillFlag(t.GetFlag()), mysql.HasUnsignedFlag(t.GetFlag())
	width := t.GetFlen()
	if width <= 0 {
		width = i.widths[0]
		if unsigned || fill {
			width = i.widths[1]
		}
	}
	if maria || fill || t.GetType() == mysql.TypeTiny && width == 1 && !unsigned {
		return fmt.Sprintf("%s(%d)", i.name, width) + signs(t)
	}
	return i.name + signs(t)
}

// signs are what stands behind a number's type.
func signs(t *types.FieldType) string {
	switch {
	case mysql.HasZerofillFlag(t.GetFlag()):
		return " unsigned zerofill"
	case mysql.HasUnsignedFlag(t.GetFlag()):
		return " unsigned"
	}
	return ""
}

func fraction(name string, digits int) string {
	if digits <= 0 {
		return name
	}
	return fmt.Sprintf("%s(%d)", name, digits)
}

// escaped is how servers print a label.
var escaped = strings.NewReplacer(`'`, `''`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

// shown is text as information_schema has it, in three bytes a character at most.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return '?'
		}
		return r
	}, text)
}

func labels(t *types.FieldType) string {
	if name, ok := strings.CutPrefix(t.GetElems()[0], standIn); ok {
		return name
	}
	name := "enum"
	if t.GetType() == mysql.TypeSet {
		name = "set"
	}
	list := make([]string, len(t.GetElems()))
	for i, e := range t.GetElems() {
		list[i] = "'" + escaped.Replace(shown(strings.TrimRight(e, " "))) + "'"
	}
	return name + "(" + strings.Join(list, ",") + ")"
}

// text is a type of text, or of bytes where that is the character set.
func text(t *types.FieldType, charset string, maria bool) (string, error) {
	n := t.GetFlen()
	kind := [2]string{"char", "text"}
	if charset == "binary" {
		kind = [2]string{"binary", "blob"}
	}
	switch t.GetType() {
	case mysql.TypeString:
		if n < 0 {
			n = 1
		}
		return fmt.Sprintf("%s(%d)", kind[0], n), nil
	case mysql.TypeVarchar, mysql.TypeVarString:
		if n*widest(charset) > maxVarchar {
			return sized(n, charset) + kind[1], nil
		}
		return fmt.Sprintf("var%s(%d)", kind[0], n), nil
	}
	size, ok := map[byte]string{mysql.TypeTinyBlob: "tiny", mysql.TypeBlob: "", mysql.TypeMediumBlob: "medium", mysql.TypeLongBlob: "long"}[t.GetType()]
	switch {
	case !ok:
		return "", fmt.Errorf("type %s", t.String())
	case size == "" && (n > 0 || n == 0 && !maria):
		size = sized(n, charset)
	}
	return size + kind[1], nil
}

// maxVarchar is how many bytes there may be in a VARCHAR. A longer one is a TEXT where sql_mode is not
// strict, and refused otherwise.
const maxVarchar = 65535

// sized is the smallest of the four types that has so many characters.
func sized(n int, charset string) string {
	bytes := n * widest(charset)
	switch {
	case bytes < 1<<8:
		return "tiny"
	case bytes < 1<<16:
		return ""
	case bytes < 1<<24:
		return "medium"
	}
	return "long"
}
