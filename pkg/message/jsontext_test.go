package message

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// TestSpecial puts each byte at each place of texts of several lengths, behind others of
// every kind.
func TestSpecial(t *testing.T) {
	for _, filler := range []byte{' ', '!', '#', '[', ']', 'x', 0x7f, 0x80, 0xa2, 0xff} {
		for n := range 20 {
			text := make([]byte, n)
			for i := range text {
				text[i] = filler
			}
			if got := literal.Special(text, 0); got != n {
				t.Fatalf("%q: got %d, want %d", text, got, n)
			}
			for i := range text {
				for c := range 256 {
					text[i] = byte(c)
					want := n
					if !literal.Plain(byte(c)) {
						want = i
					}
					if got := literal.Special(text, 0); got != want {
						t.Fatalf("%q: got %d, want %d", text, got, want)
					}
					if got := literal.Special(string(text), min(i+1, n)); got != n {
						t.Fatalf("%q from %d on: got %d, want %d", text, i+1, got, n)
					}
				}
				text[i] = filler
			}
		}
	}
}
