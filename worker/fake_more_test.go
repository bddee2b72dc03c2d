package worker_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/masterproto"
)

func TestHTTPServerReportsPerConnection(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("web", "unix")
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", f.path)
	}}
	web := &http.Client{Transport: transport, Timeout: await.Patience}
	get := func() {
		t.Helper()
		answer, err := web.Get("http://worker/")
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		if !strings.HasPrefix(string(body), "pid ") {
			t.Fatalf("page %q", body)
		}
	}
	get()
	c.wantState(masterproto.Taken)
	get()
	c.wantNoRecord()
	transport.CloseIdleConnections()
	c.wantState(masterproto.Available)
	get()
	c.wantState(masterproto.Taken)
	// The connection is kept alive and idle: the worker need not wait for it.
	c.hangUp()
	c.wantGone()
}

func TestPassReceivesDescriptorAndAttributes(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("single", "pass", "-o", "max_use=2")
	for _, attributes := range []string{"client_address\x00192.0.2.7\x00client_port\x0025\x00\x00", ""} {
		ours, theirs := unixPair(t)
		sender, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: f.path})
		must(t, err)
		_, _, err = sender.WriteMsgUnix([]byte{0}, unix.UnixRights(theirs), nil)
		must(t, err)
		_, err = io.WriteString(sender, attributes)
		must(t, err)
		must(t, sender.CloseWrite())
		must(t, sender.SetReadDeadline(time.Now().Add(await.Patience)))
		if _, err := sender.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("the sender is not released: %v", err)
		}
		sender.Close()
		unix.Close(theirs)
		ours.greet()
		want := "192.0.2.7"
		if attributes == "" {
			want = ""
		}
		if got := ours.ask("attr"); got != want {
			t.Errorf("client_address %q, want %q", got, want)
		}
		c.wantState(masterproto.Taken)
		ours.bye()
		c.wantState(masterproto.Available)
	}
	c.wantGone()
}

// unixPair is a client and the descriptor of its other end.
func unixPair(t *testing.T) (*client, int) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "p"))
	must(t, err)
	defer l.Close()
	ours := dial(t, "unix", l.Addr().String())
	theirs, err := l.Accept()
	must(t, err)
	defer theirs.Close()
	raw, err := theirs.(*net.UnixConn).SyscallConn()
	must(t, err)
	var fd int
	must(t, raw.Control(func(u uintptr) { fd, err = unix.Dup(int(u)) }))
	must(t, err)
	return ours, fd
}

// spread serves clients one after the other with three idle workers and counts
// who served, and how often it was the same one as before. For orders that spread
// clients there are more of them where it takes longer until everybody has had one:
// who stands still is passed over.
func spread(t *testing.T, clients int, order string) (served map[int]int, again int) {
	f := newFake(t, unix.SOCK_STREAM)
	all := map[int]*child{}
	for range 3 {
		c := f.birth("single", "unix", "-o", "accept_order="+order, "-o", "max_use=1000")
		all[c.pid] = c
	}
	// All three are up once each has had a client at the same time.
	var first []*client
	for range 3 {
		k := dial(t, "unix", f.path)
		all[k.greet()].wantState(masterproto.Taken)
		first = append(first, k)
	}
	for _, k := range first {
		k.close()
	}
	for _, c := range all {
		c.wantState(masterproto.Available)
	}
	served = map[int]int{}
	last, began := 0, time.Now()
	for n := 0; n < clients || order != "shrink" && len(served) < len(all) && time.Since(began) < await.Patience; n++ {
		k := dial(t, "unix", f.path)
		pid := k.greet()
		served[pid]++
		if pid == last {
			again++
		}
		last = pid
		all[pid].wantState(masterproto.Taken)
		k.bye()
		all[pid].wantState(masterproto.Available)
	}
	t.Logf("%s: %v, %d by the same as before", order, served, again)
	return served, again
}

// TestShrinkServesEveryClient; that it favours one worker depends on how soon
// that one is idle again, and is held against the waiter itself.
func TestShrinkServesEveryClient(t *testing.T) {
	served, _ := spread(t, 100, "shrink")
	total := 0
	for _, n := range served {
		total += n
	}
	if total != 100 {
		t.Errorf("%d of 100 clients were served", total)
	}
}

