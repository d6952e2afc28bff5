package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A perTable is a flag's value that may differ from table to table: TEXT for all
// of them, or PATTERN: TEXT for those that the pattern matches, as in
// --where 'orders: total > 5'. The flag may be repeated; of several texts that
// are meant for a table the last one counts.
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
		texts[i] = e.text
		if e.pattern != "" {
			texts[i] = e.pattern + ": " + e.text
		}
	}
	return strings.Join(texts, "; ")
}

// Type names the value in help texts.
func (p *perTable) Type() string { return "[TABLES:] text" }

// resolve returns the text that is meant for each table; tables without one are
// left out. db is the database that a pattern of a table alone is about. A pattern
// that is about none of the tables is misspelt.
func (p *perTable) resolve(flag, db string, tables []*schema.Table) (map[*schema.Table]string, error) {
	texts := make(map[*schema.Table]string)
	for _, e := range p.entries {
		sel := reader.Selection{DB: db}
		if e.pattern != "" {
			sel.Include = []string{e.pattern}
		}
		m, err := sel.Matcher()
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		hit := false
		for _, t := range tables {
			if e.pattern == "" || m.Match(t.DB, t.Name) {
				texts[t], hit = e.text, true
			}
		}
		if !hit {
			return nil, hint.Wrap(fmt.Errorf("--%s: no selected table matches %s", flag, e.pattern), "check the spelling, --tables and --exclude")
		}
	}
	return texts, nil
}

// of returns the text that is meant for a table, "" if none is.
func (p *perTable) of(db string, t *schema.Table) string {
	text := ""
	for _, e := range p.entries {
		m, err := reader.Selection{DB: db, Include: []string{e.pattern}}.Matcher()
		if e.pattern == "" || err == nil && m.Match(t.DB, t.Name) {
			text = e.text
		}
	}
	return text
}
