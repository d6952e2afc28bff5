// Package route sends tables to tables of other names at a sink, several to one where shards
// are to be merged. It decorates the sink: the engine and the sources know each table as the
// source has it, with a position of its own, and the sink knows the tables that these become.
package route

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Rule sends the tables whose whole "db.table" a regular expression matches to a table.
type Rule struct {
	text    string
	pattern *regexp.Regexp
	to      []piece
}

// A piece of a target's name: text, or what a group has matched.
type piece struct {
	text   string
	group  int // -1 for text
	change func(string) string
}

// ParseRule reads a rule as "REGEXP -> DB.TABLE", where $1, ${1} and ${name} stand for what
// groups of the expression have matched and ${1|lower} and ${1|upper} for that in one case.
func ParseRule(text string) (Rule, error) {
	r := Rule{text: text}
	from, to, ok := strings.Cut(text, "->")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	if !ok || from == "" || to == "" {
		return r, hint.Wrap(fmt.Errorf("%q is no route", text), `want 'REGEXP -> DB.TABLE', as in 'shop_([0-9]+)\.orders_([0-9]+) -> lake.orders'`)
	}
	var err error
	if r.pattern, err = regexp.Compile(`^(?s:` + from + `)$`); err != nil {
		_, why, _ := strings.Cut(strings.ReplaceAll(err.Error(), "`", "'"), ": ")
		return r, fmt.Errorf("route %q: %s", text, why)
	}
	if !strings.Contains(to, ".") {
		return r, hint.Wrap(fmt.Errorf("route %q: its target names no database", text), "want DB.TABLE, or ${1}.TABLE")
	}
	if r.to, err = r.parseTarget(to); err != nil {
		return r, fmt.Errorf("route %q: %w", text, err)
	}
	return r, nil
}

var reference = regexp.MustCompile(`\$(?:([0-9]+|[A-Za-z_][A-Za-z_0-9]*)|\{([^}]*)\}|)`)

func (r *Rule) parseTarget(to string) (pieces []piece, err error) {
	at := 0
	for _, m := range reference.FindAllStringSubmatchIndex(to, -1) {
		if m[0] > at {
			pieces = append(pieces, piece{text: to[at:m[0]], group: -1})
		}
		at = m[1]
		name := to[max(m[2], m[4], 0):max(m[3], m[5], 0)]
		name, change, _ := strings.Cut(name, "|")
		p := piece{}
		if p.group, err = r.group(name); err != nil {
			return nil, err
		}
		switch change {
		case "":
		case "lower":
			p.change = strings.ToLower
		case "upper":
			p.change = strings.ToUpper
		default:
			return nil, hint.Wrap(fmt.Errorf("its target asks for %q", change), "want ${1|lower} or ${1|upper}")
		}
		pieces = append(pieces, p)
	}
	if at < len(to) {
		pieces = append(pieces, piece{text: to[at:], group: -1})
	}
	return pieces, nil
}

// group returns the number of a group of the expression.
func (r *Rule) group(name string) (int, error) {
	if name == "" {
		return 0, hint.Wrap(errors.New("a $ names no group"), "want $1, ${1} or ${1|lower}")
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		n = r.pattern.SubexpIndex(name)
	}
	if n < 0 || n > r.pattern.NumSubexp() {
		return 0, fmt.Errorf("its expression has no group %s", name)
	}
	return n, nil
}

// target returns where a table goes, or false if the rule is not about it.
func (r *Rule) target(table string) (db, name string, ok bool) {
	m := r.pattern.FindStringSubmatch(table)
	if m == nil {
		return "", "", false
	}
	var b strings.Builder
	for _, p := range r.to {
		switch {
		case p.group < 0:
			b.WriteString(p.text)
		case p.change != nil:
			b.WriteString(p.change(m[p.group]))
		default:
			b.WriteString(m[p.group])
		}
	}
	db, name, _ = strings.Cut(b.String(), ".")
	return db, name, true
}
