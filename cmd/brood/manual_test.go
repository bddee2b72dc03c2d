package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/brood-project/brood/internal/golden"
	"github.com/brood-project/brood/internal/scoreboard"
)

const manualPage = "../../docs/man/brood.1"

// TestManual holds brood(1) against the commands, from which it is made: what
// --help says and what the manual says are the same text.
func TestManual(t *testing.T) {
	frame, err := os.ReadFile("testdata/brood.1.in")
	must(t, err)
	root, _ := rootCommand()
	var synopsis, sections strings.Builder
	for _, cmd := range leaves(root) {
		writeSynopsis(&synopsis, cmd)
		writeSection(&sections, cmd)
	}
	page := strings.NewReplacer(
		"@SYNOPSIS@\n", strings.TrimSuffix(synopsis.String(), ".br\n"),
		"@COMMANDS@\n", sections.String(),
	).Replace(string(frame))
	golden.Compare(t, manualPage, page)
}

// TestManualIsClean has the formatter read the page.
func TestManualIsClean(t *testing.T) {
	for _, page := range []string{manualPage, "../../docs/man/broodd.8"} {
		out, err := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z", page).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}

// TestCommandsExplainThemselves wants each to have a text, and each option one.
func TestCommandsExplainThemselves(t *testing.T) {
	root, _ := rootCommand()
	for _, cmd := range leaves(root) {
		if cmd.Long == "" && cmd.Name() != "version" || cmd.Short == "" {
			t.Errorf("%s says nothing of itself", cmd.CommandPath())
		}
		if cmd.GroupID == "" && cmd.Parent() == root {
			t.Errorf("%s is in no group of --help", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.UsageString()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s --help has %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s says nothing of itself", cmd.CommandPath(), f.Name)
			}
		})
	}
}

// TestStatesAreDocumented holds the operator's page against the states there are.
func TestStatesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operate.md")
	must(t, err)
	for _, s := range scoreboard.States {
		if row := "| `" + string(s.State) + "` | " + s.Meaning + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/operate.md lacks %s", row)
		}
	}
	root, _ := rootCommand()
	for _, cmd := range leaves(root) {
		if cmd.GroupID != groupSetUp && cmd.Parent() == root && !strings.Contains(string(page), "`"+cmd.CommandPath()) {
			t.Errorf("docs/operate.md does not name %s", cmd.CommandPath())
		}
	}
}

// leaves are the commands that do something.
func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasAvailableSubCommands() {
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

// roff escapes a line of text.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

func writeSynopsis(b *strings.Builder, cmd *cobra.Command) {
	name := cmd.CommandPath()
	b.WriteString(".B " + roff(name) + "\n")
	if rest := strings.TrimPrefix(cmd.Use, cmd.Name()); rest != "" {
		b.WriteString(".I " + roff(strings.TrimSpace(rest)) + "\n")
	}
	options := false
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { options = options || f.Name != "help" })
	if options {
		b.WriteString("[\\fIoption\\fR...]\n")
	}
	b.WriteString(".br\n")
}

// writeSection is what --help says of one command.
func writeSection(b *strings.Builder, cmd *cobra.Command) {
	b.WriteString(".SS " + roff(strings.TrimSpace(cmd.CommandPath()+strings.TrimPrefix(cmd.Use, cmd.Name()))) + "\n")
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	writeText(b, text)
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		b.WriteString(".TP\n.B " + roff(name))
		if value != "" {
			b.WriteString(` \fI` + roff(value) + `\fR`)
		}
		if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "false" {
			usage += "; " + f.DefValue + " if nothing is said"
		}
		b.WriteString("\n" + roff(strings.ToUpper(usage[:1])+usage[1:]) + ".\n")
	})
	if cmd.Example != "" {
		b.WriteString(".PP\nExamples:\n.PP\n")
		writeText(b, cmd.Example)
	}
}

// writeText makes paragraphs of those that an empty line parts, and leaves
// indented lines as they are.
func writeText(b *strings.Builder, text string) {
	literal := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		if indented != literal {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			literal = indented
		}
		if line == "" {
			b.WriteString(".PP\n")
			continue
		}
		b.WriteString(roff(line) + "\n")
	}
	if literal {
		b.WriteString(".fi\n")
	}
}
