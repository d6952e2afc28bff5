package batch

import (
	"strings"
	"testing"
)

func TestExcerpt(t *testing.T) {
	for pos, want := range map[Position]string{
		"":                                  "",
		`{"offsets":{"t":[7]}}`:             `{"offsets":{"t":[7]}}`,
		Position(strings.Repeat("a", 60)):   strings.Repeat("a", 60),
		Position(strings.Repeat("a", 61)):   strings.Repeat("a", 60) + "…",
		Position(strings.Repeat("aü", 500)): strings.Repeat("aü", 20) + "…",
	} {
		if got := pos.Excerpt(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
