package child

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

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
	"policies":  policies,
	"yielding":  yielding,
	"all yield": allYield,
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
	if _, err := Watch(); err != nil {
		panic(err)
	}
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
	if d := bury(t, pid); d.Status.ExitStatus() != 0 {
		t.Fatalf("child ended with status %#x; it wrote:\n%s", d.Status, b.String())
	}
	return b.String(), pid
}

// bury waits for a process that was given birth by Start.
func bury(t testing.TB, pid int) Death {
	t.Helper()
	d, err := Wait(pid)
	if err != nil || d.Stranger {
		t.Fatalf("process %d: %+v %v", pid, d, err)
	}
	return d
}

// awaitDeath waits until the process has ended, without burying it.
func awaitDeath(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// reapAll buries n processes, as the daemon's loop does.
func reapAll(t testing.TB, n int) (deaths []Death) {
	t.Helper()
	fd, err := Watch()
	if err != nil {
		t.Fatal(err)
	}
	for len(deaths) < n {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
		if ready == 0 {
			t.Fatalf("nothing happens; %d of %d have died", len(deaths), n)
		}
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		Hush()
		for d, ok := Reap(); ok; d, ok = Reap() {
			deaths = append(deaths, d)
		}
	}
	return deaths
}

// begin is Begin for births that must come to something.
func begin(t testing.TB, s *Spec) int {
	t.Helper()
	pid, err := Begin(s)
	if err != nil {
		t.Fatal(err)
	}
	return pid
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
