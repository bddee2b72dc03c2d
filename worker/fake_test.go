package worker_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/masterproto"
)

// fake is a tiny master: one listening socket, and children whose records it
// reads one by one.
type fake struct {
	t        *testing.T
	dir      string
	path     string // of the listening socket
	listener int
	flow     [2]int
}

// child is one worker of a fake master.
type child struct {
	t      *testing.T
	pid    int
	gen    uint32
	status *os.File
	exit   chan syscall.WaitStatus
}

// newFake listens on a unix socket of the given type, or makes a fifo.
func newFake(t *testing.T, kind int) *fake {
	t.Helper()
	f := &fake{t: t, dir: t.TempDir()}
	f.path = filepath.Join(f.dir, "s")
	var err error
	if kind == unix.S_IFIFO {
		must(t, unix.Mkfifo(f.path, 0o622))
		f.listener, err = unix.Open(f.path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		must(t, err)
	} else {
		f.listener, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Bind(f.listener, &unix.SockaddrUnix{Name: f.path}))
		if kind == unix.SOCK_STREAM {
			must(t, unix.Listen(f.listener, 100))
		}
	}
	must(t, unix.Pipe2(f.flow[:], unix.O_NONBLOCK|unix.O_CLOEXEC))
	must(t, os.Mkdir(filepath.Join(f.dir, "pid"), 0o700))
	t.Cleanup(func() {
		for _, fd := range []int{f.listener, f.flow[0], f.flow[1]} {
			unix.Close(fd)
		}
	})
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var generations uint32 = 0o1776

// birth starts a program as a master would.
func (f *fake) birth(program, transport string, more ...string) *child {
	f.t.Helper()
	generations++
	c := &child{t: f.t, gen: generations, exit: make(chan syscall.WaitStatus, 1)}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(f.t, err)
	must(f.t, unix.SetNonblock(pair[1], false))
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	must(f.t, err)
	defer null.Close()
	self, err := os.Executable()
	must(f.t, err)
	c.pid, err = syscall.ForkExec(self, append([]string{program, "-t", transport}, more...), &syscall.ProcAttr{
		Dir: f.dir,
		Env: []string{
			"GENERATION=" + masterproto.FormatGeneration(c.gen),
			"MAIL_CONFIG=" + f.dir, raceAtExit,
		},
		Files: []uintptr{
			null.Fd(), null.Fd(), os.Stderr.Fd(), uintptr(f.flow[0]), uintptr(f.flow[1]),
			uintptr(pair[1]), uintptr(f.listener),
		},
	})
	must(f.t, err)
	must(f.t, unix.Close(pair[1]))
	c.status = os.NewFile(uintptr(pair[0]), "status")
	go func() {
		var ws syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(c.pid, &ws, 0, nil); err != syscall.EINTR {
				break
			}
		}
		c.exit <- ws
		close(c.exit)
	}()
	f.t.Cleanup(func() {
		c.status.Close()
		select {
		case <-c.exit:
		default:
			syscall.Kill(c.pid, syscall.SIGKILL)
			<-c.exit
		}
	})
	return c
}

// wantState waits for the next record.
func (c *child) wantState(want masterproto.State) {
	c.t.Helper()
	got, err := c.record(await.Patience)
	if err != nil {
		c.t.Fatalf("no record, want %v: %v", want, err)
	}
	if got != (masterproto.Status{PID: int32(c.pid), Generation: c.gen, State: want}) {
		c.t.Fatalf("record %+v, want %v of pid %d generation %d", got, want, c.pid, c.gen)
	}
}

func (c *child) record(d time.Duration) (masterproto.Status, error) {
	must(c.t, c.status.SetReadDeadline(time.Now().Add(d)))
	var buf [masterproto.StatusSize + 1]byte
	n, err := c.status.Read(buf[:masterproto.StatusSize])
	if err != nil {
		return masterproto.Status{}, err
	}
	return masterproto.ParseStatus(buf[:n])
}

// wantNoRecord is for after the worker is known to have done its part.
func (c *child) wantNoRecord() {
	c.t.Helper()
	if got, err := c.record(time.Millisecond); err == nil {
		c.t.Fatalf("record %+v, want none", got)
	}
}

func (c *child) wantGone() {
	c.t.Helper()
	select {
	case ws := <-c.exit:
		if !ws.Exited() || ws.ExitStatus() != 0 {
			c.t.Fatalf("wait status %#x, want exit status 0", ws)
		}
	case <-time.After(await.Patience):
		c.t.Fatal("the worker is still alive, want exit status 0")
	}
}

// hangUp closes the master's end of the status channel.
func (c *child) hangUp() { c.status.Close() }

func TestSingleReportsTakenAndAvailable(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("single", "unix", "-o", "max_use=2")
	for range 2 {
		k := dial(t, "unix", f.path)
		if pid := k.greet(); pid != c.pid {
			t.Fatalf("served by %d, want %d", pid, c.pid)
		}
		c.wantState(masterproto.Taken)
		if got := k.ask("echo"); got != "echo" {
			t.Fatalf("answer %q", got)
		}
		c.wantNoRecord()
		k.bye()
		c.wantState(masterproto.Available)
	}
	c.wantGone()
}

