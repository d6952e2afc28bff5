// Package naming makes names of a database's things into names that stores take.
package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxFolder keeps a folder's name well under the 255 bytes that file systems allow.
const maxFolder = 160

// Folder returns name as one path segment that means the same to every file
// system, URL parser and reader, and that cannot leave its parent: letters,
// digits, _ - and inner dots stay, every other byte becomes ~XX. It is
// one-to-one; long names end in a hash instead of their tail.
func Folder(name string) string {
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
