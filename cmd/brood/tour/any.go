package tour

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The other face: a brood.toml, and a program that knows of nothing.
const (
	poolFile   = "brood.toml"
	poolSocket = "sh"
	pool       = `[service.shell]
listen   = ["unix://{runtime}/sh"]
command  = ["sh", "-c", "read name; echo $$ hello $name; cat"]
protocol = "inetd"
workers  = { max = 3 }
`
	poolMistake = `workers  = { max = three }`
)

// anyProgram shows a pool of a brood.toml, and a mistake in it, with a broodd of
// its own.
func (t *tour) anyProgram(ctx context.Context) (err error) {
	t.scene(6, "Any program")
	t.why("So far the workers spoke the protocol of Postfix. This is another broodd, with a file of its own and a worker that has never heard of it:")
	if err := t.writePool(pool); err != nil {
		return err
	}
	for line := range strings.Lines(pool) {
		t.line("    " + t.paint(strong, strings.TrimSuffix(line, "\n")))
	}
	first := t.daemon
	second, err := startDaemon(first.cmd.Path, t.dir, t.logged, "-c", poolFile)
	if err != nil {
		return err
	}
	t.daemon = second
	defer func() {
		t.daemon = first
		if stopErr := second.stop(); err == nil {
			err = stopErr
		}
	}()
	if err := second.await(ctx, 0, "daemon started"); err != nil {
		return err
	}
	if err := t.twoShells(ctx); err != nil {
		return err
	}
	return t.mistake(ctx)
}

// writePool writes the brood.toml, and below what is shown of it where its
// sockets are to be.
func (t *tour) writePool(text string) error {
	text += fmt.Sprintf("\n[brood]\nruntime = %q\nlog.to = \"stderr\"\n", t.dir)
	if err := os.WriteFile(filepath.Join(t.dir, poolFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("cannot write %s: %w", poolFile, err)
	}
	return nil
}

// twoShells shows a worker for each client.
func (t *tour) twoShells(ctx context.Context) error {
	for _, name := range []string{"lou", "max"} {
		g, err := t.comeTo(poolSocket, name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(g.conn, name); err != nil {
			return fmt.Errorf("cannot talk to %s's worker: %w", name, err)
		}
		if err := t.served(ctx, g, ", the birth included"); err != nil {
			return err
		}
	}
	t.picture()
	t.leave(t.guests[len(t.guests)-2:]...)
	return t.pause(ctx, 1)
}

// mistake shows a reload that is refused.
func (t *tour) mistake(ctx context.Context) error {
	t.why("A file with a mistake changes nothing, and is told with its place:")
	t.deed(fmt.Sprintf("sed -i 's/max = 3/max = three/' %s; kill -HUP %d", poolFile, t.daemon.pid()))
	lines := strings.SplitAfter(pool, "\n")
	if err := t.writePool(strings.Join(lines[:4], "") + poolMistake + "\n"); err != nil {
		return err
	}
	from := t.daemon.mark()
	if err := t.daemon.signal(syscall.SIGHUP); err != nil {
		return err
	}
	if err := t.daemon.await(ctx, from, poolFile+":5:"); err != nil {
		return err
	}
	return t.pause(ctx, 1)
}
