package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/demo"
)

// Options is how the tour is to be shown.
type Options struct {
	// Broodd is the daemon's path.
	Broodd string
	// Out takes what there is to see.
	Out io.Writer
	// Look is how.
	Look Look
	// Quick leaves out the pauses for reading.
	Quick bool
}

// beat is how long a reader gets for what has just appeared.
const beat = 800 * time.Millisecond

// pathMost is the longest path of a unix socket, unix(7).
const pathMost = 107

// tour is one run.
type tour struct {
	*screen
	quick  bool
	dir    string
	daemon *daemon
	began  time.Time

	guests []*guest // those that are there, in the order of their coming
	came   int      // how many there have been
	seen   map[int]struct{}
}

// Run shows the tour. When ctx is done before the end it leaves at once, which
// is no failure. AFTER: no process and no file is left.
func Run(ctx context.Context, o Options) (err error) {
	// broodd's life is bound to that of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := &tour{screen: &screen{out: o.Out, look: o.Look}, quick: o.Quick, began: time.Now(), seen: map[int]struct{}{}}
	if t.dir, err = newDir(); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	t.line(t.paint(strong, " brood") + "   real processes, real sockets; no root, no Postfix, nothing left behind")
	if err := t.write("hello"); err != nil {
		return err
	}
	t.scene(1, "An open door, and nobody behind it")
	t.why("broodd owns the listening socket. No worker runs until somebody comes.")
	if t.daemon, err = startDaemon(o.Broodd, t.dir, t.logged, "--demo", t.dir); err != nil {
		return err
	}
	err = t.show(ctx)
	if ctx.Err() == nil && err == nil {
		err = t.screen.broken
	}
	return t.end(ctx, err)
}

// newDir makes the directory that all of it lives in, where the name of a
// socket fits.
func newDir() (string, error) {
	dir, err := os.MkdirTemp("", "brood-demo-")
	if err == nil && len(filepath.Join(dir, demo.SocketFile)) > pathMost {
		os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "brood-demo-")
	}
	if err != nil {
		return "", fmt.Errorf("cannot make a directory for the demonstration: %w", err)
	}
	return dir, nil
}

// end leaves, whatever has happened, and tells what was.
func (t *tour) end(ctx context.Context, err error) error {
	for _, g := range t.guests {
		g.leave()
	}
	if stopErr := t.daemon.stop(); err == nil {
		err = stopErr
	}
	if rmErr := os.RemoveAll(t.dir); err == nil && rmErr != nil {
		err = fmt.Errorf("cannot remove the demonstration's files: %w", rmErr)
	}
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())):
		t.line("")
		t.why("Left early: no process is left, and no file.")
		return nil
	case err != nil:
		return err
	}
	t.line("    " + t.paint(good, fmt.Sprintf("%d clients came and were served by %d workers, within %.0f s; none was refused.",
		t.came, len(t.seen), time.Since(t.began).Seconds())))
	t.line("    " + t.paint(good, "No process is left, and no file."))
	t.line("")
	t.why("What next? README.md. If you run Postfix: brood postfix install --dry-run")
	return t.screen.broken
}

// pause lets the reader read.
func (t *tour) pause(ctx context.Context, beats float64) error {
	if t.broken != nil {
		return t.broken
	}
	if t.quick {
		return ctx.Err()
	}
	select {
	case <-time.After(time.Duration(beats * float64(beat))):
	case <-ctx.Done():
	case <-t.daemon.over:
		return t.daemon.early()
	}
	return ctx.Err()
}

// write is the greeting from now on.
func (t *tour) write(greeting string) error {
	if err := os.WriteFile(filepath.Join(t.dir, demo.GreetingFile), []byte(greeting+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot write the greeting: %w", err)
	}
	return nil
}

// come has a guest connect.
func (t *tour) come(name string) (*guest, error) { return t.comeTo(demo.SocketFile, name) }

// comeTo has a guest connect to a socket of another name.
func (t *tour) comeTo(socket, name string) (*guest, error) {
	g, err := newGuest(filepath.Join(t.dir, socket), name)
	if err != nil {
		return nil, err
	}
	t.came++
	t.guests = append(t.guests, g)
	return g, nil
}

// served waits until a guest is greeted, and tells.
func (t *tour) served(ctx context.Context, g *guest, remark string) error {
	if err := g.beGreeted(ctx); err != nil {
		return err
	}
	t.greeted(g, remark)
	return nil
}

// greeted tells who serves a guest.
func (t *tour) greeted(g *guest, remark string) {
	t.seen[g.pid] = struct{}{}
	t.line(fmt.Sprintf("    %-5s %s %s %s", g.name, t.paint(faint, "←"),
		t.paint(good, fmt.Sprintf("%q from worker %d", g.greet, g.pid)),
		t.paint(faint, fmt.Sprintf("after %s%s", short(g.took), remark))))
}

// leave has guests hang up.
func (t *tour) leave(guests ...*guest) {
	for _, g := range slices.Clone(guests) {
		g.leave()
		t.guests = slices.DeleteFunc(t.guests, func(other *guest) bool { return other == g })
	}
}

// picture draws the pool: who serves whom, who is free, what place is empty,
// and who waits.
func (t *tour) picture() {
	host := map[int]string{}
	var waiting []string
	for _, g := range t.guests {
		if g.pid == 0 {
			waiting = append(waiting, g.name)
		} else {
			host[g.pid] = g.name
		}
	}
	line := "    " + t.paint(faint, "pool") + "  "
	workers := t.daemon.workers()
	for _, pid := range workers {
		if name, busy := host[pid]; busy {
			line += t.paint(good, fmt.Sprintf("■ %d %-6s", pid, name))
		} else {
			line += fmt.Sprintf("□ %d %-6s", pid, "free")
		}
	}
	for range demo.Limit - len(workers) {
		line += t.paint(faint, "· ")
	}
	if len(waiting) > 0 {
		line += "  " + t.paint(warm, "waiting: "+strings.Join(waiting, ", "))
	}
	t.line(line)
}

// short is a duration as a person would say it.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
