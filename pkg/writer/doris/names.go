package doris

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Doris takes fewer names than MySQL does. What it does not take is written as __xHH, a byte
// each, and so is the beginning of what looks so already: no two names become one.
const escape = "__x"

// maxName is the most characters of the name of a database or a table.
const maxName = 64

// tableName is how a table, or a database, is called: it begins with a letter, so what does
// not has one before it, and a byte that no name has.
func tableName(name string) string {
	out := escaped(name)
	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsLetter(first) {
		out = "t" + escape + "00" + out
	}
	if utf8.RuneCountInString(out) <= maxName {
		return out
	}
	head := []rune(out)[:maxName-20]
	return string(head) + "__h" + hash(name, 16)
}

// columnName is how a column is called.
func columnName(name string) string {
	out := escaped(name)
	for _, own := range []string{"__doris_", "mv_", "mva_"} { // which Doris has for itself
		if strings.HasPrefix(strings.ToLower(out), own) {
			out = fmt.Sprintf("%s%02X%s", escape, out[0], out[1:])
			break
		}
	}
	if utf8.RuneCountInString(out) <= 256 {
		return out
	}
	return string([]rune(out)[:256-20]) + "__h" + hash(name, 16)
}

func escaped(name string) string {
	var b strings.Builder
	for i, r := range name {
		plain := unicode.IsLetter(r) || r == '_' || '0' <= r && r <= '9'
		if plain && r != utf8.RuneError && !strings.HasPrefix(name[i:], escape) {
			b.WriteRune(r)
			continue
		}
		_, size := utf8.DecodeRuneInString(name[i:])
		for _, c := range []byte(name[i : i+size]) {
			fmt.Fprintf(&b, "%s%02X", escape, c)
		}
	}
	return b.String()
}

// hash tells names apart that are too long to be had as they are.
func hash(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}

// quoted is a name as SQL has it.
func quoted(names ...string) string {
	for i, n := range names {
		names[i] = "`" + strings.ReplaceAll(n, "`", "``") + "`"
	}
	return strings.Join(names, ".")
}

// text is a string as SQL has it.
func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(s) + "'"
}
