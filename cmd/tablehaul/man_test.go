package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestMan looks for all that help tells in the pages, and has mandoc look at
// their form where there is one.
func TestMan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	root := newRoot(&program{})
	root.SetArgs([]string{"man", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, c := range documented(root) {
		file := filepath.Join(dir, manName(c)+".1")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(string(text), roff("--"+f.Name)+`\fR`) {
				t.Errorf("%s does not tell of --%s", file, f.Name)
			}
		})
		if mandoc, err := exec.LookPath("mandoc"); err == nil {
			out, _ := exec.Command(mandoc, "-T", "lint", "-W", "warning", file).CombinedOutput()
			for line := range strings.Lines(string(out)) {
				// A build without version control has no date.
				if !strings.Contains(line, "missing date") {
					t.Error(line)
				}
			}
		}
	}
}

// TestManPage writes what roff would take for its own.
func TestManPage(t *testing.T) {
	c := &cobra.Command{
		Use: "odd FILE", Short: "Do odd things", Run: func(*cobra.Command, []string) {},
		Long:    ".begins so\n'and so\n\nA  table\n  of it\n\na\\b",
		Example: "  odd x",
	}
	c.Flags().StringP("what", "w", "x-y", "the `thing` to\ndo")
	c.Flags().Bool("hidden", false, "")
	_ = c.Flags().MarkHidden("hidden")
	want := `.TH "ODD" 1 "2026-07-01" "tablehaul v1" "Tablehaul"
.SH NAME
odd \- do odd things
.SH SYNOPSIS
.B odd FILE [flags]
.SH DESCRIPTION
\&.begins so
\(aqand so
.PP
.EX
A  table
  of it
.EE
.PP
a\eb
.SH OPTIONS
.TP
\fB\-h, \-\-help\fR
help for odd
.TP
\fB\-w, \-\-what\fR \fIthing\fR
the thing to do (default "x\-y")
.SH EXAMPLES
.EX
  odd x
.EE
.SH EXIT STATUS
0 done, 1 failed, 2 wrong usage, 3 incomplete: some tables are whole and others are not, 130 interrupted.
.SH SEE ALSO
.BR odd (1)
`
	if got := string(manPage(c, "v1", "2026-07-01")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
