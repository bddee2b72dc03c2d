package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that is told of errors, and goes on.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Errorf(format string, args ...any) { r.said += fmt.Sprintf(format, args...) }

func TestCompare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "file")
	defer func(was bool) { *rewrite = was }(*rewrite)
	*rewrite = true
	Compare(t, path, "one\n") // there is none yet, not even its directory
	*rewrite = false
	Compare(t, path, "one\n")
	other := &recorder{TB: t}
	Compare(other, path, "two\n")
	if !strings.Contains(other.said, path) || !strings.Contains(other.said, "two") {
		t.Errorf("another text: %q", other.said)
	}
	if b, err := os.ReadFile(path); string(b) != "one\n" || err != nil {
		t.Errorf("%q, %v: a comparison changes nothing", b, err)
	}
}