func TestSerialSpreadsClients(t *testing.T) {
	const clients = 100
	served, _ := spread(t, clients, "serial")
	if len(served) != 3 {
		t.Errorf("%d of 3 workers got a client", len(served))
	}
}

// TestTurnsSpreadsClients: whoever has taken a client is woken last. Who is a
// moment late for its turn misses it.
func TestTurnsSpreadsClients(t *testing.T) {
	served, again := spread(t, 60, "turns")
	if len(served) != 3 {
		t.Errorf("%d of 3 workers got a client", len(served))
	}
	total := 0
	for _, n := range served {
		total += n
	}
	if again > total/3 {
		t.Errorf("%d of %d clients were served by the same worker as the one before", again, total)
	}
}

// asSystemd starts a program as a systemd-like manager does: LISTEN_PID is the
// worker's own, which only the process itself can know.
func asSystemd(t *testing.T, f *fake, program, notify string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	link := filepath.Join(f.dir, program)
	must(t, os.Symlink(self, link))
	l := os.NewFile(uintptr(dup(t, f.listener)), "listener")
	t.Cleanup(func() { l.Close() })
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, link)
	cmd.Env = []string{"LISTEN_FDS=1", "NOTIFY_SOCKET=" + notify, raceAtExit}
	cmd.ExtraFiles = []*os.File{l}
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

func dup(t *testing.T, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	must(t, err)
	return n
}

func TestSystemdProtocol(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	path := filepath.Join(f.dir, "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	must(t, err)
	defer notify.Close()
	want := func(text string) {
		t.Helper()
		must(t, notify.SetReadDeadline(time.Now().Add(await.Patience)))
		buf := make([]byte, 1000)
		n, err := notify.Read(buf)
		must(t, err)
		if got := string(buf[:n]); got != text {
			t.Fatalf("notified of %q, want %q", got, text)
		}
	}
	cmd := asSystemd(t, f, "single", path)
	want("READY=1\nX_BROOD_STATE=idle")
	for range 100 {
		k := dial(t, "unix", f.path)
		k.greet()
		want("X_BROOD_STATE=busy")
		k.bye()
		want("X_BROOD_STATE=idle")
	}
	want("STOPPING=1")
	must(t, cmd.Wait())
}

// shell runs a program as from a shell, with nothing inherited.
func shell(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	link := filepath.Join(t.TempDir(), program)
	must(t, os.Symlink(self, link))
	cmd := exec.Command(link, args...)
	cmd.Env = []string{raceAtExit}
	return cmd
}

func TestStartedFromAShell(t *testing.T) {
	cmd := shell(t, "single")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, want exit status 1", err)
	}
	for _, word := range []string{"fatal: cannot start: ", "master.cf", "-standalone HOST:PORT"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("the message does not say %q: %s", word, out)
		}
	}
}

func TestStdioServesTheClientOnDescriptorZero(t *testing.T) {
	ours, theirs := unixPair(t)
	cmd := shell(t, "single", "-S")
	f := os.NewFile(uintptr(theirs), "client")
	cmd.Stdin = f
	must(t, cmd.Start())
	f.Close()
	ours.greet()
	if got := ours.ask("x"); got != "x" {
		t.Errorf("answer %q", got)
	}
	ours.bye()
	must(t, cmd.Wait())
}

func TestStandaloneServes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alone")
	cmd := shell(t, "single", "-standalone", path)
	must(t, cmd.Start())
	defer func() {
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "terminated") {
			t.Errorf("SIGTERM: %v", err)
		}
	}()
	var err error
	await.That(t, "the worker listens", func() bool {
		var conn net.Conn
		if conn, err = net.Dial("unix", path); err == nil {
			conn.Close()
		}
		return err == nil
	}, func() string { return err.Error() })
	k := dial(t, "unix", path)
	k.greet()
	k.bye()
}

func TestFatalErrorIsOneLine(t *testing.T) {
	cmd := shell(t, "broken", "-standalone", "127.0.0.1:0")
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, want exit status 1", err)
	}
	if want := "fatal: cannot open table: no?such file\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("last words %q, want %q", out.String(), want)
	}
}
