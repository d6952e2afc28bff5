// Package hint attaches a remedy to an error: one sentence that tells the
// operator what to do next. The text of the error itself does not change, so a
// hint can be added at any depth and is printed once, on a line of its own.
package hint

import (
	"errors"
	"fmt"
)

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Wrap returns err with a remedy, or nil if err is nil. An error that already
// has a hint keeps it: whoever stood closest to the cause knows best.
func Wrap(err error, format string, args ...any) error {
	if err == nil || Of(err) != "" {
		return err
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// Of returns the remedy attached to err, or "".
func Of(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}
