package progress

import (
	"strings"

	"github.com/rivo/uniseg"
)

// width returns how many cells of a terminal s takes.
func width(s string) int { return uniseg.StringWidth(s) }

// cut shortens s to at most n cells, the last of them an ellipsis.
func cut(s string, n int) string {
	if width(s) <= n {
		return s
	}
	var b strings.Builder
	for g, left := uniseg.NewGraphemes(s), n-1; g.Next(); {
		if left -= g.Width(); left < 0 {
			break
		}
		b.WriteString(g.Str())
	}
	if n > 0 {
		b.WriteString("…")
	}
	return b.String()
}

func padLeft(s string, n int) string  { return strings.Repeat(" ", max(0, n-width(s))) + s }
func padRight(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }
