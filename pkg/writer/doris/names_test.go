package doris

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// No two names become one, and all of them are such as Doris takes.
func TestNames(t *testing.T) {
	names := []string{
		"orders", "Orders", "a.b", "a_b", "a b", "a__b", "a__x2Eb", "a__x5F_x2Eb", "a___x2Eb", "a__x", "__x", "t__x", "_a", "__x5Fa", "t__x5Fa",
		"7", "__x37", "t__x37", "größe", "日本語", "mv_a", "MV_a", "mva_a", "__DORIS_DELETE_SIGN__", "__doris_x", "x\xffy", "x\xfey", "",
		strings.Repeat("長", 64), strings.Repeat("長", 63) + "短", strings.Repeat("-", 64), strings.Repeat("-", 63) + ".",
	}
	table := regexp.MustCompile(`^\pL[\pL0-9_]{0,63}$`)
	column := regexp.MustCompile(`^[\pL0-9_]{1,256}$`)
	for what, of := range map[string]struct {
		name func(string) string
		form *regexp.Regexp
		most int
	}{"table": {tableName, table, 64}, "column": {columnName, column, 256}} {
		seen := map[string]string{}
		for _, n := range names {
			if n == "" {
				continue
			}
			got := of.name(n)
			if was, ok := seen[got]; ok {
				t.Errorf("%s %q and %q are both %s", what, was, n, got)
			}
			seen[got] = n
			if !of.form.MatchString(got) || utf8.RuneCountInString(got) > of.most || what == "column" && (strings.HasPrefix(strings.ToLower(got), "mv_") || strings.HasPrefix(strings.ToLower(got), "__doris_")) {
				t.Errorf("%s %q is %q", what, n, got)
			}
		}
	}
}
