package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A tableValue is a flag's value that differs from table to table and knows what counts
// before what. Without it such a flag takes the texts of a file as it would those of the
// command line, and none if that gives it.
type tableValue interface {
	// setFrom adds a text as Set takes it.
	setFrom(text string, from layer, lax bool) error
	// setFor adds a text for the tables that a pattern matches, "" for all.
	setFor(pattern, text string, from layer, lax bool) error
}

// isPerTable reports whether a flag may say of each table something else, by how it
// names its value in help texts.
func isPerTable(f *pflag.Flag) bool { return strings.HasPrefix(f.Value.Type(), "[TABLES:]") }

// isMany reports whether a flag may be given several times, each adding to the others.
func isMany(f *pflag.Flag) bool {
	_, slice := f.Value.(pflag.SliceValue)
	return slice || isPerTable(f) || strings.Contains(f.Usage, "repeatable")
}

// isFileKey reports whether a flag is a key of files.
func isFileKey(f *pflag.Flag) bool {
	return f != nil && !f.Hidden && f.Name != configFlag && f.Name != "help" && f.Name != "version"
}

// sameValue reports whether two flags are names of one.
func sameValue(a, b *pflag.Flag) bool {
	return a == b || reflect.ValueOf(a.Value).Kind() == reflect.Pointer && reflect.TypeOf(a.Value).Comparable() && a.Value == b.Value
}

// setFlag gives a flag what a file says. said is told of each text and the pattern that it
// is for.
func setFlag(f *pflag.Flag, v *yaml.Node, from layer, lax bool, said func(pattern, text string, line int)) error {
	switch {
	case isPerTable(f):
		return setPerTable(f, v, from, lax, said)
	case v.Kind == yaml.SequenceNode && isMany(f):
		return setMany(f, v, said)
	}
	text, ok := textOf(v)
	switch isBool := f.Value.Type() == "bool"; {
	case !ok:
		return wantsOther(f, v)
	case isBool && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false"):
		return fmt.Errorf("wants true or false, not %q", text)
	case isBool:
		text = strings.ToLower(text)
	}
	said("", text, v.Line)
	return taken(f, text, f.Value.Set(text))
}

// setMany gives a flag a list.
func setMany(f *pflag.Flag, v *yaml.Node, said func(pattern, text string, line int)) error {
	texts := make([]string, len(v.Content))
	for i, n := range v.Content {
		text, ok := textOf(dealias(n))
		if !ok {
			return fmt.Errorf("entry %d of the list is %s", i+1, kindOf(dealias(n)))
		}
		texts[i] = text
		said("", text, n.Line)
	}
	if len(texts) == 0 {
		said("", "", v.Line)
	}
	if s, ok := f.Value.(pflag.SliceValue); ok {
		return taken(f, strings.Join(texts, ", "), s.Replace(texts))
	}
	for _, text := range texts {
		if err := taken(f, text, f.Value.Set(text)); err != nil {
			return err
		}
	}
	return nil
}

// setPerTable gives a flag a text, a list of them, or one for each of some patterns.
func setPerTable(f *pflag.Flag, v *yaml.Node, from layer, lax bool, said func(pattern, text string, line int)) error {
	if v.Kind == yaml.MappingNode {
		var errs []error
		for i := 0; i+1 < len(v.Content); i += 2 {
			k := dealias(v.Content[i])
			if k.Kind != yaml.ScalarNode {
				return fmt.Errorf("wants tables before colons, not %s", kindOf(k))
			}
			for _, value := range textNodes(f, dealias(v.Content[i+1])) {
				text, err := tableText(f, value)
				if err == nil {
					said(k.Value, text, k.Line)
					err = setFor(f, k.Value, text, from, lax)
				}
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", k.Value, err))
				}
			}
		}
		return errors.Join(errs...)
	}
	list := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		list = v.Content
	}
	for _, n := range list {
		text, ok := textOf(dealias(n))
		if !ok {
			return wantsOther(f, dealias(n))
		}
		said("", text, n.Line)
		set := f.Value.Set
		if t, ok := f.Value.(tableValue); ok {
			set = func(text string) error { return t.setFrom(text, from, lax) }
		}
		if err := taken(f, text, set(text)); err != nil {
			return err
		}
	}
	return nil
}

// textNodes are the values that a flag has for one table: a list is one text with commas, but of
// assignments, of which each is one.
func textNodes(f *pflag.Flag, v *yaml.Node) []*yaml.Node {
	if _, ok := f.Value.(*setValue); !ok || v.Kind != yaml.SequenceNode {
		return []*yaml.Node{v}
	}
	nodes := make([]*yaml.Node, len(v.Content))
	for i, n := range v.Content {
		nodes[i] = dealias(n)
	}
	return nodes
}

// setFor gives a flag a text for the tables of one pattern; * alone is all of them.
func setFor(f *pflag.Flag, pattern, text string, from layer, lax bool) error {
	if pattern == "*" {
		pattern = ""
	}
	if t, ok := f.Value.(tableValue); ok {
		return taken(f, text, t.setFor(pattern, text, from, lax))
	}
	if pattern != "" {
		text = pattern + ": " + text
	}
	return taken(f, text, f.Value.Set(text))
}

// tableText returns what is said of one table: a list has commas between.
func tableText(f *pflag.Flag, v *yaml.Node) (string, error) {
	if v.Kind != yaml.SequenceNode {
		text, ok := textOf(v)
		if !ok {
			return "", wantsOther(f, v)
		}
		return text, nil
	}
	texts := make([]string, len(v.Content))
	for i, n := range v.Content {
		text, ok := textOf(dealias(n))
		if !ok {
			return "", fmt.Errorf("entry %d of the list is %s", i+1, kindOf(dealias(n)))
		}
		texts[i] = text
	}
	return strings.Join(texts, ", "), nil
}

// wantsOther is that a value is of another kind than a flag's.
func wantsOther(f *pflag.Flag, v *yaml.Node) error {
	want := wanted[f.Value.Type()]
	switch {
	case isNull(v):
		return hint.Wrap(errors.New("has no value"), "without the line it is as if --%s was not given", f.Name)
	case want != "":
	case isPerTable(f), isMany(f):
		want = "a text or a list of them"
	default:
		want = "one text or number"
	}
	return fmt.Errorf("wants %s, not %s", want, kindOf(v))
}

// taken notes that a flag was given, or says that it does not take what it was given.
func taken(f *pflag.Flag, text string, err error) error {
	switch want := wanted[f.Value.Type()]; {
	case err == nil:
		f.Changed = true // the same as on the command line, to whoever asks what was given
		return nil
	case want != "":
		return fmt.Errorf("wants %s, not %q", want, text)
	}
	return fmt.Errorf("%q: %w", text, err)
}
