package listen

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/ports"
)

func unixEndpoint(path string) plan.Endpoint {
	return plan.Endpoint{Network: plan.NetUnix, Path: path, Mode: 0o666, UID: -1, GID: -1, Backlog: 10}
}

func tcpEndpoint(addr string, port uint32) plan.Endpoint {
	return plan.Endpoint{Network: plan.NetTCP, Addr: addr, Port: port, UID: -1, GID: -1, Backlog: 10}
}

// mustOpen opens an endpoint for the life of the test.
func mustOpen(t *testing.T, e plan.Endpoint) *Socket {
	t.Helper()
	s, err := Open(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// freePort is a port that nobody uses, on any address.
func freePort(t *testing.T) uint32 {
	t.Helper()
	return uint32(ports.Free(t))
}

func TestStaleSocketIsReplaced(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	mustOpen(t, e).Close()
	s := mustOpen(t, e)
	if err := Wake(e, -1, -1); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Waiting(); n != 1 || err != nil {
		t.Fatalf("Waiting = %d, %v; want 1", n, err)
	}
}

func TestOtherFilesAreNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, dir} {
		_, err := Open(unixEndpoint(path))
		if e := (*Error)(nil); !errors.As(err, &e) || e.Op != "replace" {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if b, _ := os.ReadFile(file); string(b) != "data" {
		t.Errorf("the file holds %q", b)
	}
}

func statOf(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Sys().(*syscall.Stat_t)
}

func modeOf(t *testing.T, path string) uint32 { return statOf(t, path).Mode & 0o7777 }

// A queue's folder: private and public are the mail owner's.
func TestPostfixFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	const owner, group, folderGroup = 4711, 4712, 4713
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	folders := map[string]os.FileMode{"private": 0o700, "public": 0o710 | os.ModeSetgid}
	for name, mode := range folders {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, owner, folderGroup), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		wantGroup := uint32(group)
		if mode&os.ModeSetgid != 0 {
			wantGroup = folderGroup
		}
		for _, c := range []struct {
			network plan.Network
			mode    uint32
		}{{plan.NetUnix, 0o666}, {plan.NetUnixgram, 0o666}, {plan.NetFifo, 0o622}} {
			e := plan.Endpoint{Network: c.network, Path: filepath.Join(path, "s"), Mode: c.mode, UID: owner, GID: group, Backlog: 1}
			s := mustOpen(t, e)
			st := statOf(t, e.Path)
			if st.Uid != owner || st.Gid != wantGroup || modeOf(t, e.Path) != c.mode {
				t.Errorf("%s, network %d: %d:%d, mode %o", name, c.network, st.Uid, st.Gid, modeOf(t, e.Path))
			}
			checkFlags(t, s.FD)
		}
	}
}

func checkFlags(t *testing.T, fd int) {
	t.Helper()
	fl, err1 := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	fdfl, err2 := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err1 != nil || err2 != nil || fl&unix.O_NONBLOCK == 0 || fdfl&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, descriptor flags %#x", fl, fdfl)
	}
}

// What root could do and the folder's owner could not must fail: here, work in
// a folder that its owner himself may not write to.
func TestOwnersPowersNotRoots(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	const owner = 4711
	dir := filepath.Join(t.TempDir(), "private")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, owner, owner), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []plan.Network{plan.NetUnix, plan.NetFifo} {
		e := plan.Endpoint{Network: n, Path: filepath.Join(dir, "s"), Mode: 0o666, UID: owner, GID: owner}
		if _, err := Open(e); !errors.Is(err, unix.EACCES) {
			t.Errorf("network %d: %v", n, err)
		}
	}
	if u, _ := unix.SetfsuidRetUid(-1); u != 0 {
		t.Errorf("the thread still works as user %d", u)
	}
}

// The fifo is opened for a wake-up with the mail owner's powers.
func TestWakeFifoAsOwner(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e := plan.Endpoint{Network: plan.NetFifo, Path: filepath.Join(dir, "f"), Mode: 0o600, UID: -1, GID: -1}
	s := mustOpen(t, e)
	if err := Wake(e, 4711, 4711); !errors.Is(err, unix.EACCES) {
		t.Errorf("woken with root's powers: %v", err)
	}
	if err := os.Chmod(e.Path, 0o622); err != nil {
		t.Fatal(err)
	}
	// The folder above is closed to him; that one is not walked with his powers.
	if err := Wake(e, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if n := waiting(t, s); n != 1 {
		t.Errorf("%d bytes", n)
	}
	s.Close()
	if err := Wake(e, 4711, 4711); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a fifo that nobody reads: %v", err)
	}
}

