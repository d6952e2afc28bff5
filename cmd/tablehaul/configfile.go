package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A jobFile is a job written down in YAML: what its keys are called is up to the flags of
// the commands, and is looked at by who applies it. docs/config.md tells users of it.
type jobFile struct {
	path     string
	top      []setting
	sections map[string][]setting // by command
}

// A setting is a key of a file with its value.
type setting struct {
	key   string
	line  int
	value *yaml.Node // not an alias
}

const (
	// maxJobFile is enough for some 50,000 tables, and little enough to be read at once.
	maxJobFile = 8 << 20
	// maxJobNodes bounds what is looked at: aliases have few bytes stand for many nodes.
	maxJobNodes = 1_000_000
	// maxJobErrors is how many mistakes are looked for: more are not read by anybody.
	maxJobErrors = 100
)

// readJob reads a file. sections are the keys of what is one command's. What is secret in
// it is told to hide before anything is said of the file.
func readJob(path string, sections []string, hide secrets) (*jobFile, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	root, err := parseJob(path, text)
	if err != nil {
		return nil, err
	}
	hideScalars(root, hide)
	r := jobReader{path: path}
	j := &jobFile{path: path, sections: map[string][]setting{}}
	for _, s := range r.mapping(root) {
		switch {
		case strings.HasPrefix(s.key, "x-"): // a place for what others refer to
		case !slices.Contains(sections, s.key):
			j.top = append(j.top, s)
		case s.value.Kind == yaml.MappingNode:
			j.sections[s.key] = r.mapping(s.value)
		case isNull(s.value) && s.value.Value == "":
		default:
			r.fail(s.line, s.key, hint.Wrap(errors.New("wants keys of its own, not "+kindOf(s.value)), "write what is meant for %s alone below it, indented", s.key))
		}
	}
	return j, errors.Join(r.errs...)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(err, "check the path and that this user may read it")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxJobFile+1))
	if err == nil && len(text) > maxJobFile {
		err = fmt.Errorf("%s holds more than %s", path, byteSize(maxJobFile))
	}
	return text, err
}

// yamlLine is how the library begins a message.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseJob returns the mapping that a file is.
func parseJob(path string, text []byte) (*yaml.Node, error) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNull(doc.Content[0]):
		return nil, hint.Wrap(fmt.Errorf("%s holds nothing", path), "'tablehaul config example' prints a file to begin with")
	case err != nil:
		return nil, notYAML(path, text, err)
	}
	if root := doc.Content[0]; root.Kind != yaml.MappingNode {
		return nil, hint.Wrap(fmt.Errorf("%s:%d: wants keys and values, not %s", path, root.Line, kindOf(root)), "such as source: mysql://app@db:3306/shop")
	}
	switch err := d.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d: another document begins: a file is one job", path, more.Line)
	case !errors.Is(err, io.EOF):
		return nil, notYAML(path, text, err)
	}
	return doc.Content[0], nil
}

// notYAML says where a file cannot be read.
func notYAML(path string, text []byte, err error) error {
	line, what := 0, err.Error()
	if m := yamlLine.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = strings.TrimPrefix(what, m[0])
	}
	if line == 0 {
		return fmt.Errorf("%s is no YAML: %s", path, what)
	}
	err = fmt.Errorf("%s:%d: no YAML: %s", path, line, what)
	lines := bytes.Split(text, []byte("\n"))
	for _, l := range lines[max(0, min(line-1, len(lines))):min(line+1, len(lines))] {
		if blank, _, ok := bytes.Cut(l, []byte("\t")); ok && len(bytes.TrimSpace(blank)) == 0 {
			return hint.Wrap(err, "YAML is indented with blanks, not with tabs")
		}
	}
	return hint.Wrap(err, "a text that holds ': ' or ' #', or begins with one of * & ! %% @ { [, stands in 'single quotes'")
}

// hideScalars has what is secret in a file's texts hidden wherever it is printed.
func hideScalars(n *yaml.Node, hide secrets) {
	if n.Kind == yaml.ScalarNode && strings.ContainsAny(n.Value, ":?&") {
		hide.add(n.Value)
	}
	for _, c := range n.Content { // aliases have none: what they stand for is met by itself
		hideScalars(c, hide)
	}
}

