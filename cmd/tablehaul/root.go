package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// newRoot builds the command tree.
func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "tablehaul",
		Short: "Move MySQL tables into Iceberg",
		Long: `Tablehaul moves MySQL and MariaDB tables into Iceberg and keeps them equal: fast,
exactly, and with nothing to install beside it. The position is committed with the
data, so a run that was killed is continued by the same command.`,
		Example: `  tablehaul snapshot mysql://app@db:3306/shop iceberg:./lake
  tablehaul tail mysql://app@db:3306/shop iceberg:./lake
  tablehaul status iceberg:./lake mysql://app@db:3306/shop
  tablehaul snapshot --help`,
		SilenceErrors: true, // main prints them
		SilenceUsage:  true,
		Version:       versionText(),
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("tablehaul {{.Version}}\n")
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newSnapshot(p.snapshot), newTail(p.tail), newDump(p.dump), newBackfill(p.backfill), newVerify(p.verify), newStatus(p.status), newCompact(p.compact), newCheck(p.checkAll), newAdjust(p.adjust), newTypes(p.types), newConfig(), newVersion(), newCompletion(), newMan())
	p.takeFiles(root)
	p.complete(root)
	return root
}

// usageTemplate puts examples and exit codes at the end, where the eye is when
// the text has scrolled by.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{- if .HasAvailableSubCommands}}

Commands:
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{- end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}

Exit codes:
{{with index .Annotations "` + exitCodes + `"}}{{.}}{{else}}` + usualExitCodes + `{{end}}
`

const usualExitCodes = `  0 done, 1 failed, 2 wrong usage, 3 incomplete: some tables are whole and others
  are not, 130 interrupted`

// exitCodes is the annotation of a command whose exit codes are told in words
// of its own.
const exitCodes = "exit codes"

// A usageError is a command line that cannot be run.
type usageError struct {
	cmd *cobra.Command // nil: the root
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagePath names the command whose help is to be read.
func usagePath(err error) string {
	var u *usageError
	if errors.As(err, &u) && u.cmd != nil {
		return u.cmd.CommandPath()
	}
	return "tablehaul"
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return &usageError{cmd, didYouMean(fmt.Errorf("unknown command %q", args[0]), hint.Nearest(args[0], names))}
}

// wantArgs returns a check for as many arguments as names has words.
func wantArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > len(names):
			return &usageError{cmd, fmt.Errorf("unexpected argument %q", args[len(names)])}
		case len(args) < len(names):
			return &usageError{cmd, fmt.Errorf("%s is missing", names[len(args)])}
		}
		return nil
	}
}

func didYouMean(err error, what string) error {
	if what == "" {
		return err
	}
	return hint.Wrap(err, "did you mean %s?", what)
}

// flagError turns what pflag says into a usage error, with the flag that was
// probably meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		if s := hint.Nearest(name, flagNames(cmd)); s != "" {
			err = didYouMean(err, "--"+s)
		} else if s := inSource(name); s != "" {
			err = hint.Wrap(err, "it is a part of SOURCE: %s", s)
		}
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		f := invalid.GetFlag()
		if want := wanted[f.Value.Type()]; want != "" {
			err = fmt.Errorf("--%s wants %s, not %q", f.Name, want, invalid.GetValue())
		}
	}
	return &usageError{cmd, err}
}

// wanted says what values of pflag's own types look like: its messages are those of
// the functions that parse them.
var wanted = map[string]string{
	"duration": "a duration such as 90s or 5m",
	"int":      "a whole number",
	"int64":    "a whole number",
	"uint32":   "a whole number from 0 to 4294967295",
	"bool":     "true or false",
}

// inSource returns where SOURCE says what mysql and mysqldump have a flag for.
func inSource(flag string) string {
	switch {
	case strings.HasPrefix(flag, "ssl-"), flag == "tls-version", flag == "socket":
		return "mysql://USER@HOST/DB?" + flag + "=…"
	case flag == "host", flag == "port", flag == "user", flag == "database", flag == "databases":
		return "mysql://USER@HOST:PORT/DB"
	}
	return ""
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