func TestFifoStartsEmpty(t *testing.T) {
	e := plan.Endpoint{Network: plan.NetFifo, Path: filepath.Join(t.TempDir(), "f"), Mode: 0o622, UID: -1, GID: -1}
	mustOpen(t, e)
	answers(t, e)
	if n := waiting(t, mustOpen(t, e)); n != 0 {
		t.Errorf("%d old bytes", n)
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e := unixEndpoint(filepath.Join(dir, "socket"))
	s := mustOpen(t, e)
	answers(t, e)
	if waiting(t, s) != 1 {
		t.Error("nobody waits")
	}
	s.Remove()
	if _, err := os.Lstat(e.Path); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestRemoveLeavesAStrangersFile(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	old := mustOpen(t, e)
	now := mustOpen(t, e)
	old.Remove()
	answers(t, e)
	if waiting(t, now) != 1 {
		t.Error("the new socket is not reached")
	}
}

func TestWaiting(t *testing.T) {
	dir := t.TempDir()
	for _, e := range []plan.Endpoint{
		tcpEndpoint("127.0.0.1", freePort(t)),
		tcpEndpoint("::1", freePort(t)),
		tcpEndpoint("", freePort(t)),
		unixEndpoint(filepath.Join(dir, "s")),
		unixEndpoint("@brood-test-" + filepath.Base(dir) + strings.ReplaceAll(dir, "/", "-")),
	} {
		s := mustOpen(t, e)
		for want := range 4 {
			if n := waiting(t, s); n != want {
				t.Errorf("%s: %d clients wait, want %d", Describe(e), n, want)
			}
			if got := s.Readable(); got != (want > 0) {
				t.Errorf("%s: readable with %d clients: %v", Describe(e), want, got)
			}
			answers(t, e)
		}
		// A loop asks with every event.
		if n := testing.AllocsPerRun(100, func() { _, _ = s.Waiting() }); n != 0 {
			t.Errorf("%s: %v allocations for a count", Describe(e), n)
		}
	}
}

func TestWaitingDatagrams(t *testing.T) {
	dir := t.TempDir()
	e := plan.Endpoint{Network: plan.NetUnixgram, Path: filepath.Join(dir, "d"), Mode: 0o666, UID: -1, GID: -1}
	s := mustOpen(t, e)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n := waiting(t, s); n != 0 {
		t.Errorf("%d in an empty queue", n)
	}
	if err := unix.Sendto(fd, nil, 0, &unix.SockaddrUnix{Name: e.Path}); err != nil {
		t.Fatal(err)
	}
	if n := waiting(t, s); n != 1 {
		t.Errorf("%d with an empty datagram", n)
	}
	if err := Wake(e, -1, -1); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("woken: %v", err)
	}
}

// What a Postfix daemon reads after a wake-up.
func TestWakeBytes(t *testing.T) {
	dir := t.TempDir()
	e := unixEndpoint(filepath.Join(dir, "s"))
	s := mustOpen(t, e)
	buf, oob := make([]byte, 16), make([]byte, 64)

	answers(t, e)
	fd, _, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n, err := unix.Read(fd, buf); err != nil || string(buf[:n]) != "W\x00" {
		t.Errorf("%q, %v", buf[:n], err)
	}

	if err := WakePass(e, -1, -1); err != nil {
		t.Fatal(err)
	}
	conn, _, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(conn)
	n, oobn, _, _, err := unix.Recvmsg(conn, buf, oob, 0)
	if err != nil || string(buf[:n]) != "\x00" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	msgs, _ := unix.ParseSocketControlMessage(oob[:oobn])
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	defer unix.Close(fds[0])
	if n, err := unix.Read(fds[0], buf); err != nil || string(buf[:n]) != "W\x00" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func TestWakeFullQueueIsNoFailure(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	e.Backlog = 1
	s := mustOpen(t, e)
	for range 5 {
		answers(t, e)
	}
	if n := waiting(t, s); n != 2 {
		t.Errorf("%d wait in a queue for two", n)
	}
}

// TestWakeOfOneWhoHasGone: who has taken the connection and closed it is awake.
func TestWakeOfOneWhoHasGone(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	unix.Close(ends[1])
	if err := writeWithin(ends[0], []byte("W"), time.Now().Add(WakeTimeout)); err != nil {
		t.Error(err)
	}
}

func TestSharedPort(t *testing.T) {
	e := tcpEndpoint("127.0.0.1", freePort(t))
	first := mustOpen(t, e)
	second := mustOpen(t, e)
	if first.Shared || !second.Shared {
		t.Error("shared:", first.Shared, second.Shared)
	}
}

func TestIPv4BesideIPv6Wildcard(t *testing.T) {
	port := freePort(t)
	v6 := tcpEndpoint("::", port)
	v6.V6Only = true
	s6, s4 := mustOpen(t, v6), mustOpen(t, tcpEndpoint("0.0.0.0", port))
	if s6.Shared || s4.Shared {
		t.Error("the two families overlap")
	}
	answers(t, v6)
	if waiting(t, s6) != 1 || waiting(t, s4) != 0 {
		t.Error("a client of one family came to the other's socket")
	}
}

// A kernel without vsock must say so; one with it must listen.
func TestVsock(t *testing.T) {
	s, err := Open(plan.Endpoint{Network: plan.NetVsock, Port: freePort(t), Backlog: 1})
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	checkFlags(t, s.FD)
	if waiting(t, s) != 0 {
		t.Error("somebody waits")
	}
}

// Where the kernel gives the batch no umask of its own, files get their mode
// all the same, and are open to nobody else before.
func TestModeWithSharedUmask(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	s := newSet(t)
	change(t, s) // the thread's own umask is known from here on
	own := batch.umask
	if own == sharedUmask {
		t.Fatal("the thread has no umask of its own")
	}
	for _, umask := range []int{own, sharedUmask} {
		batch.umask = umask
		var want []plan.Endpoint
		for i, mode := range []uint32{0o600, 0o666, 0o620, 0o222} {
			e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
			e.Mode = mode
			if i%2 == 1 {
				e.Network = plan.NetFifo
			}
			want = append(want, e)
		}
		change(t, s, want...)
		for _, e := range want {
			if got := modeOf(t, e.Path); got != e.Mode {
				t.Errorf("umask %d: mode %o, not %o", umask, got, e.Mode)
			}
		}
	}
	batch.umask = own
}
