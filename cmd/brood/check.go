package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/internal/native"
)

// errMistakes ends brood check where something stands in the way; what, has been
// said.
var errMistakes = errors.New("there are mistakes, and broodd would not take this file")

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say all that is wrong with a brood.toml",
		Long: `check reads FILE, or brood.toml here, and all that it includes, as broodd would
on this machine and as this user. Every mistake is told at once, with its place,
the text in question underlined, and what to write instead. Nothing is started
or changed; whether an address is free, a start or "brood plan" shows.`,
		Example: "  brood check brood.toml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := starterFile
			if len(args) > 0 {
				path = args[0]
			}
			config, ds := native.Load(path, native.Options{System: native.OS()})
			out := cmd.OutOrStdout()
			if err := native.Render(out, ds, config.Sources); err != nil {
				return err
			}
			if ds.Failed() {
				return errMistakes
			}
			fmt.Fprintf(out, "%s is good; services: %d\n", path, len(config.Services))
			return nil
		},
	}
}
