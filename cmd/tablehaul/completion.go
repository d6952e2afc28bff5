package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes command lines in a shell",
		Long: `Print a script that has a shell complete commands, flags, their values, and the
names of tables: behind --tables it asks the SOURCE that stands on the line, for two
seconds at most, with the password of the environment. What cannot be asked
completes nothing.

In bash the package bash-completion must be there too. A package of Tablehaul brings
the scripts along; otherwise:`,
		Example: `  tablehaul completion bash > ~/.local/share/bash-completion/completions/tablehaul
  tablehaul completion zsh > "${fpath[1]}/_tablehaul"
  tablehaul completion fish > ~/.config/fish/completions/tablehaul.fish
  tablehaul completion powershell >> $PROFILE`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      wantArgs("SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return &usageError{cmd, didYouMean(fmt.Errorf("unknown shell %q", args[0]), hint.Nearest(args[0], cmd.ValidArgs))}
		},
	}
}
