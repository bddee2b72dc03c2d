package native

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCrashLoopDelaysNobody has one service crash twenty times a second while
// births of another are timed: one that had to wait for its turn would take tens
// of milliseconds, and not one or two.
func TestCrashLoopDelaysNobody(t *testing.T) {
	good, bad := port(t), port(t)
	d := start(t, fmt.Sprintf(`
[service.good]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
[service.bad]
listen = ["tcp://127.0.0.1:%d"]
command = ["false"]
protocol = "none"
backoff = { first = "50ms", factor = 1, max = "50ms" }
`, good, bad), nil)
	calm := newCalm(t)
	c, err := dial(bad)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d.loggedTimes("no worker is born", 20)
	d.slowed(good, calm, "a crash loop", 10)
	d.loggedTimes("no worker is born", 40)
}

// calm is a broodd that has nothing to do but births for its clients.
type calm struct {
	*daemon
	port int
}

func newCalm(t *testing.T) *calm {
	t.Helper()
	n := port(t)
	return &calm{start(t, fmt.Sprintf(goodToml, n), nil), n}
}

// slowed wants births for clients of a port to take at most so many times as long
// beside something as those of the calm daemon, the median of each. The clients
// come in turn, so that the machine is as busy for the ones as for the others, and
// what is compared is what the daemon makes of it.
func (d *daemon) slowed(port int, calm *calm, beside string, most float64) {
	d.t.Helper()
	var here, there []time.Duration
	timed := func(all *[]time.Duration, d *daemon, port int) {
		began := time.Now()
		d.served(port, "")
		*all = append(*all, time.Since(began))
	}
	for range 30 {
		timed(&there, calm.daemon, calm.port)
		timed(&here, d, port)
		timed(&here, d, port)
		timed(&there, calm.daemon, calm.port)
	}
	slices.Sort(here)
	slices.Sort(there)
	ratio := float64(here[len(here)/2]) / float64(there[len(there)/2])
	d.t.Logf("births take %v beside %s, and %v in a daemon that has nothing else to do: %.2f times as long",
		here[len(here)/2], beside, there[len(there)/2], ratio)
	if ratio > most {
		d.t.Errorf("births take %.1f times as long beside %s, want %v times at most", ratio, beside, most)
	}
}

