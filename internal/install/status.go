package install

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Status tells which master is in place and which one runs.
func Status(ctx context.Context, out io.Writer) error {
	s, err := lookAround(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "postfix     %s, daemons in %s\n", s.version, s.daemonDir)
	fmt.Fprintf(out, "in place    %s\n", s.master.name(ctx))
	if s.aside.exists {
		how := ""
		if s.diverted() {
			how = ", and dpkg knows"
		}
		fmt.Fprintf(out, "set aside   %s at %s%s\n", s.aside.name(ctx), s.aside.path, how)
	}
	running := "no"
	switch {
	case os.Geteuid() != 0:
		running = "only root can tell"
	case s.running != 0:
		running = fmt.Sprintf("%s, pid %d", s.runs.name(ctx), s.running)
	}
	fmt.Fprintf(out, "running     %s\n", running)
	return nil
}
