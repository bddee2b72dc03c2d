package master

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/output"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

func init() {
	roles["systemd"] = systemdWorker
	roles["silent"] = muteWorker
	roles["never-ready"] = func() { select {} }
	roles["no-heartbeat"] = func() { notify("READY=1"); select {} }
	roles["wrapper"] = wrapper
	roles["say-ready"] = sayReady
	roles["inetd"] = inetdWorker
	roles["datagram"] = datagramWorker
	roles["crash-loudly"] = func() {
		fmt.Fprintln(os.Stderr, "the database is gone")
		os.Exit(9)
	}
	roles["keeper"] = keeper
}

// notify sends one message as sd_notify(3) does, with descriptors.
func notify(text string, files ...int) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	defer unix.Close(fd)
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	if err := unix.Sendmsg(fd, []byte(text), rights, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, 0); err != nil {
		fmt.Fprintln(os.Stderr, "cannot notify:", err)
	}
}

// systemdWorker tells all, serves one client at a time, and ends a client when
// that says so. It dies of TERM.
func systemdWorker() {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		fmt.Fprintln(os.Stderr, "LISTEN_PID is", os.Getenv("LISTEN_PID"))
		os.Exit(5)
	}
	notify("READY=1\nX_BROOD_STATE=idle\nSTATUS=waits for \033 clients")
	beat, _ := strconv.Atoi(os.Getenv("WATCHDOG_USEC"))
	if beat > 0 && os.Getenv("WATCHDOG_PID") == os.Getenv("LISTEN_PID") {
		go func() {
			for range time.Tick(time.Duration(beat) * time.Microsecond / 3) {
				notify("WATCHDOG=1")
			}
		}()
	}
	serveTelling(3, func(state string) { notify("X_BROOD_STATE=" + state) })
}

// muteWorker serves in the same way and tells nothing.
func muteWorker() {
	serveTelling(3, func(string) {})
}

func serveTelling(fd uintptr, tell func(state string)) {
	l, err := net.FileListener(os.NewFile(fd, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(4)
		}
		tell("busy")
		fmt.Fprintln(c, os.Getpid(), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), os.Getenv("BROOD_STRESS"))
		_, _ = io.Copy(io.Discard, c)
		c.Close()
		tell("idle")
	}
}

// wrapper is a worker whose child speaks for it, and says that it is the one to
// be stopped.
func wrapper() {
	self, _ := os.Executable()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"=say-ready")
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "listener")}
	cmd.Stderr = os.Stderr
	_ = cmd.Run()
	fmt.Fprintln(os.Stderr, "the main process has ended")
}

func sayReady() {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		panic(err)
	}
	notify("READY=1\nX_BROOD_STATE=idle\nMAINPID=" + strconv.Itoa(os.Getpid()))
	notify("BARRIER=1", pipe[1])
	unix.Close(pipe[1])
	// Ends when the manager has closed its copy.
	_, _ = unix.Read(pipe[0], make([]byte, 1))
	fmt.Fprintln(os.Stderr, "past the barrier")
	serveTelling(3, func(state string) { notify("X_BROOD_STATE=" + state) })
}

func inetdWorker() {
	fmt.Println(os.Getpid(), os.Getenv("REMOTE_ADDR"), os.Getenv("REMOTE_PORT"))
	fmt.Fprintln(os.Stderr, "a client")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// datagramWorker answers datagrams until there has been none for a while.
func datagramWorker() {
	b := make([]byte, 1000)
	for {
		p := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
		if n, err := unix.Poll(p, 200); err == nil && n == 0 {
			return
		}
		n, from, err := unix.Recvfrom(0, b, unix.MSG_DONTWAIT)
		if err != nil {
			continue
		}
		_ = unix.Sendto(0, fmt.Appendf(nil, "%d %s", os.Getpid(), b[:n]), 0, from)
	}
}

// keeper has the manager keep a file with its pid in it, unless it was given
// one, and serves what the file says.
func keeper() {
	fd := 4
	if os.Getenv("LISTEN_FDS") == "1" {
		fd, _ = unix.MemfdCreate("kept", 0)
		_, _ = unix.Write(fd, []byte(strconv.Itoa(os.Getpid())))
		notify("FDSTORE=1\nFDNAME=mine", fd)
	}
	b := make([]byte, 20)
	n, _ := unix.Pread(fd, b, 0)
	notify("READY=1\nX_BROOD_STATE=idle")
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		os.Exit(3)
	}
	c, err := l.Accept()
	if err != nil {
		os.Exit(4)
	}
	fmt.Fprintln(c, os.Getpid(), string(b[:n]), os.Getenv("LISTEN_FDNAMES"))
	c.Close()
}

// startNative runs a Master as broodd does.
func startNative(t *testing.T, p *plan.Plan) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), ended: make(chan os.Signal, 1)}
	w.news = sync.NewCond(&w.mu)
	w.place(p.Services...)
	out := output.New()
	m, err := New(Options{
		First:     p,
		Reload:    w.reload,
		Describe:  "test",
		LimitFile: "the test",
		Log:       slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Output:    out,
		Gentle:    true,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.run(m)
	return w
}

// endGently is how broodd ends when somebody is in a hurry.
func (w *world) endGently() {
	for range 2 {
		select {
		case w.m.signals <- syscall.SIGTERM:
		case sig := <-w.ended:
			w.ended <- sig
		}
	}
	select {
	case <-w.ended:
	case <-time.After(await.Patience):
		w.t.Errorf("it does not end; the log:\n%s", strings.Join(w.lines, "\n"))
	}
}

// nativeOf is a service of brood.toml whose children are this test binary in a
// role, and whose output is a file of the test.
func nativeOf(t *testing.T, name, role string, protocol plan.Protocol, policy pool.Policy) *plan.Service {
	s := serviceOf(t, name, role, policy)
	s.Protocol, s.Canonical = protocol, ""
	s.Wishes = &plan.Wishes{
		FD: 3, SocketNames: []string{name}, OrphanSignal: int(unix.SIGTERM), OnGiveUp: plan.GiveUpHold,
		Output: plan.Output{To: filepath.Join(t.TempDir(), "output"), Keep: 3},
	}
	if s.Policy.Stop == (pool.Stopping{}) {
		s.Policy.Stop = pool.Stopping{Signal: int32(unix.SIGTERM), Timeout: 5 * pool.Second}
	}
	return s
}

func systemdOf(t *testing.T, name, role string, policy pool.Policy) *plan.Service {
	policy.Opaque = true
	return nativeOf(t, name, role, plan.ProtocolSystemd, policy)
}

func planOf(services ...*plan.Service) *plan.Plan { return &plan.Plan{Services: services} }

// wrote waits until the workers of a service have written text.
func (w *world) wrote(s *plan.Service, text string) string {
	w.t.Helper()
	var b []byte
	w.eventually("the workers write "+text, func() bool {
		b, _ = os.ReadFile(s.Wishes.Output.To)
		return bytes.Contains(b, []byte(text))
	})
	return string(b)
}

// answer is the first line that a client gets.
func (w *world) answer(c net.Conn) []string {
	w.t.Helper()
	_ = c.SetDeadline(time.Now().Add(await.Patience))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		w.t.Fatalf("nobody answered: %v", err)
	}
	return strings.Fields(line)
}

// gone waits for the end of a process.
func (w *world) gone(pid string) {
	w.t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		w.t.Fatal(err)
	}
	w.eventually("process "+pid+" is gone", func() bool { return syscall.Kill(n, 0) != nil })
}
