package iceberg

import (
	"fmt"
	"strings"
	"unicode"
)

// identName returns name as catalogs take it. iceberg-go refuses slashes, control
// characters and the two dot names, which MySQL allows; special holds further
// characters that do not get through. Names with any of these are escaped as
// ~XX, all others stay as they are. Two tables that land on one name by this are
// told apart by sourceProperty.
func identName(name, special string) string {
	dots := strings.Trim(name, ".") == ""
	bad := func(r rune) bool {
		return r == '/' || unicode.IsControl(r) || dots || strings.ContainsRune(special, r)
	}
	if !strings.ContainsFunc(name, bad) {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		if bad(r) || r == '~' {
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, "~%02X", c)
			}
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// specialREST are characters that reach a REST catalog as others: iceberg-go
// takes a percent sign in a name for an escape, servers take a plus for a space.
const specialREST = "%+"
