package hint

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestWrap(t *testing.T) {
	if err := Wrap(nil, "do this"); err != nil {
		t.Errorf("of nil: got %v", err)
	}
	err := Wrap(io.EOF, "grant %s on %q", "SELECT", "50%")
	if got, want := err.Error(), "EOF"; got != want {
		t.Errorf("text: got %q, want it unchanged: %q", got, want)
	}
	if !errors.Is(err, io.EOF) {
		t.Error("the cause is lost")
	}
	if got, want := Of(err), `grant SELECT on "50%"`; got != want {
		t.Errorf("got hint %q, want %q", got, want)
	}
}

// Whoever stood closest to the cause knows best, at whatever depth.
func TestWrapTwice(t *testing.T) {
	inner := fmt.Errorf("read: %w", Wrap(io.EOF, "inner"))
	for _, err := range []error{
		Wrap(inner, "outer"),
		fmt.Errorf("a: %w", Wrap(errors.Join(errors.New("other"), inner), "outer")),
		fmt.Errorf("%w: %w", errors.New("other"), inner),
	} {
		if got, want := Of(err), "inner"; got != want {
			t.Errorf("%v: got hint %q, want %q", err, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	for _, err := range []error{nil, io.EOF, fmt.Errorf("read: %w", io.EOF)} {
		if got := Of(err); got != "" {
			t.Errorf("%v: got hint %q, want none", err, got)
		}
	}
}

func TestNearest(t *testing.T) {
	flags := []string{"tables", "target-file-size", "parallel", "json"}
	for in, want := range map[string]string{"tabels": "tables", "table": "tables", "target": "target-file-size", "jsno": "json", "nonsense": "", "x": ""} {
		if got := Nearest(in, flags); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
