package inspect

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/brood-project/brood/internal/scoreboard"
)

// postmap is a command of Postfix's that reads main.cf as its daemons do. Asked
// of a table that is no file it looks at nothing else, and writes nothing.
var postmap = "postmap"

// postmapMost is how long it may take: it waits while main.cf looks freshly
// written.
const postmapMost = 5 * time.Second

// mainCf asks Postfix what is wrong with main.cf where a daemon has ended without
// a word: with some mistakes none can begin, not even the one that writes their
// log.
func (in *inspection) mainCf() {
	d := in.service.Failure
	if in.picture.Mode != "postfix" || d == nil || d.Cause != "" || d.Exit == 0 || len(d.Words) > 0 || !trusted(in.picture.Source) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), postmapMost)
	defer cancel()
	out, err := exec.CommandContext(ctx, postmap, "-c", in.picture.Source, "-q", "x", "static:x").CombinedOutput()
	var status *exec.ExitError
	if !errors.As(err, &status) {
		return
	}
	if _, fault, fatal := strings.Cut(string(out), "fatal: "); fatal {
		fault, _, _ = strings.Cut(fault, "\n")
		in.found = append(in.found, scoreboard.Finding{
			About: "file", Wrong: true,
			Text: "Postfix refuses its configuration: " + fault + ".",
			Do:   "Correct that in " + filepath.Join(in.picture.Source, "main.cf") + "; the daemons read it when they are born.",
		})
	}
}

// trusted tells whether a configuration directory is root's or our own: the picture
// that names it may be anybody's, and so what a command makes of it.
func trusted(dir string) bool {
	for _, path := range []string{dir, filepath.Join(dir, "main.cf")} {
		info, err := os.Stat(path)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
			return false
		}
	}
	return filepath.IsAbs(dir)
}