// TestKilledAndStartedAgain: broodd is killed and its workers stay. Another
// broodd takes over unix sockets, shares ports with the orphans and says so.
func TestKilledAndStartedAgain(t *testing.T) {
	n := port(t)
	toml := fmt.Sprintf(serveToml, "tcp", n) + `
orphans = "stay"
[service.unix]
listen = ["unix://{dir}/sock"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
`
	d := start(t, toml, nil)
	orphan := d.served(n, "")
	d.kill()
	if pid := d.served(n, ""); pid != orphan {
		t.Errorf("%s serves, and not the orphan %s", pid, orphan)
	}

	next := prepare(t, toml, nil)
	next.cmd.Dir, next.dir = d.dir, d.dir
	next.configure(toml)
	next.run()
	next.logged(`service "tcp": somebody listens at tcp://127.0.0.1:`)
	next.logged("daemon started")
	c, err := net.Dial("unix", filepath.Join(d.dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := askAt(c, ""); err != nil {
		t.Error(err)
	}
	pid := 0
	if _, err := fmt.Sscan(orphan, &pid); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	next.eventually("the orphan is gone", func() bool { return !lives(pid) })
	if pid := next.served(n, ""); pid == orphan {
		t.Error("the orphan lives")
	}
}

// lives tells whether a process is more than a zombie that nobody has buried. While
// other threads of one end, its descriptors are open, and a socket takes clients.
func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && (!strings.HasPrefix(state, "Z") || len(threads) > 1)
}

// TestConnectWhileThrottled: all workers are dead and no other may be born, and
// still nobody is refused; later all are served.
func TestConnectWhileThrottled(t *testing.T) {
	n := port(t)
	d := prepare(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["{dir}/worker"]
protocol = "none"
workers = { min = 2, max = 2 }
env = { BROOD_TEST_ROLE = "serve" }
backoff = { first = "2s", max = "2s" }
`, n), nil)
	d.program("worker", "#!/bin/sh\nexec {self}\n")
	d.run()
	d.logged("daemon started")
	d.served(n, "")
	d.program("worker", "#!/bin/sh\nexit 3\n")
	d.counted(2)
	for _, pid := range d.workers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	d.logged("no worker is born for 2s")
	var clients []net.Conn
	for range 50 {
		c, err := dial(n)
		if err != nil {
			t.Fatalf("a client is refused: %v", err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	d.program("worker", "#!/bin/sh\nexec {self}\n")
	for _, c := range clients {
		if _, err := askAt(c, ""); err != nil {
			t.Fatalf("%v; the log:\n%s", err, d.lastLines())
		}
	}
}

// TestOneAddressInUse: one service cannot listen. It is said where that is
// written, the others serve, and it is tried until it can.
func TestOneAddressInUse(t *testing.T) {
	good := port(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	bad := taken.Addr().(*net.TCPAddr).Port
	d := start(t, fmt.Sprintf(serveToml, "good", good)+fmt.Sprintf(serveToml, "bad", bad), nil)
	d.logged(fmt.Sprintf(`brood.toml:11:11: service "bad": cannot bind 127.0.0.1 port %d: address already in use`, bad))
	d.served(good, "")
	d.reload()
	d.served(good, "")
	taken.Close()
	d.logged(`service "bad": it listens now`)
	d.served(bad, "")
	if n := strings.Count(d.said(), "address already in use"); n > 2 {
		t.Errorf("the error is told %d times", n)
	}
}

// stall has the kernel ask before it executes a file, and nobody answer until
// the test ends or release is called.
func stall(t *testing.T, path string) (begun func() bool, release func()) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "fanotify")
	release = func() { _ = f.Close() }
	t.Cleanup(release)
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, path); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0
	}, release
}

// TestStalledProgram has a program be on a file system that does not answer. The
// other services go on, reload included; when it answers, its client is served.
func TestStalledProgram(t *testing.T) {
	slow, good := port(t), port(t)
	program, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	d := prepare(t, fmt.Sprintf(`
[service.slow]
listen = ["tcp://127.0.0.1:%d"]
command = ["{dir}/slow"]
protocol = "inetd"
`, slow)+fmt.Sprintf(serveToml, "good", good), nil)
	d.program("slow", string(text))
	begun, release := stall(t, filepath.Join(d.dir, "slow"))
	d.run()
	d.logged("daemon started")
	c, err := dial(slow)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d.eventually("the program is to be loaded", begun)
	if most := d.crowd(good, 20, 0, "50ms"); most == 0 {
		t.Error("nobody served")
	}
	d.reload()
	d.served(good, "")
	release()
	fmt.Fprintln(c, "hello")
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
		t.Errorf("the one that waited is told %q, %v", line, err)
	}
}

// underLimits runs the daemon with the limits that a shell sets.
func (d *daemon) underLimits(ulimit string) {
	d.cmd.Args = []string{"sh", "-c", ulimit + ` && exec "$0"`, d.cmd.Path}
	d.cmd.Path = "/bin/sh"
}

// TestFewDescriptors floods a pool of workers that broodd accepts the clients
// for, with fewer descriptors than that takes. It does not spin, and
// everybody is served soon.
func TestFewDescriptors(t *testing.T) {
	n := port(t)
	d := prepare(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
workers.max = 100
start.ramp = 100
backoff.max = "1s"
`, n), nil)
	d.underLimits("ulimit -n 48")
	d.run()
	d.started()
	var clients []net.Conn
	for range 100 {
		c, err := dial(n)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	d.logged("too many open files")
	d.rests(2*time.Second, 20)
	for _, c := range clients {
		fmt.Fprintln(c)
	}
	for _, c := range clients {
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			t.Fatalf("a client is told %q, %v; the log:\n%s", line, err, d.lastLines())
		}
	}
	// One failure is one line and one wait, and births that need the same
	// descriptors one after the other are no failures.
	for _, text := range []string{"cannot start", "no worker is born"} {
		if n := strings.Count(d.said(), text); n > 10 {
			t.Errorf("%d lines hold %q; the log:\n%s", n, text, d.lastLines())
		}
	}
}
