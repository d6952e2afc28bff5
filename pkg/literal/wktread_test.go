package literal

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// Geometries become the bytes again that MySQL stores, but for the order of bytes.
func TestParseWKT(t *testing.T) {
	for i, g := range geometries {
		got, err := ParseWKT([]byte("x"), []byte(g.text))
		if err != nil || got[0] != 'x' {
			t.Errorf("%s: got %q, %v", g.text, got, err)
			continue
		}
		if want := stored(t, g.stored)[sridBytes:]; i < len(geometries)-2 && !bytes.Equal(got[1:], want) {
			t.Errorf("%s: got %x, want %x", g.text, got[1:], want)
		}
		if again, err := AppendWKB(nil, got[1:]); err != nil || string(again) != g.text {
			t.Errorf("%s: got %s, %v", g.text, again, err)
		}
	}
}

// What is cut anywhere, or longer, is an error; what has other bytes in it is no panic.
func TestParseWKTBroken(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, g := range geometries {
		for n := range g.text {
			if got, err := ParseWKT([]byte("x"), []byte(g.text[:n])); err == nil || string(got) != "x" {
				t.Errorf("%s, cut at %d: got %q, %v", g.text, n, got, err)
			}
		}
		if got, err := ParseWKT(nil, []byte(g.text+")")); err == nil {
			t.Errorf("%s and a parenthesis: got %q", g.text, got)
		}
		for range 5_000 {
			other := []byte(g.text)
			for range 1 + r.IntN(3) {
				other[r.IntN(len(other))] = "PONITEMY(),. 01e-"[r.IntN(17)]
			}
			_, _ = ParseWKT(nil, other)
		}
	}
	deep := strings.Repeat("GEOMETRYCOLLECTION(", 1_000_000)
	if _, err := ParseWKT(nil, []byte(deep)); err == nil || !strings.Contains(err.Error(), "levels deep") {
		t.Errorf("got %v", err)
	}
}
