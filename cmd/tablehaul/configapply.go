package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Keys of a file that are no flags, or more than that.
const (
	sourceKey = "source"
	sinkKey   = "sink"
	tablesKey = "tables"
)

// An appliedJob is a file that has been brought to a command's flags.
type appliedJob struct {
	file     *jobFile
	cmd      *cobra.Command
	commands []*cobra.Command // all that take files
	reader   jobReader
	given    []*pflag.Flag // by the command line
	lax      bool
	plain    map[string]setting // flags of which the file says one thing
	selected []string           // by tables:
	places   map[string][]place // by flag
	sources  []string
	sink     string
	// misplaced are errors about keys that other commands have.
	misplaced []error
}

// A place is where a file says something.
type place struct {
	line          int
	key           string
	pattern, text string
}

// apply gives the command's flags what the file says and the command line does not.
// Of several commands' sections it takes those that are named, the later ones first.
func (j *jobFile) apply(cmd *cobra.Command, commands []*cobra.Command, sections ...string) *appliedJob {
	a := &appliedJob{
		file: j, cmd: cmd, commands: commands, reader: jobReader{path: j.path},
		lax:   cmd.Flags().Changed(tablesKey) || cmd.Flags().Changed("exclude"),
		plain: map[string]setting{}, places: map[string][]place{},
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			a.given = append(a.given, f)
		}
	})
	a.layer(j.top, fromFile, "")
	for i, s := range sections {
		a.layer(j.sections[s], fromSection+layer(i), s)
	}
	for _, c := range commands {
		if !slices.Contains(sections, c.Name()) {
			a.names(c, j.sections[c.Name()])
		}
	}
	a.setPlain()
	return a
}

// wrong returns what is wrong with the file, whatever the command.
func (a *appliedJob) wrong() []error { return slices.Clone(a.reader.errs) }

// layer takes what one part of the file says; section is the command that it is for.
func (a *appliedJob) layer(settings []setting, from layer, section string) {
	for _, s := range settings {
		f := a.cmd.Flags().Lookup(s.key)
		switch {
		case s.key == sourceKey || s.key == sinkKey:
			a.end(s)
		case s.key == tablesKey && f != nil:
			a.tables(s, from, section)
		case !isFileKey(f):
			a.unknown(s, a.cmd, section, "")
		case isPerTable(f):
			a.perTable(f, s, from)
		default:
			a.plain[s.key] = s
		}
	}
}

// perTable gives a flag what the file says of all tables, or of some by their patterns.
func (a *appliedJob) perTable(f *pflag.Flag, s setting, from layer) {
	if _, ok := f.Value.(tableValue); !ok && a.isGiven(f) {
		return
	}
	if s.value.Kind == yaml.MappingNode {
		for _, t := range a.reader.mapping(s.value) { // which finds patterns that stand there twice
			if !a.reader.affords(t.value) {
				return
			}
		}
	}
	if err := setFlag(f, s.value, from, a.lax, a.said(s)); err != nil {
		a.reader.fail(s.line, s.key, err)
	}
}

// said notes where the file says something, for errors that turn up later.
func (a *appliedJob) said(s setting) func(pattern, text string, line int) {
	return func(pattern, text string, line int) {
		a.places[s.key] = append(a.places[s.key], place{cmp.Or(line, s.line), s.key, pattern, text})
	}
}

func (a *appliedJob) isGiven(f *pflag.Flag) bool {
	return slices.ContainsFunc(a.given, func(g *pflag.Flag) bool { return sameValue(f, g) })
}

// setPlain gives flags their values once all parts of the file have been heard.
func (a *appliedJob) setPlain() {
	for _, key := range slices.Sorted(maps.Keys(a.plain)) {
		s, f := a.plain[key], a.cmd.Flags().Lookup(key)
		if a.isGiven(f) {
			continue
		}
		if err := setFlag(f, s.value, fromFile, false, a.said(s)); err != nil {
			a.reader.fail(s.line, key, err)
		}
	}
	if f := a.cmd.Flags().Lookup(tablesKey); f != nil && a.selected != nil && !a.isGiven(f) {
		if s, ok := f.Value.(pflag.SliceValue); ok {
			_ = s.Replace(a.selected) // any text is taken
			f.Changed = true
		}
	}
}

