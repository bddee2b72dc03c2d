// Package golden holds a text that a test has made against a file that is kept:
// what a person has read once and found good. With the flag -rewrite, which every
// test binary has that imports this package, the file is written anew, and whoever
// runs that reads the difference before it is committed.
//
// It is imported by tests and linked into no program. Its one error is a failed
// test, with the difference.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the difference before you believe it")

// Compare fails the test where the text is not what stands in the file at path.
func Compare(t testing.TB, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what is made now; -rewrite writes it anew (-file +made):\n%s", path, diff)
	}
}
