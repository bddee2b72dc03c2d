package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/brood-project/brood/internal/await"
)

// exits runs a command and wants a certain exit status: exits 2 brood nonsense.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		status = exit.ExitCode()
	}
	if status != want {
		ts.Fatalf("%s: exit status %d, want %d", strings.Join(args[1:], " "), status, want)
	}
}

// awaitFile waits until a file is there that matches a pattern.
func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	await.That(patient{ts}, args[0], func() bool {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		return len(found) > 0
	})
}

// noProcess wants every process to be gone that names a text in its arguments
// or lives in a directory of that name.
func noProcess(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: noprocess TEXT")
	}
	await.That(patient{ts}, "the processes are gone",
		func() bool { return len(processes(args[0])) == 0 },
		func() string { return strings.Join(processes(args[0]), "\n") })
}

func processes(text string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		if proc == "/proc/"+strconv.Itoa(os.Getpid()) {
			continue
		}
		arguments, _ := os.ReadFile(proc + "/cmdline")
		home, _ := os.Readlink(proc + "/cwd")
		if bytes.Contains(arguments, []byte(text)) || strings.Contains(home, text) {
			found = append(found, proc)
		}
	}
	return found
}

// patient is a script that may wait.
type patient struct{ *testscript.TestScript }

// Helper has no meaning here: it is the script's line that is told.
func (patient) Helper() {}

// columns wants no line of a file to be longer than that.
func columns(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: columns N FILE")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		line = strings.TrimRight(line, "\r\n")
		if n := utf8.RuneCountInString(line); n > most {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// differ compares two files byte by byte: differ A B wants a difference, and
// ! differ A B wants none. cmp would print whole programs.
func differ(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] differ FILE FILE")
	}
	a, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if bytes.Equal(a, b) != neg {
		ts.Fatalf("%s and %s: %d and %d bytes, alike: %v", args[0], args[1], len(a), len(b), bytes.Equal(a, b))
	}
}

// substitute replaces a word in a file: substitute FILE WORD TEXT.
func substitute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: substitute FILE WORD TEXT")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}
