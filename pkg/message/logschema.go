package message

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A LogColumn is a column of a log's table.
type LogColumn struct {
	Name string
	Type LogType
	// Path leads to the value through the objects of a JSON line: {"user", "id"}. Of CSV
	// it has one part, the name in the header, or # and the field's number from 1 on. The
	// path {"*"} is all members of the JSON line that no other column takes, as an object.
	Path []string
}

// rest is the path of what no other column takes.
const rest = "*"

// ParseLogSchema reads the columns of a log: one a line, as NAME TYPE, or as NAME TYPE
// PATH if the path is not the name, with blanks between. Parts of a path have dots
// between. Names with blanks, dots or # in them stand in quotes as JSON strings do. What
// follows a # at the beginning of a line, or behind a blank and before another one, is
// a comment.
func ParseLogSchema(text string) ([]LogColumn, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is no UTF-8")
	}
	var columns []LogColumn
	seen := make(map[string]bool)
	for n, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		c, err := parseLogColumn(line)
		if err == nil && c.Name != "" && seen[strings.ToLower(c.Name)] {
			err = fmt.Errorf("there are two columns %s", c.Name)
		}
		if err != nil {
			return nil, hint.Wrap(fmt.Errorf("line %d: %w", n+1, err), "a line is NAME TYPE [PATH], such as: at timestamptz(ms) meta.time")
		}
		if c.Name != "" {
			seen[strings.ToLower(c.Name)] = true
			columns = append(columns, c)
		}
	}
	if len(columns) == 0 {
		return nil, errors.New("it has no columns")
	}
	return columns, nil
}

// parseLogColumn reads one line; without a name if there is nothing in it.
func parseLogColumn(line string) (c LogColumn, err error) {
	words, err := schemaWords(line)
	if err != nil || len(words) == 0 {
		return c, err
	}
	if len(words) < 2 || len(words) > 3 {
		return c, fmt.Errorf("it has %d words", len(words))
	}
	if len(words[0]) != 1 || len(words[1]) != 1 {
		return c, errors.New("a name that has a dot must stand in quotes")
	}
	c.Name, c.Path = words[0][0], words[0]
	if c.Type, err = ParseLogType(words[1][0]); err != nil {
		return c, hint.Wrap(err, "types are %s", strings.Join(LogTypes(), ", "))
	}
	if len(words) == 3 {
		c.Path = words[2]
	}
	for _, part := range append(c.Path, c.Name) {
		if part == "" {
			return c, errors.New("a name is empty")
		}
	}
	if c.isRest() && c.Type.name != "json" && c.Type.name != "string" {
		return c, fmt.Errorf("what is left is an object, and no %s", c.Type)
	}
	return c, nil
}

func (c *LogColumn) isRest() bool { return len(c.Path) == 1 && c.Path[0] == rest }

// schemaWords cuts a line into its words, and these at their dots.
func schemaWords(line string) (words [][]string, err error) {
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" || line[0] == '#' && (len(line) == 1 || line[1] < '0' || line[1] > '9') {
			return words, nil
		}
		var parts []string
		for {
			var part string
			if part, line, err = schemaName(line); err != nil {
				return nil, err
			}
			parts = append(parts, part)
			if line == "" || line[0] != '.' {
				break
			}
			line = line[1:]
		}
		if line != "" && !strings.ContainsRune(" \t\r", rune(line[0])) {
			return nil, fmt.Errorf("a blank is wanted before %q", line)
		}
		words = append(words, parts)
	}
}

// schemaName takes a name, and returns what follows.
func schemaName(line string) (name, after string, err error) {
	if line != "" && line[0] == '"' {
		s := scanner{text: []byte(line)}
		raw, _, err := s.str()
		if err != nil {
			return "", "", err
		}
		text, err := unescape(nil, raw)
		return string(text), line[s.at:], err
	}
	end := strings.IndexAny(line, " \t\r.\"")
	if i := strings.IndexByte(line, '('); i >= 0 && (end < 0 || i < end) {
		if j := strings.IndexByte(line, ')'); j > i { // a type's argument may have blanks
			return strings.ReplaceAll(line[:j+1], " ", ""), line[j+1:], nil
		}
	}
	if end < 0 {
		end = len(line)
	}
	return line[:end], line[end:], nil
}

// FormatLogSchema writes columns as ParseLogSchema reads them.
func FormatLogSchema(columns []LogColumn) string {
	var b []byte
	for _, c := range columns {
		b = appendSchemaName(b, c.Name)
		b = append(append(b, ' '), c.Type.String()...)
		if len(c.Path) != 1 || c.Path[0] != c.Name {
			sep := byte(' ')
			for _, p := range c.Path {
				b = appendSchemaName(append(b, sep), p)
				sep = '.'
			}
		}
		b = append(b, '\n')
	}
	return string(b)
}

func appendSchemaName(b []byte, name string) []byte {
	if name == "" || strings.ContainsAny(name, " \t\r\n.\"()#\\") && !isNumbered(name) {
		return literal.AppendJSON(b, name)
	}
	return append(b, name...)
}

// isNumbered reports whether the path of a CSV column is the number of a field.
func isNumbered(path string) bool { return fieldNumber(path) > 0 }

// fieldNumber returns the number that a path such as #3 has, 0 if it has none.
func fieldNumber(path string) int {
	digits, ok := strings.CutPrefix(path, "#")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil {
		return 0
	}
	return int(n)
}
