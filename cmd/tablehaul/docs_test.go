package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/cli anew")

const cliDocs = "../../docs/cli"

// TestDocs compares docs/cli with the commands, or with -update writes it.
func TestDocs(t *testing.T) {
	pages := map[string]string{}
	root := newRoot(&program{})
	for _, c := range documented(root) {
		pages[pageName(c)] = page(c)
	}
	if *update {
		if err := os.MkdirAll(cliDocs, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range pages {
		path := filepath.Join(cliDocs, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the flags say (%v): run `make docs`", path, err)
		}
	}
	files, err := os.ReadDir(cliDocs)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, ok := pages[f.Name()]; !ok {
			t.Errorf("%s belongs to no command: remove it", f.Name())
		}
	}
}

const schemaFile = "../../docs/tablehaul.schema.json"

// TestSchemaFile compares the schema of jobs' files with the flags, or with -update writes it.
func TestSchemaFile(t *testing.T) {
	var want bytes.Buffer
	if err := writeSchema(&want, withFiles(newRoot(&program{}))); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the flags say (%v): run `make docs`", schemaFile, err)
	}
}

func pageName(c *cobra.Command) string { return manName(c) + ".md" }

// page is a command's page: its help text, which is all there is to say.
func page(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Written by `make docs`. -->\n\n# %s\n\n%s.\n\n", c.CommandPath(), c.Short)
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	fmt.Fprintf(&b, "```\n%s\n\n%s```\n", strings.TrimSpace(c.Long), c.UsageString())
	if c.HasAvailableSubCommands() {
		b.WriteString("\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "- [%s](%s): %s\n", sub.CommandPath(), pageName(sub), lowerFirst(sub.Short))
			}
		}
	}
	return b.String()
}

// TestFindings holds docs/check.md to the findings that there are in the code.
func TestFindings(t *testing.T) {
	inCode, inDocs := map[string]bool{}, map[string]bool{}
	collect := func(path string, re *regexp.Regexp, into map[string]bool) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range re.FindAllStringSubmatch(string(text), -1) {
			into[m[1]] = true
		}
	}
	for _, pattern := range []string{"*.go", "../../pkg/reader/mysql/check*.go", "../../pkg/writer/iceberg/check*.go", "../../pkg/writer/kafka/check*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") {
				collect(f, regexp.MustCompile(`(?:Check: +|fatal\()"([a-z-]+)"`), inCode)
			}
		}
	}
	collect("../../docs/check.md", regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|"), inDocs)
	if got, want := slices.Sorted(maps.Keys(inDocs)), slices.Sorted(maps.Keys(inCode)); !slices.Equal(got, want) {
		t.Errorf("docs/check.md lists %q, the code has %q", got, want)
	}
}
