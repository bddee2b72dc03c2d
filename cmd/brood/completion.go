package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// shells are those that can complete our commands, and how each is taught.
var shells = map[string]func(*cobra.Command) error{
	"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(root.OutOrStdout(), true) },
	"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(root.OutOrStdout(), true) },
	"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(root.OutOrStdout()) },
	"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(root.OutOrStdout()) },
}

// completionCommand takes the place of cobra's own, whose texts are longer than
// all others here, and which takes a shell that it does not know for a question
// about itself.
func completionCommand() *cobra.Command {
	known := slices.Sorted(maps.Keys(shells))
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Write what teaches a shell to complete these commands",
		Long: `completion writes the script with which a shell completes brood's commands and
options, and the names of the services that the daemon has at that moment. SHELL
is one of ` + strings.Join(known, ", ") + `. That of bash needs the package
bash-completion.`,
		Example: `  source <(brood completion bash)                          for this shell
  brood completion bash >/etc/bash_completion.d/brood      for all, as root
  brood completion fish >~/.config/fish/completions/brood.fish
  brood completion zsh >"${fpath[1]}/_brood"`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: known,
		RunE: func(cmd *cobra.Command, args []string) error {
			return shells[args[0]](cmd.Root())
		},
	}
}
