package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManual holds brood(1) against the commands: each has its section, and
// each section has the command's options and no others.
func TestManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/brood.1")
	must(t, err)
	text := strings.ReplaceAll(string(page), `\-`, "-")
	_, text, _ = strings.Cut(text, "\n.SH COMMANDS\n")
	text, _, _ = strings.Cut(text, "\n.SH EXIT STATUS\n")
	sections := map[string]string{}
	for section := range strings.SplitSeq(text, "\n.SS ") {
		name, body, _ := strings.Cut(strings.TrimPrefix(section, ".SS "), "\n")
		sections[name] = body
	}
	option := regexp.MustCompile(`--[a-z][a-z-]*`)
	root, _ := rootCommand()
	root.InitDefaultCompletionCmd()
	for _, cmd := range leaves(root) {
		body, ok := sections[cmd.CommandPath()]
		if !ok {
			t.Errorf("brood(1) has no section %q", cmd.CommandPath())
			continue
		}
		delete(sections, cmd.CommandPath())
		var want []string
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				want = append(want, "--"+f.Name)
			}
		})
		got := option.FindAllString(body, -1)
		slices.Sort(got)
		slices.Sort(want)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("brood(1), %s: has the options %q, and the command %q", cmd.CommandPath(), got, want)
		}
	}
	for name := range sections {
		t.Errorf("brood(1) has a section %q, and there is no such command", name)
	}
}

// leaves are the commands that do something; completion counts as one.
func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasAvailableSubCommands() || cmd.Name() == "completion" {
		return []*cobra.Command{cmd}
	}
	var all []*cobra.Command
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() && below.Name() != "help" {
			all = append(all, leaves(below)...)
		}
	}
	return all
}
