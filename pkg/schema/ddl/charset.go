package ddl

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/charset"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// The parser refuses statements with character sets that TiDB does not have, though it knows their
// collations.
func init() {
	for _, name := range strings.Fields(`armscii8 big5 cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8 eucjpms euckr gb18030 gb2312 gbk
		geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin2 latin5 latin7 macce macroman sjis swe7 tis620 ucs2 ujis utf16 utf16le utf32`) {
		if charset.CharacterSetInfos[name] == nil {
			charset.AddCharset(&charset.Charset{Name: name, DefaultCollation: name + "_bin", Collations: map[string]*charset.Collation{}, Maxlen: widest(name)})
		}
	}
}

// charsetOf is the character set of a collation.
func (s Server) charsetOf(collation string) string {
	if s.CharsetOf != nil {
		if c := s.CharsetOf(collation); c != "" {
			return plainCharset(c)
		}
	}
	if c, err := charset.GetCollationByName(collation); err == nil {
		return plainCharset(c.CharsetName)
	}
	name, _, _ := strings.Cut(collation, "_")
	return plainCharset(name)
}

// optionCharset is the character set that options of a table give it, or "".
func (s Server) optionCharset(options []*ast.TableOption) string {
	name := ""
	for _, o := range options {
		switch {
		case o.Tp == ast.TableOptionCharset && !o.Default:
			name = plainCharset(o.StrValue)
		case o.Tp == ast.TableOptionCollate && name == "":
			name = s.charsetOf(o.StrValue)
		}
	}
	return name
}

// plainCharset is a character set as servers list it.
func plainCharset(name string) string {
	name = strings.ToLower(name)
	if name == "utf8" {
		return "utf8mb3"
	}
	return name
}

// widest is the most bytes of a character.
func widest(charset string) int {
	switch charset {
	case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030":
		return 4
	case "utf8mb3", "ujis", "eucjpms":
		return 3
	case "gbk", "gb2312", "big5", "sjis", "cp932", "euckr", "ucs2":
		return 2
	}
	return 1
}

// converted is a type of text in another character set: a TEXT whose characters may need more
// bytes becomes the next larger one, unless the statement declares it.
func converted(native, from, to string, declared bool) string {
	var n int
	switch _, err := fmt.Sscanf(native, "varchar(%d)", &n); {
	case to == "binary" && strings.HasPrefix(native, "varchar"), to == "binary" && strings.HasPrefix(native, "char"):
		return strings.Replace(native, "char", "binary", 1)
	case to == "binary":
		return strings.Replace(native, "text", "blob", 1)
	case err == nil && n*widest(to) > maxVarchar:
		return sized(n, to) + "text"
	case declared || widest(to) <= widest(from):
		return native
	}
	switch native {
	case "tinytext":
		return "text"
	case "text":
		return "mediumtext"
	case "mediumtext":
		return "longtext"
	}
	return native
}

// garbles reports whether servers make other labels of those of a column that becomes another character set:
// they take the bytes for what they were not.
func garbles(c *schema.Column, to string) bool {
	if c.Charset == to || c.Type.Kind != schema.Enum && c.Type.Kind != schema.Set {
		return false
	}
	wide := func(name string) bool { return strings.HasPrefix(name, "utf16") || name == "ucs2" || name == "utf32" }
	return wide(c.Charset) || wide(to) || strings.ContainsFunc(c.Native, func(r rune) bool { return r >= 0x80 })
}
