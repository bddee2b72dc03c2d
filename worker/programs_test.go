package worker_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/worker"
)

// programs are the workers under test. The test binary becomes one of them when
// it is called by its name, which is how a master calls its children.
var programs = map[string]func(){
	"single": func() {
		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
			w.Logger().Info("ready", "service", w.Service())
			return w.Serve(ctx, answer(w))
		})
	},
	"multi": func() {
		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
			return w.ServeMulti(ctx, 0, answer(w))
		})
	},
	"multi2": func() {
		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
			return w.ServeMulti(ctx, 2, answer(w))
		})
	},
	"web": func() {
		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
			page := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(rw, "pid %d", os.Getpid())
			})
			return w.ServeListener(ctx, 1, &http.Server{Handler: page})
		})
	},
	"trigger": func() {
		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
			return w.ServeTrigger(ctx, func(_ context.Context, calls []byte) {
				w.Logger().Info(fmt.Sprintf("woken by %q over %s", calls[:1], w.Transport()))
			})
		})
	},
	"dgram": func() {
		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
			return w.ServeDatagram(ctx, func(_ context.Context, d worker.Datagram) {
				if err := d.Reply(append([]byte("re: "), d.Data...)); err != nil {
					w.Logger().Warn(err.Error())
				}
			})
		})
	},
	"broken": func() {
		worker.Main(worker.Options{}, func(context.Context, *worker.Worker) error {
			return fmt.Errorf("cannot open table: no\nsuch file")
		})
	},
}

func TestMain(m *testing.M) {
	if main, ok := programs[filepath.Base(os.Args[0])]; ok {
		main()
	}
	os.Exit(m.Run())
}

// answer echoes lines; "who" is answered with who the worker is, and "attr"
// with what a sender of descriptors said about the client.
func answer(w *worker.Worker) worker.Handler {
	return func(_ context.Context, conn net.Conn) {
		fmt.Fprintf(conn, "pid %d\n", os.Getpid())
		in := bufio.NewScanner(conn)
		for in.Scan() {
			switch in.Text() {
			case "who":
				fmt.Fprintln(conn, whoami())
			case "attr":
				if p, ok := conn.(*worker.Passed); ok {
					fmt.Fprintln(conn, p.Attributes["client_address"])
				} else {
					fmt.Fprintln(conn, "none")
				}
			case "leave?":
				select {
				case <-w.Leaving():
					fmt.Fprintln(conn, "leaving")
				case <-time.After(10 * time.Second):
					fmt.Fprintln(conn, "staying")
				}
			default:
				fmt.Fprintln(conn, in.Text())
			}
		}
	}
}

func whoami() string {
	groups, err := os.Getgroups()
	if err != nil {
		return err.Error()
	}
	var here, root syscall.Stat_t
	if err := syscall.Stat(".", &here); err != nil {
		return err.Error()
	}
	if err := syscall.Stat("/", &root); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("uid=%d euid=%d gid=%d groups=%v cwd=%d root=%d",
		os.Getuid(), os.Geteuid(), os.Getgid(), groups, here.Ino, root.Ino)
}

// client is a connection to a worker; every step has a deadline.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, network, address string) *client {
	t.Helper()
	conn, err := net.DialTimeout(network, address, await.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(await.Patience))
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func (c *client) line() string {
	c.t.Helper()
	s, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("no line from the worker: %v", err)
	}
	return s[:len(s)-1]
}

func (c *client) ask(s string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// greet reads the first line, which tells who serves.
func (c *client) greet() int {
	c.t.Helper()
	var pid int
	if _, err := fmt.Sscanf(c.line(), "pid %d", &pid); err != nil {
		c.t.Fatal(err)
	}
	return pid
}

func (c *client) close() { c.conn.Close() }

// bye closes and waits until the worker has closed as well.
func (c *client) bye() {
	c.t.Helper()
	must(c.t, c.conn.(interface{ CloseWrite() error }).CloseWrite())
	if _, err := io.Copy(io.Discard, c.in); err != nil {
		c.t.Fatal(err)
	}
	c.conn.Close()
}