// A jobReader takes a file apart, and collects what is wrong with it.
type jobReader struct {
	path  string
	nodes int
	errs  []error
}

// fail notes what is wrong at a line with a key, "" if it is no key's.
func (r *jobReader) fail(line int, key string, err error) {
	r.errs = append(r.errs, inFile(r.path, line, key, err))
}

// inFile says where in a file something is wrong.
func inFile(path string, line int, key string, err error) error {
	if key != "" {
		err = fmt.Errorf("%s: %w", key, err)
	}
	return &fileError{path, line, err}
}

// A fileError is what is wrong at a line of a file.
type fileError struct {
	path string
	line int
	err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("%s:%d: %v", e.path, e.line, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// byLine orders what is wrong with a file.
func byLine(a, b error) int {
	line := func(err error) int {
		var e *fileError
		if errors.As(err, &e) {
			return e.line
		}
		return 0
	}
	return line(a) - line(b)
}

// enough reports that nothing more is to be looked at: there are mistakes enough, or, which
// is one itself, the file stands for too much.
func (r *jobReader) enough(line, nodes int) bool {
	if r.nodes < maxJobNodes && r.nodes+nodes >= maxJobNodes {
		r.fail(line, "", errors.New("the file's aliases (*NAME) stand for too much"))
	}
	r.nodes += nodes
	return r.nodes >= maxJobNodes || len(r.errs) >= maxJobErrors
}

// affords reports whether a list may be put together.
func (r *jobReader) affords(list *yaml.Node) bool {
	nodes := len(list.Content)
	for _, n := range list.Content {
		nodes += len(dealias(n).Value) / 16
	}
	return !r.enough(list.Line, nodes)
}

// mapping returns what a mapping holds, that of its merge keys (<<) included, which what
// is written out counts before. Values are those that aliases stand for.
func (r *jobReader) mapping(n *yaml.Node) []setting {
	seen := make(map[string]int, len(n.Content)/2) // line
	var out []setting
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := dealias(n.Content[i]), dealias(n.Content[i+1])
		if r.enough(n.Content[i].Line, 1) {
			return nil
		}
		switch first, twice := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			r.fail(k.Line, "", fmt.Errorf("wants a name before the colon, not %s", kindOf(k)))
		case k.ShortTag() == "!!merge":
			if v.Kind == yaml.SequenceNode {
				merged = append(merged, v.Content...)
			} else {
				merged = append(merged, v)
			}
		case twice:
			r.fail(k.Line, k.Value, fmt.Errorf("stands here twice: line %d has it too", first))
		default:
			seen[k.Value] = n.Content[i].Line
			out = append(out, setting{k.Value, n.Content[i].Line, v})
		}
	}
	for _, m := range merged {
		out = append(out, r.merged(dealias(m), seen)...)
	}
	return out
}

// merged returns what a merge key brings beside what is there.
func (r *jobReader) merged(m *yaml.Node, seen map[string]int) []setting {
	if m.Kind != yaml.MappingNode {
		r.fail(m.Line, "<<", fmt.Errorf("wants keys and values, not %s", kindOf(m)))
		return nil
	}
	var out []setting
	for i := 0; i+1 < len(m.Content); i += 2 {
		k := dealias(m.Content[i])
		if r.enough(k.Line, 1) {
			return nil
		}
		if _, there := seen[k.Value]; there {
			continue
		}
		if k.ShortTag() == "!!merge" || k.Kind != yaml.ScalarNode {
			r.fail(k.Line, "<<", errors.New("what is merged must not merge more itself"))
			continue
		}
		seen[k.Value] = k.Line
		out = append(out, setting{k.Value, k.Line, dealias(m.Content[i+1])})
	}
	return out
}

// dealias returns what an alias stands for.
func dealias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf says what a value is, to somebody who has written another.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// textOf returns a value as it is written, which is how a flag's would be given: that
// nothing becomes of no, 1_000 or 007 is left to the flag. false if it is no single value.
func textOf(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode || isNull(n) && n.Value == "" {
		return "", false
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
	default: // !!binary and what is made up
		return "", false
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return strings.TrimRight(n.Value, "\n"), true
	}
	return n.Value, true
}