// tables takes patterns, or tables with what is said of each.
func (a *appliedJob) tables(s setting, from layer, section string) {
	patterns := map[string]int{} // line
	var order []string
	add := func(pattern string, line int) {
		pattern = strings.TrimSpace(pattern)
		if first, twice := patterns[pattern]; twice {
			a.reader.fail(line, s.key, fmt.Errorf("%s stands here twice: line %d has it too", pattern, first))
			return
		}
		patterns[pattern], order = line, append(order, pattern)
		a.said(s)(pattern, pattern, line)
	}
	switch text, ok := textOf(s.value); {
	case s.value.Kind == yaml.MappingNode:
		for _, t := range a.reader.mapping(s.value) {
			add(t.key, t.line)
			a.table(t, from, section)
		}
	case s.value.Kind == yaml.SequenceNode:
		for _, n := range s.value.Content {
			text, ok := textOf(dealias(n))
			if !ok {
				a.reader.fail(n.Line, s.key, hint.Wrap(fmt.Errorf("wants a table or a pattern, not %s", kindOf(dealias(n))), "what is said of a table stands below 'TABLE:' without a dash before"))
				continue
			}
			add(text, n.Line)
		}
	case ok:
		for pattern := range strings.SplitSeq(text, ",") {
			add(pattern, s.value.Line)
		}
	default:
		a.reader.fail(s.line, s.key, hint.Wrap(errors.New("has no value"), "without the line all tables are meant"))
		return
	}
	a.selected = order
	if len(s.value.Content) == 0 && order == nil {
		a.reader.fail(s.line, s.key, hint.Wrap(errors.New("it is empty"), "without the line all tables are meant"))
	}
}

// table takes what is said of the tables of one pattern.
func (a *appliedJob) table(t setting, from layer, section string) {
	switch {
	case isNull(t.value) && t.value.Value == "":
		return
	case t.value.Kind != yaml.MappingNode:
		a.reader.fail(t.line, t.key, fmt.Errorf("wants keys and values, not %s", kindOf(t.value)))
		return
	}
	for _, s := range a.reader.mapping(t.value) {
		f := a.cmd.Flags().Lookup(s.key)
		if !isFileKey(f) || !isPerTable(f) {
			a.unknown(s, a.cmd, section, t.key)
			continue
		}
		if _, ok := f.Value.(tableValue); !ok && a.isGiven(f) {
			continue
		}
		if !a.reader.affords(s.value) {
			return
		}
		for _, value := range textNodes(f, s.value) {
			text, err := tableText(f, value)
			if err == nil {
				a.places[s.key] = append(a.places[s.key], place{s.line, t.key + ": " + s.key, t.key, text})
				// That a pattern of the file matches no table is told of the selection.
				err = setFor(f, t.key, text, from, true)
			}
			if err != nil {
				a.reader.fail(s.line, t.key, fmt.Errorf("%s: %w", s.key, err))
			}
		}
	}
}

// end takes SOURCE or SINK.
func (a *appliedJob) end(s setting) {
	nodes := []*yaml.Node{s.value}
	if s.key == sourceKey && s.value.Kind == yaml.SequenceNode {
		nodes = s.value.Content
	}
	var urls []string
	for _, n := range nodes {
		text, ok := textOf(dealias(n))
		switch {
		case !ok || strings.TrimSpace(text) == "":
			a.reader.fail(s.line, s.key, fmt.Errorf("wants a URL, not %s", kindOf(dealias(n))))
			return
		case strings.Contains(text, "${"):
			a.reader.fail(n.Line, s.key, hint.Wrap(errors.New("variables of the environment are not put in"),
				"passwords come from TABLEHAUL_PASSWORD and so on by themselves (tablehaul snapshot --help); SOURCE and SINK of the command line count before those of the file"))
			return
		}
		urls = append(urls, text)
	}
	a.places[s.key] = []place{{s.value.Line, s.key, "", ""}}
	if s.key == sinkKey {
		a.sink = urls[0]
	} else {
		a.sources = urls
	}
}
