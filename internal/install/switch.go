package install

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// systemdDir exists where systemd is the init system, sd_booted(3).
const systemdDir = "/run/systemd/system"

// startPatience is how long Postfix may take to run after a start.
const startPatience = 20 * time.Second

// stopStart are the commands by which this machine stops and starts Postfix: a
// Postfix that systemd started has to be started by systemd again, or systemd
// would not know it.
type stopStart struct {
	site        *site
	stop, start []string
}

func (s *site) stopAndStart(ctx context.Context) stopStart {
	if st, err := os.Stat(systemdDir); err == nil && st.IsDir() {
		if _, err := output(ctx, "systemctl", "is-active", "--quiet", "postfix"); err == nil {
			return stopStart{s, []string{"systemctl", "stop", "postfix"}, []string{"systemctl", "start", "postfix"}}
		}
	}
	return stopStart{s, []string{"postfix", "stop"}, []string{"postfix", "start"}}
}

// String is what the operator would type.
func (c stopStart) String() string {
	return strings.Join(c.stop, " ") + " && " + strings.Join(c.start, " ")
}

func (c stopStart) stopStep() step {
	return step{
		say:  fmt.Sprintf("stop Postfix: %s", strings.Join(c.stop, " ")),
		do:   func(ctx context.Context) error { return c.run(ctx, c.stop) },
		undo: c.startAndSee,
	}
}

func (c stopStart) startStep() step {
	return step{
		say: fmt.Sprintf("start Postfix: %s", strings.Join(c.start, " ")),
		do:  c.startAndSee,
	}
}

func (c stopStart) run(ctx context.Context, args []string) error {
	path, err := find(args[0])
	if err == nil {
		_, err = output(ctx, path, args[1:]...)
	}
	return err
}

// startAndSee starts Postfix and waits until a master holds the lock.
func (c stopStart) startAndSee(ctx context.Context) error {
	if err := c.run(ctx, c.start); err != nil {
		return err
	}
	deadline := time.After(startPatience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err := c.site.findRunning(); err == nil && c.site.running != 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("cannot start Postfix: it does not run %v after '%s'; see the mail log", startPatience, strings.Join(c.start, " "))
		}
	}
}
