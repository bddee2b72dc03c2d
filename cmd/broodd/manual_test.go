package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestManual holds broodd(8) against --help and against master's usage line.
func TestManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/broodd.8")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), `\-`, "-")
	_, text, _ = strings.Cut(text, "\n.SH OPTIONS\n")
	ours, masters, ok := strings.Cut(text, "\n.SS Under the name of master\n")
	if !ok {
		t.Fatal("broodd(8) has no section on master")
	}
	masters, _, _ = strings.Cut(masters, "\n.SH ")
	compare(t, "--help", `--[a-z]+`, help, strings.ReplaceAll(ours, "brood postfix install", ""))
	flags, err := os.ReadFile("../../internal/masterd/flags.go")
	if err != nil {
		t.Fatal(err)
	}
	_, usage, ok := strings.Cut(string(flags), "const usage = ")
	if !ok {
		t.Fatal("master has no usage line")
	}
	usage, _, _ = strings.Cut(usage, "\n\n")
	compare(t, "master's usage", `(?m)(?:\[|^\.BR? )(-[a-zA-Z])\b`, usage, masters)
}

// compare wants the same options in both texts.
func compare(t *testing.T, what, pattern, command, manual string) {
	t.Helper()
	find := func(text string) []string {
		var all []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, m[len(m)-1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	got, want := find(manual), find(command)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("broodd(8) has %q, and %s %q", got, what, want)
	}
}
