package master

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/masterproto"
)

// roleVariable turns the test binary into a child.
const roleVariable = "BROOD_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		// Under the race detector every child would rest for a second before it
		// ends. Ours read this when it began.
		os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
		os.Exit(m.Run())
	case "crash":
		os.Exit(7)
	case "shut":
		_ = syscall.Shutdown(masterproto.FDStatus, syscall.SHUT_RDWR)
		serve()
	case "shut-listener":
		takeOneAndShut()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		serve()
	default:
		if role := roles[os.Getenv(roleVariable)]; role != nil {
			role()
			return
		}
		serve()
	}
}

// roles are further children that the test binary can be.
var roles = map[string]func(){}

// serve is an honest child: it takes one client after another, tells it its pid,
// and is done with it when the client says so. End-of-file on the status
// channel ends it, but for the stubborn one.
func serve() {
	status := os.NewFile(masterproto.FDStatus, "status")
	stubborn := os.Getenv(roleVariable) == "stubborn"
	go func() {
		_, _ = status.Read(make([]byte, 1))
		if !stubborn {
			os.Exit(0)
		}
	}()
	l, err := net.FileListener(os.NewFile(masterproto.FDListen, "listener"))
	if err != nil {
		os.Exit(3)
	}
	generation, _ := masterproto.ParseGeneration(os.Getenv(masterproto.EnvGeneration))
	report := func(s masterproto.State) {
		_, _ = status.Write(masterproto.AppendStatus(nil, masterproto.Status{
			PID: int32(os.Getpid()), Generation: generation, State: s,
		}))
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(4)
		}
		report(masterproto.Taken)
		fmt.Fprintln(c, os.Getpid())
		_, _ = io.Copy(io.Discard, c)
		c.Close()
		report(masterproto.Available)
	}
}

// takeOneAndShut takes one client and shuts the listening socket down for all who
// hold it. It leaves with status 0, or when the client says so.
func takeOneAndShut() {
	_ = syscall.SetNonblock(masterproto.FDListen, false)
	c, _, err := syscall.Accept(masterproto.FDListen)
	if err != nil {
		os.Exit(5)
	}
	_ = syscall.Shutdown(masterproto.FDListen, syscall.SHUT_RDWR)
	_, _ = syscall.Write(c, fmt.Appendln(nil, os.Getpid()))
	_, _ = syscall.Read(c, make([]byte, 1))
	os.Exit(0)
}

// world is a running Master with what a test needs to look at it.
type world struct {
	t     *testing.T
	dir   string
	m     *Master
	ended chan os.Signal

	mu    sync.Mutex
	next  *plan.Plan
	fails error
	lines []string
	news  *sync.Cond
}

// start runs a Master with the services given.
func start(t *testing.T, services ...*plan.Service) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), ended: make(chan os.Signal, 1)}
	w.news = sync.NewCond(&w.mu)
	m, err := New(Options{
		First:     w.place(services...),
		Reload:    w.reload,
		Describe:  "test",
		LimitFile: "the test",
		Log:       slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.run(m)
	return w
}

// run has the Master run until the test ends.
func (w *world) run(m *Master) {
	w.m = m
	go func() { w.ended <- m.Run() }()
	w.t.Cleanup(w.end)
}

// place gives services their sockets below the test's directory.
func (w *world) place(services ...*plan.Service) *plan.Plan {
	for _, s := range services {
		if s.Endpoints == nil {
			s.Endpoints = []plan.Endpoint{{
				Network: plan.NetUnix, Path: filepath.Join(w.dir, s.Name), Mode: 0o600, UID: -1, GID: -1, Backlog: 100,
			}}
		}
	}
	return &plan.Plan{Services: services}
}

// Write takes a log line.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, strings.TrimSpace(string(b)))
	w.news.Broadcast()
	return len(b), nil
}

// logged waits for a log line that holds text, from the line number from on,
// and returns the number of the line after it.
func (w *world) logged(from int, text string) int {
	w.t.Helper()
	deadline := time.Now().Add(await.Patience)
	timeout := time.AfterFunc(await.Patience, w.news.Broadcast)
	defer timeout.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := from; ; i++ {
		for i >= len(w.lines) {
			if time.Now().After(deadline) {
				w.t.Fatalf("no log line holds %q; the log:\n%s", text, strings.Join(w.lines, "\n"))
			}
			w.news.Wait()
		}
		if strings.Contains(w.lines[i], text) {
			return i + 1
		}
	}
}

func (w *world) reload() (*Proposal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails != nil {
		return nil, w.fails
	}
	return &Proposal{Plan: w.next}, nil
}

// propose reloads with other services.
func (w *world) propose(services ...*plan.Service) {
	w.mu.Lock()
	w.next = w.place(services...)
	w.mu.Unlock()
	w.m.signals <- syscall.SIGHUP
}

// end stops the Master and kills what is left of its children.
func (w *world) end() {
	if w.m.opts.Gentle {
		w.endGently()
		return
	}
	select {
	case <-w.m.over:
		for pid := range w.m.children {
			_ = syscall.Kill(int(pid), syscall.SIGKILL)
		}
		return
	default:
	}
	w.eventually("no children are left", func() bool {
		left := 0
		w.call(func() {
			left = len(w.m.children)
			for pid := range w.m.children {
				w.m.kill(pid, syscall.SIGKILL) // a client that left may have had it born just now
			}
		})
		return left == 0
	})
	w.m.signals <- syscall.SIGTERM
	<-w.ended
}

// stopped waits until the loop has ended by itself, and is the signal that it ended
// by. The end of the test waits for that too.
func (w *world) stopped() os.Signal {
	w.t.Helper()
	select {
	case sig := <-w.ended:
		w.ended <- sig
		return sig
	case <-time.After(await.Patience):
		w.t.Fatal("it does not end")
		return nil
	}
}

func (w *world) call(f func()) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	defer cancel()
	if err := w.m.Call(ctx, f); err != nil {
		w.t.Fatal(err)
	}
}

// eventually is await.That, with the log as the evidence.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	await.That(w.t, what, ok, func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return "the log:\n" + strings.Join(w.lines, "\n")
	})
}

// view is the pool of a service as it stands.
func (w *world) view(name string) (v pool.View) {
	w.t.Helper()
	w.call(func() { v = w.m.life(w.m.services[name]).View() })
	return v
}

// client is a connection and the pid of the child that took it.
type client struct {
	net.Conn
	pid int
}

func (w *world) connect(name string) net.Conn {
	w.t.Helper()
	c, err := net.Dial("unix", filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// served waits until a child has taken the connection.
func (w *world) served(c net.Conn) client {
	w.t.Helper()
	_ = c.SetDeadline(time.Now().Add(await.Patience))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		w.t.Fatalf("nobody took the client: %v", err)
	}
	got := client{Conn: c}
	if _, err := fmt.Sscan(line, &got.pid); err != nil {
		w.t.Fatal(err)
	}
	return got
}

// service is one whose children are this test binary in a role.
func serviceOf(t *testing.T, name, role string, policy pool.Policy) *plan.Service {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Service{
		Name: name, Key: name, Canonical: name, Transport: plan.Unix, Protocol: plan.ProtocolPostfix,
		Command: plan.Command{
			Path: self, Args: []string{role}, Dir: "/", Umask: 0o077,
			Env: append(os.Environ(), roleVariable+"="+role),
		},
		Policy: &policy,
	}
}
