package progress

import "errors"

// All shows a run on several printers.
type All []Printer

// Show tells each.
func (a All) Show(v View) {
	for _, p := range a {
		p.Show(v)
	}
}

// Note tells each.
func (a All) Note(line string) {
	for _, p := range a {
		p.Note(line)
	}
}

// Close closes each, and returns what went wrong with any.
func (a All) Close(v View) error {
	var errs []error
	for _, p := range a {
		errs = append(errs, p.Close(v))
	}
	return errors.Join(errs...)
}

// AllStream shows a stream on several printers.
type AllStream []StreamPrinter

// Show tells each.
func (a AllStream) Show(v StreamView) {
	for _, p := range a {
		p.Show(v)
	}
}

// Note tells each.
func (a AllStream) Note(line string) {
	for _, p := range a {
		p.Note(line)
	}
}

// Close closes each, and returns what went wrong with any.
func (a AllStream) Close(v StreamView) error {
	var errs []error
	for _, p := range a {
		errs = append(errs, p.Close(v))
	}
	return errors.Join(errs...)
}
