package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A report is what came of the files.
type report struct {
	file                                                   string // that is run
	files, statements, applied, different, errors, skipped int
	unknown                                                map[string][]string // statements by why they cannot be read
	refused                                                map[string][]string // statements by what the server says
	failures                                               []string
}

func newReport() *report {
	return &report{unknown: map[string][]string{}, refused: map[string][]string{}}
}

func (r *report) failed() bool { return len(r.failures) > 0 }

// fail notes an error of a statement, or of a file.
func (r *report) fail(what, statement string) {
	r.errors++
	r.failures = append(r.failures, fmt.Sprintf("%s: %s\n  %s", r.file, what, statement))
}

func (r *report) differs(n name, statement, got, want string) {
	r.different++
	indent := func(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }
	r.failures = append(r.failures, fmt.Sprintf("%s: %s.%s differs after\n  %s\n  tracked\n%s\n  server\n%s", r.file, n.DB, n.Table, statement, indent(got), indent(want)))
}

var near = regexp.MustCompile(`(?s)near "(.*)`)

// cannot notes a statement that cannot be read: where the parser stops tells why.
func (r *report) cannot(err error, statement string) {
	why := err.Error()
	if m := near.FindStringSubmatch(why); m != nil {
		rest := m[1]
		if i := strings.LastIndexByte(rest, '"'); i >= 0 {
			rest = rest[:i]
		}
		why = "at " + firstWord(rest)
		if rest == "" {
			why = "at its end"
		}
	}
	r.unknown[why] = append(r.unknown[why], r.file+": "+statement)
}

var word = regexp.MustCompile(`^\w+|^\W`)

func firstWord(text string) string {
	return strings.ToUpper(word.FindString(text[skipSpace(text):]))
}

// print prints failures, reasons and a line of sums.
func (r *report) print(w io.Writer, on string, verbose bool) {
	for _, f := range r.failures {
		fmt.Fprintf(w, "FAILED %s %s\n", on, f)
	}
	unknown := 0
	for _, why := range slices.SortedFunc(maps.Keys(r.unknown), func(a, b string) int { return len(r.unknown[b]) - len(r.unknown[a]) }) {
		list := r.unknown[why]
		unknown += len(list)
		fmt.Fprintf(w, "%s: %d cannot be read: %s\n", on, len(list), why)
		for i, s := range list {
			if verbose || i == 0 {
				fmt.Fprintf(w, "    %s\n", short(s))
			}
		}
	}
	refused := 0
	for _, why := range slices.Sorted(maps.Keys(r.refused)) {
		refused += len(r.refused[why])
		for _, s := range r.refused[why] {
			if verbose {
				fmt.Fprintf(w, "%s: refused: %s\n    %s\n", on, why, short(s))
			}
		}
	}
	fmt.Fprintf(w, "%s: %d files, %d statements: %d applied, %d cannot be read, %d refused by the server, %d left out, %d different, %d errors\n",
		on, r.files, r.statements, r.applied, unknown, refused, r.skipped, r.different, r.errors)
}

func short(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
