package doristest

import (
	"strings"
	"testing"
)


func TestSync(t *testing.T) {
	c := start(t, Options{})
	if got := c.exec(t, "SYNC"); got != "" {
		t.Errorf("got %q", got)
	}
	if got := c.exec(t, "SYNC x"); !strings.Contains(got, "mismatched input") {
		t.Errorf("got %q", got)
	}
}
