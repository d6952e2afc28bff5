package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A perTable is a flag's value that may differ from table to table: TEXT for all
// of them, or PATTERN: TEXT for those that the pattern matches, as in
// --where 'orders: total > 5'. The flag may be repeated; of several texts that are meant
// for a table the one that names it counts before one with * or ?, and that before one
// for all. Two of one rank are refused.
type perTable struct{ entries []perTableEntry }

type perTableEntry struct{ pattern, text string }

// prefixed finds a pattern before a text. Blanks, quotes, brackets and operators
// are no part of it, so that a text may hold colons of its own.
var prefixed = regexp.MustCompile("^([^\\s:'\"`(),=<>]+):\\s*(.*)$")

// Set adds a text.
func (p *perTable) Set(s string) error {
	e := perTableEntry{text: strings.TrimSpace(s)}
	if m := prefixed.FindStringSubmatch(e.text); m != nil {
		e.pattern, e.text = m[1], m[2]
	}
	if e.text == "" {
		return errors.New("it is empty")
	}
	p.entries = append(p.entries, e)
	return nil
}

// String writes what was set, one text behind the other.
func (p *perTable) String() string {
	texts := make([]string, len(p.entries))
	for i, e := range p.entries {
		texts[i] = e.String()
	}
	return strings.Join(texts, "; ")
}

// Type names the value in help texts.
func (p *perTable) Type() string { return "[TABLES:] text" }

// String writes the entry as it was set.
func (e perTableEntry) String() string {
	if e.pattern == "" {
		return e.text
	}
	return e.pattern + ": " + e.text
}

// rank is the higher the closer the pattern names a table.
func (e perTableEntry) rank() int {
	switch {
	case e.pattern == "":
		return 0
	case strings.ContainsAny(e.pattern, "*?"):
		return 1
	}
	return 2
}

// about reports whether the text is meant for a table.
func (e perTableEntry) about(db string, t *schema.Table) bool {
	m, err := reader.Selection{DB: db, Include: []string{e.pattern}}.Matcher()
	return e.pattern == "" || err == nil && m.Match(t.DB, t.Name)
}

// check refuses texts for the same pattern, before anything is asked.
func (p *perTable) check(flag string) error {
	for i, e := range p.entries {
		for _, o := range p.entries[:i] {
			if o.pattern == e.pattern {
				return twice(flag, cmp.Or(e.pattern, "all tables"), o, e)
			}
		}
	}
	return nil
}

func twice(flag, what string, a, b perTableEntry) error {
	return hint.Wrap(fmt.Errorf("two --%s are meant for %s: %q and %q", flag, what, a, b),
		"give one of them: what names a table counts before a pattern with * or ?, and that before what is for all")
}

// of returns the text that is meant for a table, "" if none is.
func (p *perTable) of(flag, db string, t *schema.Table) (string, error) {
	var best, other *perTableEntry
	for i := range p.entries {
		switch e := &p.entries[i]; {
		case !e.about(db, t):
		case best == nil || e.rank() > best.rank():
			best, other = e, nil
		case e.rank() == best.rank():
			other = e
		}
	}
	switch {
	case best == nil:
		return "", nil
	case other != nil:
		return "", twice(flag, t.String(), *best, *other)
	}
	return best.text, nil
}

// resolve returns the text that is meant for each table; tables without one are
// left out. db is the database that a pattern of a table alone is about. A pattern
// that is about none of the tables is misspelt.
func (p *perTable) resolve(flag, db string, tables []*schema.Table) (map[*schema.Table]string, error) {
	for _, e := range p.entries {
		if !slices.ContainsFunc(tables, func(t *schema.Table) bool { return e.about(db, t) }) {
			return nil, hint.Wrap(fmt.Errorf("--%s: no selected table matches %s", flag, e.pattern), "check the spelling, --tables and --exclude")
		}
	}
	texts := make(map[*schema.Table]string)
	for _, t := range tables {
		text, err := p.of(flag, db, t)
		if err != nil {
			return nil, err
		}
		if text != "" {
			texts[t] = text
		}
	}
	return texts, nil
}
