package mysql

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// maxInclude is how deep option files can include each other, as in mysql.
const maxInclude = 10

// readOptionFile reads an option file of mysql's: the groups [client] and
// [tablehaul], of which the last line counts that names an option. Source: MySQL
// Reference Manual, "Using Option Files"; mysys/my_default.cc.
func readOptionFile(path string, warn func(string)) (settings, error) {
	p := optionParser{groups: []string{"client", ownGroup}, found: settings{}, warn: warn}
	err := p.file(path, 0)
	return p.found, err
}

// optionName is what a name can consist of.
var optionName = regexp.MustCompile(`^[A-Za-z0-9_-]*`)

// ownGroup is the group of option files that is this program's alone.
const ownGroup = "tablehaul"

type optionParser struct {
	groups []string
	found  settings
	warn   func(string)
}

func (p *optionParser) file(path string, depth int) error {
	if depth > maxInclude {
		return fmt.Errorf("option file %s: files include each other more than %d deep", path, maxInclude)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return hint.Wrap(fmt.Errorf("read option file: %w", err), "check the path and that this user may read it")
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read option file: %w", err)
	}
	// mysql passes over such a file, with a warning: anybody could name a host of his
	// own in it, and be sent the password.
	if info.Mode().IsRegular() && info.Mode()&0o002 != 0 {
		return hint.Wrap(fmt.Errorf("option file %s can be written by every user of this machine", path), "chmod 600 %s", path)
	}
	had := p.found["password"]
	if err := p.text(string(text), path, depth); err != nil {
		return err
	}
	if pw := p.found["password"]; pw != "" && pw != had {
		warnReadable(path, info, p.warn)
	}
	return nil
}

// warnReadable tells of a file with a password that every user can read. It is no
// error, as secrets in containers are mounted so, where there is no other user.
func warnReadable(path string, info fs.FileInfo, warn func(string)) {
	if warn != nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
		warn(fmt.Sprintf("%s holds a password and can be read by every user of this machine: chmod 600 %s", path, path))
	}
}

func (p *optionParser) text(text, path string, depth int) error {
	group := ""
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case strings.HasPrefix(line, "!include"):
			if err := p.include(line, depth); err != nil {
				return err
			}
		case line[0] == '[':
			end := strings.IndexByte(line, ']')
			if end < 0 {
				return fmt.Errorf("option file %s, line %d: a group without ]", path, n+1)
			}
			group = strings.TrimSpace(line[1:end])
		case slices.Contains(p.groups, group):
			name, value, valued := parseOption(line)
			if !p.found.set(name, value, valued) && group == ownGroup {
				// In [client] there are options for other programs.
				// The name alone: where an = was forgotten, the password stands behind it.
				return hint.Wrap(fmt.Errorf("option file %s, line %d: unknown option %q", path, n+1, optionName.FindString(name)),
					"known options: user, password, host, port, %s", strings.Join(parameters, ", "))
			}
		}
	}
	return nil
}

func (p *optionParser) include(line string, depth int) error {
	if dir, ok := directive(line, "!includedir"); ok {
		files, err := filepath.Glob(filepath.Join(globQuoted(dir), "*.cnf"))
		if err != nil {
			return fmt.Errorf("option file: %s: %w", line, err)
		}
		for _, f := range files {
			if err := p.file(f, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if file, ok := directive(line, "!include"); ok {
		err := p.file(file, depth+1)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // as in mysql
		}
		return err
	}
	return nil
}

// directive returns what stands behind a word and a blank.
func directive(line, word string) (string, bool) {
	rest, ok := strings.CutPrefix(line, word)
	arg := strings.TrimSpace(rest)
	return arg, ok && arg != "" && (rest[0] == ' ' || rest[0] == '\t')
}

// globQuoted takes the meaning from the characters of a folder's name that are patterns.
func globQuoted(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// parseOption reads name, name=value or name="value". valued is false without "=".
func parseOption(line string) (name, value string, valued bool) {
	line = withoutComment(line)
	name, value, valued = strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return strings.TrimSpace(name), unescaped(value), valued
}

// withoutComment cuts a line at a # that is not within quotes.
func withoutComment(line string) string {
	quote, escaped := byte(0), false
	for i := range len(line) {
		c := line[i]
		switch {
		case (c == '"' || c == '\'') && !escaped:
			if quote == 0 {
				quote = c
			} else if quote == c {
				quote = 0
			}
		case c == '#' && quote == 0:
			return strings.TrimSpace(line[:i])
		}
		escaped = quote != 0 && c == '\\' && !escaped
	}
	return line
}

// unescaped replaces \n, \t, \r, \b, \s (a blank), \\ and quotes; before anything
// else a backslash is itself.
func unescaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte(`ntrbs\"'`, s[i]); at >= 0 {
			b.WriteByte("\n\t\r\b \\\"'"[at])
		} else {
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
