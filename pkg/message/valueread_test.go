package message

import (
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// TestDecimal reads decimals exactly, or not at all.
func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		text             string
		precision, scale int
		want             string
	}{
		{"-999.9", 4, 1, "-999.9"},
		{"0012.50", 4, 1, "12.5"},
		{"1000", 4, 1, "before the point"},
		{"12345.6", 4, 1, "before the point"},
		{"45.81468000997244", 10, 3, `"45.81468000997244" is no decimal(10,3): it has more digits behind the point`},
		{"99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999"},
		{"123456789012345678901234567890123456789", 38, 0, "before the point"},
		{"", 4, 1, "is no decimal"},
		{"1e3", 4, 1, "is no decimal"},
	} {
		n, err := literal.ParseDecimal([]byte(c.text), c.precision, c.scale)
		got := n.ToString(int32(c.scale))
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}
