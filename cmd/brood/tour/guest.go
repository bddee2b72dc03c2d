package tour

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"
)

// guest is one client.
type guest struct {
	name string
	conn net.Conn
	came time.Time
	// heard is what the worker says, line by line.
	heard chan string

	// What the greeting told; pid is 0 while the guest waits.
	pid   int
	greet string
	took  time.Duration
}

// newGuest connects. The kernel puts the connection into the accept queue;
// whether somebody takes it is another matter.
func newGuest(path, name string) (*guest, error) {
	g := &guest{name: name, came: time.Now(), heard: make(chan string, 16)}
	var err error
	if g.conn, err = net.Dial("unix", path); err != nil {
		return nil, fmt.Errorf("cannot connect %s: %w", name, err)
	}
	go func() {
		defer close(g.heard)
		for lines := bufio.NewScanner(g.conn); lines.Scan(); {
			g.heard <- lines.Text()
		}
	}()
	return g, nil
}

// listen returns the next line that the worker says.
func (g *guest) listen(ctx context.Context) (string, error) {
	select {
	case line, ok := <-g.heard:
		if !ok {
			return "", fmt.Errorf("cannot go on: %s's worker has hung up", g.name)
		}
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(patience):
		return "", fmt.Errorf("cannot go on: %s has waited for %v", g.name, patience)
	}
}

// beGreeted waits for a worker.
func (g *guest) beGreeted(ctx context.Context) error {
	line, err := g.listen(ctx)
	if err != nil {
		return err
	}
	g.took = time.Since(g.came)
	pid, text, ok := cutNumber(line)
	if !ok {
		return fmt.Errorf("cannot understand the worker's greeting %q", line)
	}
	g.pid, g.greet = pid, text
	return nil
}

// cutNumber parts "PID TEXT".
func cutNumber(line string) (n int, text string, ok bool) {
	if _, err := fmt.Sscanf(line, "%d", &n); err != nil {
		return 0, "", false
	}
	prefix := fmt.Sprint(n) + " "
	if len(line) < len(prefix) {
		return 0, "", false
	}
	return n, line[len(prefix):], true
}

// talk says something and waits until the worker has repeated it.
func (g *guest) talk(ctx context.Context, text string) error {
	if _, err := fmt.Fprintln(g.conn, text); err != nil {
		return fmt.Errorf("cannot talk to %s's worker: %w", g.name, err)
	}
	answer, err := g.listen(ctx)
	if err == nil && answer != text {
		err = fmt.Errorf("cannot understand %s's worker: it says %q", g.name, answer)
	}
	return err
}

func (g *guest) leave() { g.conn.Close() }
