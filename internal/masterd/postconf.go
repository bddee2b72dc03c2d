package masterd

import (
	"fmt"
	"io"
	"os"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/mastercf"
)

// ask has postconf(1) print the defaults that are compiled into the installed
// Postfix. BEFORE: nobody else reaps yet; it is done once, at the start.
func ask(postconf string) (mastercf.Printed, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("cannot ask %s: %w", postconf, err)
	}
	defer r.Close()
	pid, err := child.Start(&child.Spec{
		Path: postconf, Args: []string{"postconf", "-d"}, Env: os.Environ(),
		Umask: 0o077, Files: []int{-1, int(w.Fd()), -1},
	})
	w.Close()
	if err != nil {
		return "", fmt.Errorf("cannot ask %s: %w", postconf, err)
	}
	said, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("cannot ask %s: %w", postconf, err)
	}
	if d, err := child.Wait(pid); err != nil || d.Status != 0 {
		return "", fmt.Errorf("cannot ask %s: it ended with status %d", postconf, d.Status.ExitStatus())
	}
	return mastercf.Printed(said), nil
}
