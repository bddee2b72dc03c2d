package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/scoreboard"
)

// TestMainCf: what Postfix says of main.cf is told where its daemon could not,
// and nothing is asked of a directory that somebody else may write to.
func TestMainCf(t *testing.T) {
	dir := t.TempDir()
	command := filepath.Join(dir, "postmap")
	for path, text := range map[string]string{
		command:                       "#!/bin/sh\necho \"postmap: fatal: file $2/main.cf: parameter setgid_group: unknown group name: nosuch\" >&2\nexit 1\n",
		filepath.Join(dir, "main.cf"): "setgid_group = nosuch\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	defer func(was string) { postmap = was }(postmap)
	postmap = command
	for _, row := range []struct {
		what  string
		mode  string
		death scoreboard.Death
		perm  os.FileMode
		told  bool
	}{
		{"without a word", "postfix", scoreboard.Death{Exit: 1}, 0o755, true},
		{"with words", "postfix", scoreboard.Death{Exit: 1, Words: []string{"fatal: x"}}, 0o755, false},
		{"of a signal", "postfix", scoreboard.Death{Signal: 9}, 0o755, false},
		{"not Postfix", "native", scoreboard.Death{Exit: 1}, 0o755, false},
		{"in anybody's directory", "postfix", scoreboard.Death{Exit: 1}, 0o777, false},
	} {
		if err := os.Chmod(dir, row.perm); err != nil {
			t.Fatal(err)
		}
		s := scoreboard.Service{Failure: &row.death}
		found := fmt.Sprint(Service(&scoreboard.Picture{Mode: row.mode, Source: dir, PID: 1}, &s))
		if got := strings.Contains(found, "parameter setgid_group: unknown group name: nosuch."); got != row.told {
			t.Errorf("%s: %s", row.what, found)
		}
	}
}
