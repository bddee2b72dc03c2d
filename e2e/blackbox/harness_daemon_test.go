package blackbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fakeCommand is the daemon's name in master.cf. Every instance has it in its
// daemon directory as a symbolic link to the test binary.
const fakeCommand = "fake"

// controlSocket is where a fake daemon finds the test. It is relative to the
// directory that a child is born in, which is the queue directory.
const controlSocket = "blackbox.ctl"

// Descriptors that the master gives to a child.
const (
	flowRead   = 3
	flowWrite  = 4
	statusFd   = 5
	listenFd   = 6
	recordSize = 12
)

// birth is what a fake daemon was born with, told once to the test.
type birth struct {
	PID         int
	Args        []string
	Env         []string
	Dir         string
	Descriptors []descriptor
}

// descriptor is one open descriptor of a process.
type descriptor struct {
	FD       int
	Link     string // what /proc/PID/fd says, such as "socket:[4711]"
	Nonblock bool
}

// order is what the test tells a fake daemon to do; answer is what came of it.
type order struct {
	Do   string
	FD   int
	N    int
	Data []byte
}

type answer struct {
	Err  string
	N    int
	Data []byte
}

// daemonMain is the whole life of a fake daemon: say who it is, obey, and leave
// with status 0 when the test goes away. Its exit status is 99 when it cannot
// find the test at all.
func daemonMain() int {
	hello := birth{PID: os.Getpid(), Args: os.Args, Env: os.Environ(), Descriptors: descriptorsOf(self)}
	hello.Dir, _ = os.Getwd()
	conn, err := net.Dial("unix", controlSocket)
	if err != nil {
		return 99
	}
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	if out.Encode(hello) != nil {
		return 99
	}
	d := &fakeDaemon{}
	for {
		var o order
		if in.Decode(&o) != nil {
			return 0
		}
		a, err := d.obey(o)
		if err != nil {
			a.Err = err.Error()
		}
		if out.Encode(a) != nil {
			return 0
		}
	}
}

// fakeDaemon remembers the clients that it accepted, newest last.
type fakeDaemon struct {
	clients []int
}

func (d *fakeDaemon) obey(o order) (answer, error) {
	switch o.Do {
	case "exit":
		os.Exit(o.N)
	case "raise":
		return answer{}, unix.Kill(os.Getpid(), unix.Signal(o.N))
	case "ignore":
		signal.Ignore(unix.Signal(o.N))
		return answer{}, nil
	case "accept":
		return d.accept(o.FD)
	case "hangup":
		for _, fd := range d.clients {
			unix.Close(fd)
		}
		d.clients = nil
		return answer{}, nil
	case "write":
		n, err := writeWithoutSIGPIPE(o.FD, o.Data)
		return answer{N: n}, err
	case "heard":
		return answer{}, waitTaken(o.FD)
	case "flood":
		return flood(o.FD, o.Data, o.N)
	case "read":
		return readWhenReady(o.FD, o.N)
	case "receive-descriptor":
		return d.receiveDescriptor()
	case "close":
		return answer{}, unix.Close(o.FD)
	case "shutdown":
		return answer{}, unix.Shutdown(o.FD, unix.SHUT_RDWR)
	case "exhaust-descriptors":
		return exhaustDescriptors()
	case "orphans":
		return startOrphans(o.N, o.Data)
	}
	return answer{}, errors.New("unknown order " + o.Do)
}

func (d *fakeDaemon) accept(fd int) (answer, error) {
	if err := waitReadable(fd); err != nil {
		return answer{}, err
	}
	c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return answer{}, err
	}
	d.clients = append(d.clients, c)
	// Whoever woke the service up may be gone already, and reads nothing.
	_, _ = unix.Write(c, fmt.Appendf(nil, "%d\n", os.Getpid()))
	return answer{N: c}, nil
}

