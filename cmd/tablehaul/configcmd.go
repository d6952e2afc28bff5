package main

import (
	_ "embed"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

//go:embed configexample.yaml
var configExample string

func newConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "config schema|example",
		Short: "Print what a job's file may hold",
		Long: `Print the JSON schema of the files that --config names, from which editors complete
and check them, or a file to begin with. 'tablehaul check --config FILE' finds what
is wrong with one. docs/config.md tells the rest.`,
		Example: `  tablehaul config example > job.yaml
  tablehaul config schema > tablehaul.schema.json
  tablehaul check --config job.yaml
  tablehaul tail --config job.yaml`,
		ValidArgs: []string{"schema", "example"},
		Args:      wantArgs("WHAT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "schema":
				return writeSchema(cmd.OutOrStdout(), withFiles(cmd.Root()))
			case "example":
				_, err := io.WriteString(cmd.OutOrStdout(), configExample)
				return written(err)
			}
			return &usageError{cmd, didYouMean(fmt.Errorf("unknown %q: want schema or example", args[0]), hint.Nearest(args[0], cmd.ValidArgs))}
		},
	}
}
