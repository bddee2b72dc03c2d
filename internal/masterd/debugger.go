package masterd

import (
	"fmt"
	"os"

	"github.com/brood-project/brood/internal/child"
)

// debug runs debugger_command on this process, as -D and MAIL_DEBUG ask. It
// does not wait for it: the debugger is a child like any stranger's.
func (d *daemon) debug() error {
	command, err := d.config.DebuggerCommand(tag, os.Getpid())
	if err != nil {
		return fmt.Errorf("debugger_command: %w", err)
	}
	if command == "" {
		d.log.warn("no debugger_command in main.cf: option -D has no effect")
		return nil
	}
	_, err = child.Begin(&child.Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", command}, Env: os.Environ(),
		Umask: 0o077, Files: []int{0, 1, 2},
	})
	if err != nil {
		return fmt.Errorf("cannot run debugger_command: %w", err)
	}
	return nil
}

// wantsDebugger tells whether the operator asked for one.
func (d *daemon) wantsDebugger() bool {
	_, asked := os.LookupEnv("MAIL_DEBUG")
	return d.flags.debugger || asked
}