// receiveDescriptor reads from the newest client what a client of a "pass"
// service sends; N is the descriptor that came with it.
func (d *fakeDaemon) receiveDescriptor() (answer, error) {
	c := d.clients[len(d.clients)-1]
	if err := waitReadable(c); err != nil {
		return answer{}, err
	}
	buf, oob := make([]byte, 16), make([]byte, 64)
	n, oobn, _, _, err := unix.Recvmsg(c, buf, oob, 0)
	if err != nil {
		return answer{}, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return answer{Data: buf[:n]}, fmt.Errorf("%d control messages beside %q: %w", len(messages), buf[:n], err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return answer{}, fmt.Errorf("%d descriptors passed: %w", len(fds), err)
	}
	return answer{N: fds[0]}, nil
}

// writeWithoutSIGPIPE reports EPIPE as an error. Go's runtime would turn
// SIGPIPE into death for descriptors 1 and 2 only, so nothing is to be ignored.
func writeWithoutSIGPIPE(fd int, data []byte) (int, error) {
	return unix.Write(fd, data)
}

// flood writes data count times as fast as the other side takes it, never more
// than a record at once, and returns when the other side has read the last one.
func flood(fd int, data []byte, count int) (answer, error) {
	pieces := slices.Collect(slices.Chunk(data, recordSize))
	for sent := 0; sent < count*len(pieces); {
		_, err := unix.Write(fd, pieces[sent%len(pieces)])
		switch {
		case err == nil:
			sent++
		case errors.Is(err, unix.EAGAIN):
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, pollLimitMillis); err != nil && !errors.Is(err, unix.EINTR) {
				return answer{N: sent}, err
			}
		case errors.Is(err, unix.EINTR):
		default:
			return answer{N: sent}, err
		}
	}
	return answer{N: count}, waitTaken(fd)
}

// waitTaken waits until the other side of a socket has read what was written.
// No event tells that, and a fake daemon has no test that could fail: it answers.
func waitTaken(fd int) error {
	for deadline := time.Now().Add(pollLimitMillis * time.Millisecond); ; time.Sleep(time.Millisecond) {
		unread, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		switch {
		case err != nil:
			return err
		case unread == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("descriptor %d: %d bytes are still unread after %d ms", fd, unread, pollLimitMillis)
		}
	}
}

// pollLimitMillis bounds every wait inside a fake daemon, so that a broken
// expectation is told as such and not as a hang.
const pollLimitMillis = 30_000

func waitReadable(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, pollLimitMillis)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("descriptor %d: nothing to read for %d ms", fd, pollLimitMillis)
		default:
			return nil
		}
	}
}

// readWhenReady reads once, up to n bytes; N is 0 at end-of-file.
func readWhenReady(fd, n int) (answer, error) {
	if err := waitReadable(fd); err != nil {
		return answer{}, err
	}
	buf := make([]byte, n)
	got, err := unix.Read(fd, buf)
	if err != nil {
		return answer{}, err
	}
	return answer{N: got, Data: buf[:got]}, nil
}

func exhaustDescriptors() (answer, error) {
	for n := 0; ; n++ {
		if _, err := unix.Dup(statusFd); err != nil {
			return answer{N: n}, nil
		}
	}
}

// startOrphans leaves n processes behind that outlive the daemon and hold all
// that it held, the status channel included. Data names the pidfile-like list
// to which their pids are written.
func startOrphans(n int, list []byte) (answer, error) {
	var pids strings.Builder
	for range n {
		cmd := exec.Command("/bin/sleep", "30")
		for fd := flowRead; fd <= listenFd; fd++ {
			copied, err := unix.Dup(fd)
			if err != nil {
				return answer{}, err
			}
			cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(copied), ""))
		}
		if err := cmd.Start(); err != nil {
			return answer{}, err
		}
		fmt.Fprintln(&pids, cmd.Process.Pid)
	}
	return answer{N: n}, os.WriteFile(string(list), []byte(pids.String()), 0o600)
}

// self stands for the caller where a pid is asked for: in a pid namespace a
// process does not know the pid by which /proc knows it.
const self = 0

func procDir(pid int) string {
	if pid == self {
		return "/proc/self"
	}
	return fmt.Sprintf("/proc/%d", pid)
}

// descriptorsOf lists what a process has open, lowest first. For the caller it
// leaves out what the looking itself takes: the directory, and the two by which
// Go's runtime waits.
func descriptorsOf(pid int) []descriptor {
	dir := procDir(pid) + "/fd"
	entries, _ := os.ReadDir(dir)
	var list []descriptor
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil || pid == self && (strings.HasPrefix(link, "/proc/") || link == "anon_inode:[eventpoll]" || link == "anon_inode:[eventfd]") {
			continue
		}
		list = append(list, descriptor{FD: fd, Link: link, Nonblock: descriptorFlags(pid, fd)&syscall.O_NONBLOCK != 0})
	}
	slices.SortFunc(list, func(a, b descriptor) int { return a.FD - b.FD })
	return list
}

// descriptorFlags are the open flags of a process's descriptor, close-on-exec
// included.
func descriptorFlags(pid, fd int) int {
	text, _ := os.ReadFile(fmt.Sprintf("%s/fdinfo/%d", procDir(pid), fd))
	for line := range strings.Lines(string(text)) {
		if octal, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, _ := strconv.ParseInt(strings.TrimSpace(octal), 8, 64)
			return int(flags)
		}
	}
	return 0
}
