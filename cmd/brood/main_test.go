package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// bin is where the two commands under test are.
var bin string

// TestMain builds the commands as they are shipped.
func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if bin = os.Getenv(insideBin); bin != "" {
		return m.Run()
	}
	flag.Parse()
	// The scripts wait for daemons most of the time, so that more of them than
	// there are processors run well together.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "brood-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Everybody may run them.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = filepath.Join(dir, "bin")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-X main.version=v0.0.0-test", "-o", bin+"/",
		"github.com/brood-project/brood/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the commands: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// TestScripts holds the promises that need nothing but this repository.
func TestScripts(t *testing.T) {
	t.Parallel()
	noteSources(t)
	testscript.Run(t, params("testdata/script/*.txtar"))
}

// noteSources looks at all that the commands are made from, so that the go
// command does not take an old result for theirs: it remembers what a test has
// opened, and cannot know what a test has built.
func noteSources(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"../../cmd", "../../internal", "../../masterproto", "../../worker"} {
		must(t, filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { return nil }))
	}
}

func params(pattern string) testscript.Params {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		panic("no scripts: " + pattern)
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+":/usr/sbin:/usr/bin:/sbin:/bin")
			env.Setenv("BIN", bin)
			env.Setenv("REPOSITORY", repository)
			env.Setenv("LC_ALL", "C.UTF-8")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"await":      awaitFile,
			"noprocess":  noProcess,
			"columns":    columns,
			"differ":     differ,
			"fake":       fake,
			"substitute": substitute,
		},
	}
}
