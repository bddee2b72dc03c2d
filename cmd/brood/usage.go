package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// This file says what is wrong with a command line, in words of its own: those of
// the libraries name functions of Go.

// habits are what other tools call a command of ours.
var habits = map[string][]string{
	"status": {"list", "ls", "ps", "show", "top"},
	"why":    {"describe", "explain", "inspect"},
	"events": {"journal", "log", "logs", "tail"},
	"check":  {"lint", "test", "validate", "verify"},
	"plan":   {"diff"},
	"reload": {"apply", "daemon-reload"},
	"stop":   {"down", "kill", "shutdown"},
}

// nearEnough is how many letters may be wrong in the name of a command.
const nearEnough = 2

// oneOfItsCommands is the Args of a command that has others below it.
func oneOfItsCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = nearEnough
	switch near := cmd.SuggestionsFor(args[0]); {
	case !cmd.HasParent() && slices.Contains([]string{"daemon", "run", "serve", "start", "up"}, args[0]):
		hint = "; what serves a brood.toml is broodd -c brood.toml"
	case len(near) > 0:
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)
}

// noArguments is for commands that take options only.
func noArguments(cmd *cobra.Command, args []string) error { return upTo(0)(cmd, args) }

// upTo allows that many arguments.
func upTo(most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > most {
			return fmt.Errorf("unexpected argument %q", args[most])
		}
		return nil
	}
}

// wrongFlag says what an option wants.
func wrongFlag(_ *cobra.Command, err error) error {
	bad := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	wants := ""
	switch bad.GetFlag().Value.Type() {
	case "duration":
		wants = "a time with its unit, such as 90s or 5m"
	case "int", "uint64":
		wants = "a whole number"
	case "bool":
		wants = "true or false"
	default:
		return err
	}
	return fmt.Errorf("--%s wants %s, not %q", bad.GetFlag().Name, wants, bad.GetValue())
}
