package child

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv tells the test binary which child, or which manager, to be.
const roleEnv = "CHILD_TEST_ROLE"

// roles are what the test binary can be instead of a test.
var roles = map[string]func(){
	"report":    report,
	"limits":    limits,
	"crowded":   crowded,
	"subreaper": subreaper,
	"filtered":  filtered,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		roles[role]()
		return
	}
	// A caught signal must be at its default in children, and one that is
	// ignored must stay so.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR2)
	signal.Ignore(syscall.SIGWINCH)
	os.Exit(m.Run())
}

// report tells on descriptor 1 what a child sees of itself.
func report() {
	dir, err := os.Getwd()
	if err != nil {
		fmt.Println("error", err)
	}
	fmt.Println("pid", os.Getpid())
	fmt.Println("dir", dir)
	fmt.Printf("umask %03o\n", syscall.Umask(0))
	for i, a := range os.Args {
		fmt.Printf("arg%d %s\n", i, a)
	}
	for _, e := range os.Environ() {
		fmt.Println("env", e)
	}
}

// self is a Spec of the test binary in a role, writing to the descriptor out.
func self(t testing.TB, role string, out int) *Spec {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Spec{
		Path:  exe,
		Args:  []string{"child.test"},
		Env:   []string{roleEnv + "=" + role, "GORACE=atexit_sleep_ms=0"},
		Files: []int{devNull(t), out, 2},
		Umask: 0o22,
	}
}

// program is a Spec of a program of the system, writing to the descriptor out.
func program(t testing.TB, out int, args ...string) *Spec {
	t.Helper()
	return &Spec{Path: args[0], Args: args, Files: []int{devNull(t), out, 2}, Umask: 0o22}
}

// devNull is a descriptor of /dev/null for the time of the test.
func devNull(t testing.TB) int {
	t.Helper()
	f, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return int(f.Fd())
}

// output gives birth and returns what the child writes until it ends, and its
// process id. It fails the test unless the child exits with 0.
func output(t testing.TB, make func(out int) *Spec) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	pid, err := Start(make(int(w.Fd())))
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if d := await(t, pid); d.Status.ExitStatus() != 0 {
		t.Fatalf("child ended with status %#x; it wrote:\n%s", d.Status, b.String())
	}
	return b.String(), pid
}

// buried are deaths that nobody has awaited yet.
var buried = map[int]Death{}

// await reaps until the process is buried.
func await(t testing.TB, pid int) Death {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for d, ok := Reap(nil); ok; d, ok = Reap(nil) {
			buried[d.PID] = d
		}
		if d, ok := buried[pid]; ok {
			delete(buried, pid)
			return d
		}
		awaitDeath(pid)
	}
	t.Fatalf("process %d does not end", pid)
	return Death{}
}

// awaitDeath waits until the process has ended, without burying it.
func awaitDeath(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// loop is what the daemon's loop does with births and deaths.
type loop struct {
	t       testing.TB
	nursery *Nursery
	answers chan Birth
	chld    chan os.Signal
	books   map[int]uint64 // tokens of those born
	births  []Birth
	deaths  []Death
}

func newLoop(t testing.TB, spawners int) *loop {
	l := &loop{
		t:       t,
		answers: make(chan Birth, 64),
		chld:    make(chan os.Signal, 1),
		books:   map[int]uint64{},
	}
	l.nursery = NewNursery(spawners, func(b Birth) { l.answers <- b })
	signal.Notify(l.chld, syscall.SIGCHLD)
	t.Cleanup(func() {
		signal.Stop(l.chld)
		l.nursery.Close()
	})
	return l
}

// turn waits for one event and deals with it.
func (l *loop) turn() {
	l.t.Helper()
	select {
	case b := <-l.answers:
		l.births = append(l.births, b)
		if b.Err == nil {
			l.books[b.PID] = b.Token
		}
	case <-l.chld:
	case <-time.After(20 * time.Second):
		l.t.Fatalf("nothing happens; %d births, %d deaths", len(l.births), len(l.deaths))
	}
	known := func(pid int) bool { _, ok := l.books[pid]; return ok }
	for d, ok := Reap(known); ok; d, ok = Reap(known) {
		l.deaths = append(l.deaths, d)
		if _, ok := l.books[d.PID]; !ok && !d.Stranger {
			l.t.Errorf("process %d died before it was born", d.PID)
		}
		delete(l.books, d.PID)
	}
}

// until waits for what no event tells.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass")
		}
	}
}

// field is what follows name at the start of a line.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none"
}
