package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/internal/native"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/scoreboard"
)

// checked is the answer of brood check for programs.
type checked struct {
	Services    int                     `json:"services"`
	Diagnostics []scoreboard.Diagnostic `json:"diagnostics"`
}

func checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say all that is wrong with a brood.toml",
		Long: `check reads FILE, or brood.toml here, and all that it includes, as broodd would
on this machine and as this user. Every mistake is told at once, with its place,
the text in question underlined, and what to write instead. Nothing is started
or changed; whether an address is free, a start or "brood plan" shows.`,
		Example: "  brood check brood.toml",
		Args:    upTo(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := starterFile
			if len(args) > 0 {
				path = args[0]
			}
			config, ds := native.Load(path, native.Options{System: native.OS()})
			out := cmd.OutOrStdout()
			var err error
			if asJSON {
				err = printJSON(out, checked{len(config.Services), forPrograms(ds)})
			} else {
				err = native.Render(out, ds, config.Sources)
			}
			switch {
			case err != nil:
				return err
			case ds.Failed():
				return countMistakes(mistakes(ds), "broodd would not take this file")
			case !asJSON:
				fmt.Fprintf(out, "%s is good; services: %d\n", path, len(config.Services))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// mistakes is how many things stand in the way.
func mistakes(ds plan.Diagnostics) (n int) {
	for _, d := range ds {
		if d.Severity == plan.Error {
			n++
		}
	}
	return n
}

// forPrograms is what is wrong with a file, without the text that is underlined.
func forPrograms(ds plan.Diagnostics) []scoreboard.Diagnostic {
	all := make([]scoreboard.Diagnostic, 0, len(ds))
	for _, d := range ds {
		all = append(all, scoreboard.Diagnostic{
			File: d.Pos.File, Line: d.Pos.Line, Column: d.Pos.Col,
			Error: d.Severity == plan.Error, Text: d.String(),
		})
	}
	return all
}
