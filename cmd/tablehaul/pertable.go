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
// for all. Two of one rank are refused. What the command line says of a table counts before
// all that a job's file does.
type perTable struct {
	entries []perTableEntry
	index   *reader.PatternIndex // of the entries that have a pattern
	indexed []int                // which of the entries these are
	general []int                // and which are the others
	lead    string               // is said before each text, where the flag's own value has it: "COLUMN="
	// missed, if set, is told of patterns that are about none of the tables; else they are an error.
	missed func(flag, pattern string)
}

type perTableEntry struct {
	pattern, text string
	from          layer
	// lax: it need not be about any table, as whoever copies one table of a job with many
	// does not want to hear of the others.
	lax bool
}

// A layer is where a value comes from. The higher one counts.
type layer int

const (
	fromFile        layer = iota - 16 // a job's file
	fromSection                       // the part of it that is one command's; check goes through several, each one higher
	fromCommandLine layer = 0
)

// prefixed finds a pattern before a text. Blanks, quotes, brackets and operators
// are no part of it, so that a text may hold colons of its own.
var prefixed = regexp.MustCompile("^([^\\s:'\"`(),=<>]+):\\s*(.*)$")

// Set adds a text.
func (p *perTable) Set(s string) error { return p.setFrom(s, fromCommandLine, false) }

// setFrom adds a text that may begin with a pattern.
func (p *perTable) setFrom(s string, from layer, lax bool) error {
	e := perTableEntry{text: strings.TrimSpace(s), from: from, lax: lax}
	if m := prefixed.FindStringSubmatch(e.text); m != nil {
		e.pattern, e.text = m[1], m[2]
	}
	return p.add(e)
}

// setFor adds a text for the tables that a pattern matches, for all if that is "".
func (p *perTable) setFor(pattern, text string, from layer, lax bool) error {
	return p.add(perTableEntry{pattern: pattern, text: strings.TrimSpace(text), from: from, lax: lax})
}

func (p *perTable) add(e perTableEntry) error {
	if e.text == "" {
		return errors.New("it is empty")
	}
	if e.pattern == "" {
		p.general = append(p.general, len(p.entries))
	} else {
		if p.index == nil {
			p.index = new(reader.PatternIndex)
		}
		p.index.Add(e.pattern)
		p.indexed = append(p.indexed, len(p.entries))
	}
	p.entries = append(p.entries, e)
	return nil
}

// cut takes the texts that the command line has out, and returns them.
func (p *perTable) cut() perTable {
	var own, rest perTable
	for _, e := range p.entries {
		to := &rest
		if e.from == fromCommandLine {
			to = &own
		}
		_ = to.add(e) // which it was before
	}
	rest.lead, rest.missed = p.lead, p.missed
	*p = rest
	return own
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

// rank is the higher the closer the pattern names a table, and within one layer.
func (e perTableEntry) rank() int {
	const ranks = 3
	switch {
	case e.pattern == "":
		return int(e.from) * ranks
	case strings.ContainsAny(e.pattern, "*?"):
		return int(e.from)*ranks + 1
	}
	return int(e.from)*ranks + 2
}

// about returns which texts are meant for a table, in order.
func (p *perTable) about(db string, t *schema.Table) []int {
	found := slices.Clone(p.general)
	if p.index != nil {
		for _, i := range p.index.Find(t.DB, t.Name, db) {
			found = append(found, p.indexed[i])
		}
		slices.Sort(found)
	}
	return found
}

// check refuses texts for the same pattern, before anything is asked.
func (p *perTable) check(flag string) error {
	type place struct {
		from    layer
		pattern string
	}
	seen := make(map[place]int, len(p.entries))
	for i, e := range p.entries {
		at := place{e.from, e.pattern}
		if o, ok := seen[at]; ok {
			return p.twice(flag, cmp.Or(e.pattern, "all tables"), p.entries[o], e)
		}
		seen[at] = i
	}
	return nil
}

func (p *perTable) twice(flag, what string, a, b perTableEntry) error {
	a.text, b.text = p.lead+a.text, p.lead+b.text
	return hint.Wrap(fmt.Errorf("two --%s are meant for %s: %q and %q", flag, what, a, b),
		"give one of them: what names a table counts before a pattern with * or ?, and that before what is for all")
}

// of returns the text that is meant for a table, "" if none is.
func (p *perTable) of(flag, db string, t *schema.Table) (string, error) {
	var best, other *perTableEntry
	for _, i := range p.about(db, t) {
		switch e := &p.entries[i]; {
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
		return "", p.twice(flag, t.String(), *best, *other)
	}
	return best.text, nil
}

// resolve returns the text that is meant for each table; tables without one are
// left out. db is the database that a pattern of a table alone is about. A pattern
// that is about none of the tables is misspelt.
func (p *perTable) resolve(flag, db string, tables []*schema.Table) (map[*schema.Table]string, error) {
	met := make([]bool, len(p.entries))
	for _, t := range tables {
		for _, i := range p.about(db, t) {
			met[i] = true
		}
	}
	for i, e := range p.entries {
		switch {
		case met[i] || e.lax:
		case p.missed != nil:
			p.missed(flag, e.pattern)
		default:
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