func TestMaxIdleEndsAnIdleWorkerOnly(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	born := time.Now()
	idle := f.birth("single", "unix", "-o", "max_idle=1s")
	idle.wantGone()
	if age := time.Since(born); age < time.Second {
		t.Errorf("left after %v, want 1s at least", age)
	}
	busy := f.birth("single", "unix", "-i", "1s")
	k := dial(t, "unix", f.path)
	k.greet()
	busy.wantState(masterproto.Taken)
	// Longer than max_idle: the only way to see that nothing happens is to let
	// that time pass on the connection itself.
	must(t, k.conn.SetReadDeadline(time.Now().Add(1500*time.Millisecond)))
	if _, err := k.in.ReadByte(); !os.IsTimeout(err) {
		t.Fatalf("a client in service lost its worker: %v", err)
	}
	must(t, k.conn.SetReadDeadline(time.Now().Add(await.Patience)))
	k.bye()
	busy.wantState(masterproto.Available)
	busy.wantGone()
}

func TestEndOfFileMeansLeaveWhenConvenient(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	for _, program := range []string{"single", "multi", "multi2"} {
		idle := f.birth(program, "unix")
		idle.hangUp()
		idle.wantGone()

		busy := f.birth(program, "unix")
		k := dial(t, "unix", f.path)
		k.greet()
		busy.hangUp()
		if got := k.ask("leave?"); got != "leaving" {
			t.Errorf("%s: %s after end-of-file", program, got)
		}
		if got := k.ask("still here"); got != "still here" {
			t.Errorf("%s: answer %q", program, got)
		}
		k.bye()
		busy.wantGone()
	}
}

func TestMultiReportsItsFirstUseWithoutALimit(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("multi", "unix", "-o", "max_use=2")
	a, b := dial(t, "unix", f.path), dial(t, "unix", f.path)
	a.greet()
	b.greet()
	c.wantNoRecord()
	a.bye()
	c.wantState(masterproto.Taken)
	c.wantState(masterproto.Available)
	d := dial(t, "unix", f.path)
	d.greet()
	b.bye()
	if got := d.ask("max_use does not send clients away"); got != "max_use does not send clients away" {
		t.Fatalf("answer %q", got)
	}
	c.wantNoRecord()
	d.bye()
	c.wantGone()
}

func TestMultiIsTakenWhenFull(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("multi2", "unix")
	a := dial(t, "unix", f.path)
	a.greet()
	c.wantNoRecord()
	b := dial(t, "unix", f.path)
	b.greet()
	c.wantState(masterproto.Taken)
	third := dial(t, "unix", f.path)
	if got := a.ask("one"); got != "one" {
		t.Fatalf("answer %q", got)
	}
	c.wantNoRecord()
	a.bye()
	c.wantState(masterproto.Available)
	third.greet()
	c.wantState(masterproto.Taken)
}

func TestTriggerOverSocketAndFifo(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("trigger", "unix", "-o", "max_use=1")
	k := dial(t, "unix", f.path)
	_, err := k.conn.Write([]byte{masterproto.WakeupByte, 0})
	must(t, err)
	c.wantState(masterproto.Taken)
	c.wantState(masterproto.Available)
	c.wantGone()

	p := newFake(t, unix.S_IFIFO)
	c = p.birth("trigger", "fifo", "-o", "max_use=2")
	for range 2 {
		must(t, os.WriteFile(p.path, []byte{masterproto.WakeupByte}, 0))
		c.wantState(masterproto.Taken)
		c.wantState(masterproto.Available)
	}
	c.wantGone()
}

func TestDatagramIsServedAndAnswered(t *testing.T) {
	f := newFake(t, unix.SOCK_DGRAM)
	c := f.birth("dgram", "unix-dgram", "-o", "max_use=2")
	me := &net.UnixAddr{Net: "unixgram", Name: filepath.Join(f.dir, "me")}
	conn, err := net.DialUnix("unixgram", me, &net.UnixAddr{Net: "unixgram", Name: f.path})
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(await.Patience))
	for i := range 2 {
		fmt.Fprintf(conn, "%d", i)
		buf := make([]byte, 100)
		n, err := conn.Read(buf)
		must(t, err)
		if got, want := string(buf[:n]), fmt.Sprintf("re: %d", i); got != want {
			t.Errorf("reply %q, want %q", got, want)
		}
		c.wantState(masterproto.Taken)
		c.wantState(masterproto.Available)
	}
	c.wantGone()
}

func TestSharedDescriptionsKeepTheirFlags(t *testing.T) {
	f := newFake(t, unix.SOCK_STREAM)
	c := f.birth("single", "unix")
	k := dial(t, "unix", f.path)
	k.greet()
	for _, fd := range []int{f.listener, f.flow[0], f.flow[1]} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		must(t, err)
		if flags&unix.O_NONBLOCK == 0 {
			t.Errorf("descriptor %d is blocking now", fd)
		}
	}
	// The status channel was blocking, and still is, in the child.
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", c.pid, masterproto.FDStatus))
	must(t, err)
	var pos, flags int
	if _, err := fmt.Sscanf(string(info), "pos: %d\nflags: %o", &pos, &flags); err != nil {
		t.Fatal(err)
	}
	if flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the status channel is non-blocking now: flags %o", flags)
	}
}

// raceAtExit keeps the race detector from holding every worker's exit for a
// second.
const raceAtExit = "GORACE=atexit_sleep_ms=0"
