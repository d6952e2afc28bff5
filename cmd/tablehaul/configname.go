package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// names looks only at the keys of a section that is another command's.
func (a *appliedJob) names(cmd *cobra.Command, settings []setting) {
	for _, s := range settings {
		switch f := cmd.Flags().Lookup(s.key); {
		case s.key == sourceKey || s.key == sinkKey:
		case !isFileKey(f):
			a.unknown(s, cmd, cmd.Name(), "")
		case s.key == tablesKey && s.value.Kind == yaml.MappingNode:
			for _, t := range a.reader.mapping(s.value) {
				for _, o := range a.options(t) {
					if f := cmd.Flags().Lookup(o.key); !isFileKey(f) || !isPerTable(f) {
						a.unknown(o, cmd, cmd.Name(), t.key)
					}
				}
			}
		}
	}
}

func (a *appliedJob) options(t setting) []setting {
	if t.value.Kind != yaml.MappingNode {
		return nil
	}
	return a.reader.mapping(t.value)
}

// unknown tells of a key that a command does not have. section is the one that the key
// stands in, table the table, "" if in none.
func (a *appliedJob) unknown(s setting, cmd *cobra.Command, section, table string) {
	if a.reader.enough(s.line, 1) || len(a.misplaced) >= maxJobErrors {
		return
	}
	key := s.key
	if table != "" {
		key = table
	}
	owners, names, general := a.whose(s.key, table != "")
	switch {
	case len(owners) > 0:
		err := fmt.Errorf("%s has no --%s", cmd.Name(), s.key)
		if table == "" {
			err = fmt.Errorf("%s has no such flag", cmd.Name())
		}
		err = hint.Wrap(err, "%s: write it in a section '%s:' of the file, which the others pass over", have(owners), owners[0])
		if section != cmd.Name() {
			// check looks at them with the commands that have them.
			a.misplaced = append(a.misplaced, inFile(a.file.path, s.line, key, err))
			return
		}
		a.reader.fail(s.line, key, err)
		return
	case general:
		a.reader.fail(s.line, key, hint.Wrap(fmt.Errorf("%s is not said of single tables", s.key), "of them can be said: %s", strings.Join(unique(names), ", ")))
		return
	}
	if table == "" {
		names = append(names, sourceKey, sinkKey)
		if section == "" {
			for _, c := range a.commands {
				names = append(names, c.Name())
			}
		}
	}
	err := fmt.Errorf("unknown key %q", s.key)
	names = unique(names)
	switch near := nearestKey(s.key, names); {
	case near != "":
		err = didYouMean(err, near)
	case table != "":
		err = hint.Wrap(err, "of single tables can be said: %s", strings.Join(names, ", "))
	default:
		err = hint.Wrap(err, "keys are called as the flags of 'tablehaul snapshot --help' and so on")
	}
	a.reader.fail(s.line, table, err)
}

// whose returns which commands have a key, and what keys there are; of tables only those that
// are said of single ones, with general for one that is not.
func (a *appliedJob) whose(key string, ofTable bool) (owners, names []string, general bool) {
	for _, c := range a.commands {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch {
			case !isFileKey(f):
			case ofTable && !isPerTable(f):
				general = general || f.Name == key
			default:
				names = append(names, f.Name)
				if f.Name == key && (c.Name() != checkCommand || len(owners) == 0) {
					owners = append(owners, c.Name())
				}
			}
		})
	}
	return owners, unique(names), general
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func have(commands []string) string {
	if len(commands) == 1 {
		return commands[0] + " has it"
	}
	last := len(commands) - 1
	return strings.Join(commands[:last], ", ") + " and " + commands[last] + " have it"
}

// nearestKey returns the key that was meant: one that was misspelt, or is the beginning of
// what was written.
func nearestKey(key string, names []string) string {
	key = strings.ToLower(strings.ReplaceAll(strings.TrimLeft(key, "-"), "_", "-"))
	if near := hint.Nearest(key, names); near != "" {
		return near
	}
	for _, n := range names {
		if strings.HasPrefix(key, n+"-") || strings.HasPrefix(key, n) && len(key)-len(n) <= 3 {
			return n
		}
	}
	return ""
}

// locate adds to an error of a command where the file says what it is about.
func (a *appliedJob) locate(err error) error {
	if usage, ok := err.(*usageError); ok { //nolint:errorlint // the outermost alone: what it wraps is taken apart
		return &usageError{usage.cmd, a.locate(usage.err)}
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err, many.Unwrap()) {
		var errs []error
		for _, e := range many.Unwrap() {
			errs = append(errs, a.locate(e))
		}
		return errors.Join(errs...)
	}
	if p := a.placeOf(err); p != nil {
		return inFile(a.file.path, p.line, p.key, err)
	}
	return err
}

// flagInText finds the flags that an error names.
var flagInText = regexp.MustCompile(`--([a-z][a-z0-9-]+)`)

// placeOf returns what of the file an error is about, nil if that is not known. Errors name
// flags; of what is said of many tables they name the table or repeat the text.
func (a *appliedJob) placeOf(err error) *place {
	if err == nil || a.file == nil {
		return nil
	}
	text := err.Error()
	var e *textError
	if errors.As(err, &e) {
		return a.best(a.places[e.flag], e.text)
	}
	for end, key := range map[string]string{"SOURCE": sourceKey, "SINK": sinkKey} {
		if p := a.places[key]; len(p) > 0 && (strings.HasPrefix(text, end+":") || strings.HasPrefix(text, end+" is not") || strings.HasPrefix(text, end+" holds") || strings.HasPrefix(text, end+" cannot")) {
			return &p[0]
		}
	}
	for _, m := range flagInText.FindAllStringSubmatch(text, -1) {
		if p := a.best(a.places[m[1]], text); p != nil {
			return p
		}
	}
	return nil
}

// best returns the place whose words a text repeats most of.
func (a *appliedJob) best(places []place, text string) *place {
	var best *place
	score := -1
	for i := range places {
		p := &places[i]
		s := 0
		if p.pattern != "" && strings.Contains(text, p.pattern) {
			s += 2 * len(p.pattern)
		}
		if p.text != "" && strings.Contains(text, p.text) {
			s += len(p.text)
		}
		if s > score {
			best, score = p, s
		}
	}
	return best
}

// A textError is about a text that a flag was given.
type textError struct {
	flag, text string
	err        error
}

func (e *textError) Error() string { return e.err.Error() }
func (e *textError) Unwrap() error { return e.err }
