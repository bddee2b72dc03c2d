package tour

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/brood-project/brood/internal/demo"
)

// show is the tour, scene by scene.
func (t *tour) show(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{
		t.door, t.birth, t.fullHouse, t.crash, t.reload, t.anyProgram, t.farewell,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

// door is the moment before the first client.
func (t *tour) door(ctx context.Context) error {
	if err := t.daemon.await(ctx, 0, "daemon started"); err != nil {
		return err
	}
	t.picture()
	return t.pause(ctx, 1.5)
}

// birth shows a first client, and a second one that finds the worker warm.
func (t *tour) birth(ctx context.Context) error {
	t.scene(2, "A birth")
	t.why("A client connects: broodd sees that it waits, a worker is born and accepts.")
	ada, err := t.come("ada")
	if err != nil {
		return err
	}
	if err := t.served(ctx, ada, ", the birth included"); err != nil {
		return err
	}
	t.picture()
	if err := t.pause(ctx, 1); err != nil {
		return err
	}
	t.leave(ada)
	if err := t.pause(ctx, 0.3); err != nil {
		return err
	}
	ben, err := t.come("ben")
	if err != nil {
		return err
	}
	if err := ben.beGreeted(ctx); err != nil {
		return err
	}
	remark := ""
	if ben.pid == ada.pid {
		remark = ": the same one, still warm"
	}
	t.greeted(ben, remark)
	t.leave(ben)
	return t.pause(ctx, 1)
}

// fullHouse shows the limit: clients beyond it wait, and are served in turn.
func (t *tour) fullHouse(ctx context.Context) error {
	t.scene(3, "A full house")
	t.why(fmt.Sprintf("The limit is %d workers. Five clients come: two wait in the kernel's queue, none is refused.", demo.Limit))
	from := t.daemon.mark()
	for _, name := range []string{"cleo", "dan", "eve"} {
		g, err := t.come(name)
		if err != nil {
			return err
		}
		if err := t.served(ctx, g, ""); err != nil {
			return err
		}
	}
	if err := t.daemon.await(ctx, from, "or reduce the service time"); err != nil {
		return err
	}
	for _, name := range []string{"finn", "gus"} {
		if _, err := t.come(name); err != nil {
			return err
		}
	}
	t.picture()
	if err := t.pause(ctx, 2); err != nil {
		return err
	}
	t.why("cleo hangs up, and her place is taken at once:")
	t.leave(t.guests[0])
	if err := t.served(ctx, t.guests[2], " in the queue"); err != nil {
		return err
	}
	t.leave(t.guests[0])
	if err := t.served(ctx, t.guests[2], " in the queue"); err != nil {
		return err
	}
	t.leave(t.guests...)
	t.why(fmt.Sprintf("All hang up. A worker that nobody has needed for %s leaves by itself.", maxIdle))
	if err := t.daemon.awaitWorkers(ctx, "idle workers to leave", func(pids []int) bool { return len(pids) == 0 }); err != nil {
		return err
	}
	t.picture()
	return t.pause(ctx, 0.5)
}

// crash shows a worker that dies at birth: births are held back, the reason is
// named, clients wait, and all is well once the cause is mended.
func (t *tour) crash(ctx context.Context) error {
	greeting := filepath.Join(t.dir, demo.GreetingFile)
	t.scene(4, "A crash")
	t.why("The file with the workers' greeting gets lost, so the next worker dies before it can serve. Births stop for a while, and broodd says who died, of what, and what comes next.")
	t.deed("rm " + demo.GreetingFile)
	if err := os.Remove(greeting); err != nil {
		return fmt.Errorf("cannot remove the greeting: %w", err)
	}
	from := t.daemon.mark()
	if _, err := t.come("hal"); err != nil {
		return err
	}
	if err := t.daemon.await(ctx, from, "throttling for"); err != nil {
		return err
	}
	for _, name := range []string{"ivy", "jo"} {
		if _, err := t.come(name); err != nil {
			return err
		}
	}
	t.picture()
	if err := t.pause(ctx, 1.2); err != nil {
		return err
	}
	t.why("Nobody is turned away. We mend the cause and do nothing else:")
	t.deed("echo welcome back >" + demo.GreetingFile)
	if err := t.write("welcome back"); err != nil {
		return err
	}
	for _, g := range t.guests {
		if err := t.served(ctx, g, " in the queue"); err != nil {
			return err
		}
	}
	t.picture()
	return t.pause(ctx, 1.2)
}

// reload shows new workers beside an old one that serves on, and a socket that
// stays.
func (t *tour) reload(ctx context.Context) error {
	t.scene(5, "A reload")
	t.why("Old workers finish their clients, new clients get new workers, and the socket stays the same, with whoever waits in it.")
	hal := t.guests[0]
	t.leave(t.guests[1:]...)
	before, err := t.socket()
	if err != nil {
		return err
	}
	if err := t.write("good morning"); err != nil {
		return err
	}
	from := t.daemon.mark()
	t.deed(fmt.Sprintf("kill -HUP %d", t.daemon.pid()))
	if err := t.daemon.signal(syscall.SIGHUP); err != nil {
		return err
	}
	if err := t.daemon.await(ctx, from, "reload --"); err != nil {
		return err
	}
	if err := t.daemon.awaitWorkers(ctx, "idle workers to leave", func(pids []int) bool {
		return slices.Equal(pids, []int{hal.pid})
	}); err != nil {
		return err
	}
	kim, err := t.come("kim")
	if err != nil {
		return err
	}
	if err := t.served(ctx, kim, ": a new worker"); err != nil {
		return err
	}
	if err := hal.talk(ctx, "still there?"); err != nil {
		return err
	}
	after, err := t.socket()
	if err == nil && after != before {
		err = fmt.Errorf("cannot show a reload that keeps the socket: inode %d has become %d", before, after)
	}
	if err != nil {
		return err
	}
	t.line(fmt.Sprintf("    %-5s %s %s", hal.name, t.paint(faint, "←"),
		t.paint(good, fmt.Sprintf("\"still there?\" repeated by worker %d", hal.pid))+t.paint(faint, ", the old one")))
	t.why(fmt.Sprintf("The socket's inode was %d and is %d.", before, after))
	t.picture()
	return t.pause(ctx, 1.5)
}

// socket is the inode of the door.
func (t *tour) socket() (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(t.dir, demo.SocketFile), &st); err != nil {
		return 0, fmt.Errorf("cannot look at the socket: %w", err)
	}
	return st.Ino, nil
}

// farewell has everybody leave. What follows is end's.
func (t *tour) farewell(ctx context.Context) error {
	t.scene(7, "Good night")
	t.leave(t.guests...)
	t.deed(fmt.Sprintf("kill -TERM %d", t.daemon.pid()))
	return ctx.Err()
}
