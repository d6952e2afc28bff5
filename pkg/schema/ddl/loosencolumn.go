package ddl

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/charset"
)

// A type that the parser lacks is written as an ENUM whose only label names it.
const standIn = "\x01type:"

// lacking are the types that the parser lacks, by what servers print.
var lacking = map[string]string{
	"geometry": "geometry", "point": "point", "linestring": "linestring", "polygon": "polygon", "multipoint": "multipoint",
	"multilinestring": "multilinestring", "multipolygon": "multipolygon", "geometrycollection": "geomcollection", "geomcollection": "geomcollection",
	"uuid": "uuid", "inet4": "inet4", "inet6": "inet6", "xmltype": "xmltype",
}

// known reports whether the parser knows a character set.
func known(name string) bool {
	_, err := charset.GetCharsetInfo(name)
	return name != "" && err == nil
}

// loosenColumn is a column's declaration without what changes nothing of its shape.
func (s Server) loosenColumn(r *reading) ([]token, bool) {
	name := r.next()
	native, set := s.loosenType(r)
	var out []token
	for !r.end() {
		kept, charset, ok := s.attribute(r)
		if !ok {
			return nil, false
		}
		if charset != "" {
			set = charset
		}
		out = append(out, kept...)
	}
	if set != "" { // which the parser wants to stand behind the type
		native = append(native, token{text: "CHARSET"}, token{text: set})
	}
	return slices.Concat([]token{name}, native, out), true
}

// loosenType is a column's type, and the character set that it is of, or "".
func (s Server) loosenType(r *reading) (out []token, charset string) {
	first := r.next()
	switch {
	case first.is("NATIONAL"):
		charset, first = "utf8mb3", r.next()
	case first.is("NCHAR"):
		charset, first = "utf8mb3", token{text: "CHAR"}
	case first.is("NVARCHAR"):
		charset, first = "utf8mb3", token{text: "VARCHAR"}
	}
	if as := lacking[strings.ToLower(first.text)]; as != "" {
		if s.Maria && as == "geomcollection" {
			as = "geometrycollection"
		}
		r.group()
		return words("ENUM ( '" + standIn + as + "' )"), ""
	}
	out = append(out, first)
	for r.look().is("PRECISION", "VARYING", "VARCHAR", "VARBINARY") || r.look().is("CHAR") && r.i+1 < len(r.list) && !r.list[r.i+1].is("SET") {
		out = append(out, r.next())
	}
	if len(out) == 2 && charset != "" { // NATIONAL CHAR VARYING
		out = words("VARCHAR")
	}
	return append(out, r.group()...), charset
}

// attribute reads one attribute of a column: what is kept of it, or the character set that it gives.
func (s Server) attribute(r *reading) (kept []token, charset string, ok bool) {
	switch t := r.look(); {
	case r.accept("NOT", "NULL"):
		return words("NOT NULL"), "", true
	case r.accept("PRIMARY", "KEY"), r.accept("KEY"):
		return words("PRIMARY KEY"), "", true
	case t.is("UNSIGNED", "SIGNED", "ZEROFILL", "NULL", "AUTO_INCREMENT", "FIRST", "BINARY"):
		return []token{r.next()}, "", true
	case t.is("COMMENT", "AFTER"):
		return []token{r.next(), r.next()}, "", true
	case r.accept("CHARSET"), r.accept("CHARACTER", "SET"), r.accept("CHAR", "SET"):
		return nil, unquoted(r.next().text), true
	case r.accept("COLLATE"):
		if c := s.charsetOf(unquoted(r.next().text)); known(c) {
			return nil, c, true
		}
		return nil, "", true // of MariaDB, for the character set that there is
	case r.accept("ASCII"):
		return nil, "latin1", true
	case r.accept("UNICODE"):
		return nil, "ucs2", true
	case r.accept("BYTE"):
		return nil, "binary", true
	case r.accept("SERIAL", "DEFAULT", "VALUE"):
		return words("NOT NULL AUTO_INCREMENT"), "", true
	case r.accept("COMPRESSED"): // of MariaDB, whose types tell it
		if r.accept("=") {
			r.i++
		}
		return words("COLUMN_FORMAT DYNAMIC"), "", true
	case r.accept("DEFAULT"):
		return r.defaultValue(), "", true
	}
	kept, ok = r.computed()
	return kept, "", ok || r.passOver()
}

// defaultValue is that of a column. One that is computed is written as one that is.
func (r *reading) defaultValue() []token {
	start := r.i
	for r.look().is("+", "-") {
		r.i++
	}
	switch value := r.next(); {
	case value.is("("):
		r.i--
		if list := r.group(); len(list) == 3 && list[1].is("NULL") {
			return words("DEFAULT NULL")
		}
	case r.accept("VALUE", "FOR"): // NEXT VALUE FOR a sequence
		r.name()
	case r.look().is("("):
		r.group()
		if value.is("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP") {
			return append(words("DEFAULT"), r.list[start:r.i]...)
		}
	case quoteBegins(r.look()) && value.is("DATE", "TIME", "TIMESTAMP"):
		return append(words("DEFAULT"), r.next())
	case quoteBegins(r.look()) && r.look().glued: // x'00'
		r.i++
		fallthrough
	case quoteBegins(value), value.text != "" && value.text[0] >= '0' && value.text[0] <= '9',
		value.is("NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"):
		return append(words("DEFAULT"), r.list[start:min(r.i, len(r.list))]...)
	}
	return words("DEFAULT ( UUID ( ) )")
}

// quoteBegins reports whether a token is a text.
func quoteBegins(t token) bool { return t.text != "" && strings.ContainsRune(`'"`, rune(t.text[0])) }

// computed reads what a column is computed by.
func (r *reading) computed() ([]token, bool) {
	start := r.i
	r.accept("GENERATED", "ALWAYS")
	switch {
	case r.accept("AS", "ROW", "START"), r.accept("AS", "ROW", "END"): // of a period
		return words("NOT NULL"), true
	case r.accept("AS"):
		if len(r.group()) > 0 {
			r.accept("VIRTUAL")
			if r.accept("STORED") || r.accept("PERSISTENT") {
				return words("AS ( 1 ) STORED"), true
			}
			return words("AS ( 1 )"), true
		}
	}
	r.i = start
	return nil, false
}

// passOver passes over an attribute that changes nothing of a column's shape.
func (r *reading) passOver() bool {
	switch {
	case r.accept("UNIQUE"):
		r.accept("KEY")
	case r.accept("ON", "UPDATE"), r.accept("ON", "DELETE"):
		if r.accept("SET") || r.accept("NO") {
			r.i++
			break
		}
		r.i++
		r.group()
	case r.accept("REFERENCES"):
		r.name()
		r.group()
	case r.accept("CONSTRAINT"):
		if !r.look().is("CHECK") {
			r.i++
		}
	case r.accept("CHECK"):
		r.group()
	case r.accept("NOT", "ENFORCED"), r.accept("NOT", "SECONDARY"), r.accept("WITH", "SYSTEM", "VERSIONING"), r.accept("WITHOUT", "SYSTEM", "VERSIONING"),
		r.accept("ENFORCED"), r.accept("INVISIBLE"), r.accept("VISIBLE"):
	case r.look().is("SRID", "MATCH", "COLUMN_FORMAT", "STORAGE", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE", "REF_SYSTEM_ID"), r.i+1 < len(r.list) && r.list[r.i+1].is("="):
		r.i++
		r.accept("=")
		r.i++
	case r.look().is("RESTRICT", "CASCADE"):
		r.i++
	default:
		return false
	}
	return true
}
