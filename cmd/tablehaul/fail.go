package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// maxErrors is how many errors of tables are printed; the others are counted.
const maxErrors = 10

// printError prints an error, one line for each table that has one, and what
// can be done about each.
func printError(con *console, err error) {
	var told *toldError
	if errors.As(err, &told) {
		return
	}
	head, parts := unfold(err)
	con.Note("tablehaul: " + progress.Printable(head))
	if len(parts) == 0 {
		printHint(con, "  ", hint.Of(err))
		return
	}
	last := ""
	for i, p := range parts {
		if i == maxErrors {
			con.Note(fmt.Sprintf("  … and %s more", progress.Count(int64(len(parts)-maxErrors))))
			break
		}
		// One remedy for many tables is told once.
		if h := hint.Of(p); i > 0 && h != last {
			printHint(con, "    ", last)
		}
		last = hint.Of(p)
		con.Note("  " + progress.Printable(p.Error()))
	}
	if last == "" && !anyHint(parts) {
		last = hint.Of(err)
	}
	printHint(con, "    ", last)
}

func printHint(con *console, indent, text string) {
	if text != "" {
		con.Note(indent + "hint: " + progress.Printable(text))
	}
}

func anyHint(errs []error) bool {
	for _, e := range errs {
		if hint.Of(e) != "" {
			return true
		}
	}
	return false
}

// oneLine is an error as one line of --json, where errors of tables are told
// with the tables.
func oneLine(err error) string {
	head, parts := unfold(err)
	var rest []string
	for _, p := range parts {
		var te *schema.TableError
		if !errors.As(p, &te) {
			rest = append(rest, p.Error())
		}
	}
	if len(rest) > 0 {
		head += ": " + strings.Join(rest[:min(len(rest), maxErrors)], "; ")
	}
	return head
}

// unfold parts "incomplete: 1 of 3 tables are whole: " and what was joined
// behind it. An error that holds no list comes back whole, with no parts.
func unfold(err error) (head string, parts []error) {
	text := err.Error()
	for e := err; e != nil; {
		many, ok := e.(interface{ Unwrap() []error })
		if !ok {
			e = errors.Unwrap(e)
			continue
		}
		kids := many.Unwrap()
		if len(kids) > 1 && isJoin(e, kids) && strings.HasSuffix(text, e.Error()) {
			head = strings.TrimSuffix(strings.TrimSuffix(text, e.Error()), ": ")
			if head == "" {
				head = fmt.Sprintf("%d errors", len(kids))
			}
			return head, kids
		}
		// The list, if there is one, stands at the end of the text.
		e = kids[len(kids)-1]
	}
	return text, nil
}

// isJoin tells a list from a sentence that wraps several errors.
func isJoin(e error, kids []error) bool {
	texts := make([]string, len(kids))
	for i, k := range kids {
		texts[i] = k.Error()
	}
	return e.Error() == strings.Join(texts, "\n")
}
