package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/internal/native"
)

// starterFile is what brood init writes, and brood check reads, when it is not
// told another name.
const starterFile = "brood.toml"

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a first brood.toml, with all that can be set in it",
		Long: `init writes FILE, or brood.toml here: a service that works as it is, and every
setting there is as a comment with its default. A file that exists is left
alone. "-" writes to the standard output.`,
		Example: "  brood init && broodd -c brood.toml",
		Args:    upTo(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := starterFile
			if len(args) > 0 {
				path = args[0]
			}
			if path == "-" {
				return native.WriteStarter(cmd.OutOrStdout())
			}
			if err := writeStarter(path); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is written; serve it with: broodd -c %s\n", path, path)
			return nil
		},
	}
}

func writeStarter(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot write %s: it exists; name another file", path)
	}
	if err != nil {
		return fmt.Errorf("cannot write the starting file: %w", err)
	}
	err = native.WriteStarter(f)
	if e := f.Close(); err == nil && e != nil {
		err = fmt.Errorf("cannot write the starting file: %w", e)
	}
	return err
}
