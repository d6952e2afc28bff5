package message

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// maxLogColumns bounds what is inferred: objects whose members are named by data, as by
// the ids of users, would have a column for each.
const maxLogColumns = 1000

// InferLog returns the columns that messages of a log have, in the order in which they
// appear. What all values of a field are, its type is: long, double, boolean, date,
// timestamptz, timestamp, or json for objects and arrays. Text, and a mix of others, is a
// string, but longs and doubles are doubles. A field that is always null has no column.
// Messages that cannot be read do not count; an error tells that there is none that can.
func InferLog(samples [][]byte, o LogOptions) ([]LogColumn, error) {
	in, err := inferLog(samples, &o)
	if err != nil {
		return nil, fmt.Errorf("infer columns: %w", err)
	}
	return in.columns(&o), nil
}

func inferLog(samples [][]byte, o *LogOptions) (*inference, error) {
	in := newInference(nil, 0)
	err := errors.New("there are no messages")
	for _, s := range samples {
		if s = bytes.TrimPrefix(s, utf8BOM); o.silent(s) {
			continue
		}
		next := in.clone()
		if e := next.message(s, o); e != nil && in.lines == 0 {
			err = e
		} else if e == nil && next.lines > 0 {
			in = next
		}
	}
	if in.lines > 0 {
		return in, nil
	}
	return nil, err
}

// An inference is what is known of a log's fields.
type inference struct {
	fields []inferred
	at     map[string]int // in lower case, as columns that differ in case alone are one to readers
	lines  int
	width  int // fields of each line, of CSV that has no header; 0: not known
}

type inferred struct {
	name string
	typ  LogType // without a name: no value has come
	old  bool    // it stays as it is
}

// newInference returns what columns tell that there are.
func newInference(columns []LogColumn, width int) *inference {
	in := &inference{at: make(map[string]int), width: width}
	for _, c := range columns {
		in.at[strings.ToLower(c.Name)] = len(in.fields)
		in.fields = append(in.fields, inferred{c.Name, c.Type, true})
	}
	return in
}

func (in *inference) clone() *inference {
	c := *in
	c.fields, c.at = slices.Clone(in.fields), maps.Clone(in.at)
	return &c
}

func (in *inference) columns(o *LogOptions) []LogColumn {
	var columns []LogColumn
	for _, f := range in.fields {
		if f.typ.name != "" {
			columns = append(columns, o.inferred(f.name, f.typ))
		}
	}
	return columns
}

// inferred returns a column that was not asked for. The fields of CSV without a header
// have the names c1, c2 and so on.
func (o *LogOptions) inferred(name string, typ LogType) LogColumn {
	c := LogColumn{Name: name, Type: typ, Path: []string{name}}
	if o.Format == "csv" && !o.Header && len(name) > 1 && name[0] == 'c' {
		c.Path[0] = "#" + name[1:]
	}
	return c
}

// message adds what a message tells.
func (in *inference) message(text []byte, o *LogOptions) error {
	if o.Format == "csv" {
		return in.csv(text, o)
	}
	s := scanner{text: text}
	lines := jsonLines{s: &s}
	for {
		more, err := lines.next()
		if err != nil || !more {
			return err
		}
		if err := in.object(&s); err != nil {
			return err
		}
		in.lines++
	}
}

func (in *inference) object(s *scanner) error {
	more, err := s.open('{', '}')
	for err == nil && more {
		var name, text []byte
		if name, err = s.key(); err != nil {
			break
		}
		if name, err = unescape(nil, name); err != nil {
			break
		}
		quoted := s.peek() == '"'
		if quoted {
			text, _, err = s.str()
		} else {
			text, err = s.skip()
		}
		if err != nil {
			break
		}
		var typ string
		switch {
		case quoted:
			typ = textType(text)
		case text[0] == '{' || text[0] == '[':
			typ = "json"
		default:
			typ = wordType(text)
		}
		if typ != "null" {
			err = in.add(string(name), typ)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	return err
}

// add says that a field has had a value of a type, or, with "", that there is such a field.
func (in *inference) add(name, typ string) error {
	i, ok := in.at[strings.ToLower(name)]
	switch {
	case !ok && (name == "" || !utf8.ValidString(name)):
		return fmt.Errorf("a field has a name that no column can have: %q", name)
	case !ok && len(in.fields) >= maxLogColumns:
		return fmt.Errorf("there are more than %d fields", maxLogColumns)
	case !ok:
		i = len(in.fields)
		in.at[strings.ToLower(name)] = i
		in.fields = append(in.fields, inferred{name: name})
	}
	f := &in.fields[i]
	switch was := f.typ.name; {
	case f.old, was == typ, typ == "":
	case was == "":
		f.typ.name = typ
	case was == "long" && typ == "double", was == "double" && typ == "long":
		f.typ.name = "double"
	default:
		f.typ.name = "string"
	}
	return nil
}

// textType returns the type of a text between quotes.
func textType(text []byte) string {
	if n := len(text); n < 10 || n > 40 || text[4] != '-' {
		return "string"
	}
	if _, err := literal.ParseDate(text); err == nil {
		return "date"
	}
	if _, err := parseRFC3339(text, true); err == nil {
		return "timestamptz"
	}
	if _, err := parseRFC3339(text, false); err == nil {
		return "timestamp"
	}
	return "string"
}

// wordType returns the type of a bare word, "null" of null. A number that has digits for
// none of the types is a string, as is one with zeros in front: it is no number but a code.
func wordType(text []byte) string {
	switch string(text) {
	case "null":
		return "null"
	case "true", "false":
		return "boolean"
	}
	if !isNumber(text) {
		return "string"
	}
	if first := strings.TrimPrefix(string(text), "-"); len(first) > 1 && first[0] == '0' && isDigit(first[1]) {
		return "string"
	}
	if _, err := literal.ParseInt(text); err == nil {
		return "long"
	}
	if !strings.ContainsAny(string(text), ".eE") {
		return "string"
	}
	return "double"
}

// isNumber reports whether a text is a number as JSON writes it, zeros in front aside.
func isNumber(text []byte) bool {
	i := 0
	run := func() bool {
		start := i
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		return i > start
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	if !run() {
		return false
	}
	if i < len(text) && text[i] == '.' {
		if i++; !run() {
			return false
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !run() {
			return false
		}
	}
	return i == len(text)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
