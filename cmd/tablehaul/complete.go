package main

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/reader"
)

const (
	// completeTime is how long a shell waits for the names of tables.
	completeTime = 2 * time.Second

	noFiles = cobra.ShellCompDirectiveNoFileComp
	goesOn  = noFiles | cobra.ShellCompDirectiveNoSpace // the word does
)

// complete has shells complete arguments and the values of flags, by what usage
// lines call them and by the flags' types.
func (p *program) complete(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.ValidArgs == nil {
			c.ValidArgsFunction = p.completeArg
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			_ = c.RegisterFlagCompletionFunc(f.Name, p.completeFlag(f)) // there is such a flag, and this the first for it
		})
	}
}

// completer is cobra's.
type completer = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

func (p *program) completeFlag(f *pflag.Flag) completer {
	switch v := f.Value.(type) {
	case *oneOf:
		return words(v.words...)
	case messageFormat:
		return words(v.words...)
	case *perTable:
		return p.completePattern
	}
	if f.Name == "tables" || f.Name == "exclude" {
		return p.completeTables
	}
	switch name, _ := pflag.UnquoteUsage(f); strings.ToLower(name) {
	case "file", "socket":
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
	return words()
}

func words(all ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return all, noFiles }
}

// argumentNames returns what the usage line calls the command's arguments.
func argumentNames(cmd *cobra.Command) []string {
	var out []string
	for _, word := range strings.Fields(cmd.Use)[1:] {
		out = append(out, strings.Trim(word, "[]."))
	}
	return out
}

func (p *program) completeArg(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names := argumentNames(cmd)
	if len(args) >= len(names) {
		return nil, noFiles
	}
	switch names[len(args)] {
	case "SOURCE":
		return schemes(p.stores.sources, "://"), goesOn
	case "SINK":
		if folder, ok := strings.CutPrefix(word, "iceberg:"); ok {
			return folders("iceberg:", folder), goesOn
		}
		return schemes(p.stores.sinks, ":"), goesOn
	case "FOLDER", "FILE":
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, noFiles
}

func schemes[T any](kinds map[string]T, end string) []string {
	out := slices.Sorted(maps.Keys(kinds))
	for i := range out {
		out[i] += end
	}
	return out
}

// folders completes a path to a folder behind a prefix.
func folders(prefix, path string) []string {
	dir, _ := filepath.Split(path)
	within := dir
	if within == "" {
		within = "."
	}
	entries, _ := os.ReadDir(within) // none where there is nothing to be read
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, prefix+dir+e.Name()+"/")
		}
	}
	return starting(out, prefix+path)
}

func starting(words []string, with string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, with) })
}

// completeTables completes the last of several names with commas between.
func (p *program) completeTables(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	before, last := "", word
	if i := strings.LastIndexByte(word, ','); i >= 0 {
		before, last = word[:i+1], word[i+1:]
	}
	listed := strings.Split(before, ",")
	var out []string
	for _, name := range p.tableNames(cmd, args, last) {
		if !slices.Contains(listed, name) {
			out = append(out, before+name)
		}
	}
	return out, goesOn
}

// completePattern completes the table that stands before a text.
func (p *program) completePattern(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names := p.tableNames(cmd, args, word)
	for i := range names {
		names[i] += ":"
	}
	return names, goesOn
}

// plainName is a name that a shell and our patterns take for nothing else.
var plainName = regexp.MustCompile(`^[\pL\pN_$.-]+$`)

// tableNames asks the command's SOURCE for tables whose names begin with word, as
// patterns write them. Whatever goes wrong is no concern of somebody who has only
// pressed a key: there is no message, no question for a password, and no name.
func (p *program) tableNames(cmd *cobra.Command, args []string, word string) []string {
	i := slices.Index(argumentNames(cmd), "SOURCE")
	if i < 0 || i >= len(args) {
		return nil
	}
	open, err := p.stores.findSource(args[i], false, "")
	if err != nil {
		return nil
	}
	given := func(flag string) string {
		if f := cmd.Flags().Lookup(flag); f != nil {
			return f.Value.String()
		}
		return ""
	}
	login := sourceFlags{passwordFile: given("password-file"), defaultsFile: given("defaults-file"), loginPath: given("login-path")}
	if given("ask-password") == "true" || login.passwordFile == "-" {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	quiet := *p
	quiet.console = &console{stderr: io.Discard}
	if quiet.logIn(ctx, &login, args[i]) != nil {
		return nil
	}
	o := newMoveOptions()
	o.parallel, o.login = 1, login
	src, err := open(ctx, args[i], o.store(&quiet))
	if err != nil {
		return nil
	}
	defer src.Close()
	tables, err := src.Tables(ctx, reader.Selection{DB: src.DB()})
	if err != nil {
		return nil
	}
	var out []string
	for _, t := range tables {
		name := t.String()
		if t.DB == src.DB() && !strings.HasPrefix(word, t.DB+".") {
			name = t.Name
		}
		if plainName.MatchString(name) {
			out = append(out, name)
		}
	}
	return starting(out, word)
}
