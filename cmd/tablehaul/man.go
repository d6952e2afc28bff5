package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan is for `make man` and whoever packages the program: nobody else has to
// know of it.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man FOLDER",
		Short:   "Write the manual pages",
		Long:    "Write a manual page of section 1 for each command into FOLDER, which is made.",
		Example: "  tablehaul man /usr/local/share/man/man1",
		Hidden:  true,
		Args:    wantArgs("FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			for _, c := range documented(cmd.Root()) {
				if err := os.WriteFile(filepath.Join(args[0], manName(c)+".1"), manPage(c, versionNumber(), builtAt()), 0o644); err != nil {
					return fmt.Errorf("write manual pages: %w", err)
				}
			}
			return nil
		},
	}
}

// documented returns the root and the commands that help tells of.
func documented(root *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{root}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			out = append(out, c)
		}
	}
	return out
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// manName is the name of a command's page: tablehaul-tail.
func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// builtAt returns the day of the commit that the program was built from, so that
// the same source makes the same pages.
func builtAt() string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			if day, _, ok := strings.Cut(s.Value, "T"); ok && s.Key == "vcs.time" {
				return day
			}
		}
	}
	return ""
}

// manPage is a command's help as man(7) wants it. Cobra's own writer goes by way
// of Markdown, which takes the tables of our help texts for paragraphs.
func manPage(c *cobra.Command, version, day string) []byte {
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %q 1 %q %q %q\n", strings.ToUpper(manName(c)), day, "tablehaul "+version, "Tablehaul")
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(lowerFirst(c.Short)))
	use := c.UseLine()
	if c.HasAvailableSubCommands() {
		use = c.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(use))
	b.WriteString(".SH DESCRIPTION\n")
	manText(&b, c.Long)
	related := []*cobra.Command{c.Root()}
	if c.HasAvailableSubCommands() {
		related = documented(c)[1:]
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range related {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s.\n", roff(manName(sub)), roff(sub.Short))
		}
	}
	b.WriteString(".SH OPTIONS\n")
	c.LocalFlags().VisitAll(func(f *pflag.Flag) { manFlag(&b, f) })
	if c.HasExample() {
		b.WriteString(".SH EXAMPLES\n")
		manText(&b, c.Example)
	}
	codes := c.Annotations[exitCodes]
	if codes == "" {
		codes = usualExitCodes
	}
	fmt.Fprintf(&b, ".SH EXIT STATUS\n%s.\n.SH SEE ALSO\n", roff(strings.Join(strings.Fields(codes), " ")))
	for i, r := range related {
		comma := ","
		if i == len(related)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(manName(r)), comma)
	}
	return b.Bytes()
}

// manText writes paragraphs: text flows, and what is set in columns or indented
// stays as it is.
func manText(b *bytes.Buffer, text string) {
	for i, p := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		asIs := strings.Contains(p, "  ")
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if asIs {
			b.WriteString(".EX\n")
		}
		for l := range strings.SplitSeq(p, "\n") {
			b.WriteString(roff(l) + "\n")
		}
		if asIs {
			b.WriteString(".EE\n")
		}
	}
}

// manFlag writes a flag as help does, with its default.
func manFlag(b *bytes.Buffer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	one := pflag.NewFlagSet("", pflag.ContinueOnError)
	one.AddFlag(f)
	head, usage, _ := strings.Cut(strings.TrimSpace(one.FlagUsages()), "   ")
	names, value := head, ""
	if dashes := strings.Index(head, "--"); dashes >= 0 {
		name, v, ok := strings.Cut(head[dashes:], " ")
		names = head[:dashes] + name
		if ok {
			value = ` \fI` + roff(v) + `\fR`
		}
	}
	fmt.Fprintf(b, ".TP\n\\fB%s\\fR%s\n%s\n", roff(names), value, roff(strings.Join(strings.Fields(usage), " ")))
}

// roff escapes a line of text: hyphens stay hyphens that can be copied, and what
// begins a request elsewhere begins none here.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}
