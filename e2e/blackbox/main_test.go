package blackbox

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test binary play every part: under the name of a fake
// daemon it is a child of the master under test, otherwise it runs the tests.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), fakeCommand) {
		os.Exit(daemonMain())
	}
	flag.Parse()
	// The rows wait far more than they work, so a machine with two cores
	// still carries several instances at a time.
	if !flagGiven("test.parallel") {
		_ = flag.Set("test.parallel", "8")
	}
	code := m.Run()
	removeBuilds()
	os.Exit(code)
}

func flagGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
