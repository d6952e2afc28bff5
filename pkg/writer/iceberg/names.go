package iceberg

import (
	"crypto/sha256"
	"encoding/hex"
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

// maxFolder keeps a folder's name well under the 255 bytes that file systems allow.
const maxFolder = 160

// folderName returns name as one path segment that means the same to every file
// system, URL parser and reader, and that cannot leave its parent: letters,
// digits, _ - and inner dots stay, every other byte becomes ~XX. It is
// one-to-one; long names end in a hash instead of their tail.
func folderName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-',
			c == '.' && i > 0 && i < len(name)-1:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02X", c)
		}
	}
	if b.Len() <= maxFolder {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	return b.String()[:maxFolder-34] + "~~" + hex.EncodeToString(sum[:16])
}
