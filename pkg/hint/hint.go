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

type transient struct{ error }

func (t *transient) Unwrap() error { return t.error }

// Transient marks an error that may be gone by itself a little later, such as a
// connection that was cut or a catalog that is being restarted: whoever runs on
// and on tries again from what is committed. nil stays nil.
func Transient(err error) error {
	if err == nil || IsTransient(err) {
		return err
	}
	return &transient{err}
}

// IsTransient reports whether err, or a cause of it, is marked as transient.
func IsTransient(err error) bool {
	var t *transient
	return errors.As(err, &t)
}
