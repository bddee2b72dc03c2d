package listen

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// change prepares and commits, and fails the test if it can't.
func change(t *testing.T, s *Set, want ...plan.Endpoint) *Change {
	t.Helper()
	c := prepare(t, s, want...)
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	return c
}

func prepare(t *testing.T, s *Set, want ...plan.Endpoint) *Change {
	t.Helper()
	c, errs := s.Prepare(want)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return c
}

// newSet is a set that is closed at the end of the test.
func newSet(t *testing.T) *Set {
	s := &Set{}
	t.Cleanup(s.Close)
	return s
}

// answers fails the test unless a client gets through to an endpoint.
func answers(t *testing.T, e plan.Endpoint) {
	t.Helper()
	if err := Wake(e, -1, -1); err != nil {
		t.Fatal(err)
	}
}

func waiting(t *testing.T, s *Socket) int {
	t.Helper()
	n, err := s.Waiting()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatStaysKeepsItsSocket(t *testing.T) {
	dir := t.TempDir()
	a, b, c := unixEndpoint(filepath.Join(dir, "a")), unixEndpoint(filepath.Join(dir, "b")), tcpEndpoint("127.0.0.1", freePort(t))
	s := newSet(t)
	change(t, s, a, c)
	kept, gone := s.Get(c), s.Get(a)
	ch := change(t, s, b, c)
	if s.Get(c) != kept || s.Len() != 2 || len(ch.Opened()) != 1 || ch.Gone()[0] != gone {
		t.Error("the wrong sockets were opened or closed")
	}
	if gone.FD != -1 || s.Get(a) != nil {
		t.Error("what is gone is open")
	}
	if _, err := os.Lstat(a.Path); !os.IsNotExist(err) {
		t.Error("its name is still there:", err)
	}
	answers(t, b)
	answers(t, c)
}

func TestFailedPrepareChangesNothing(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t)
	// Somebody who does not share his port.
	foreign, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(foreign)
	if err := unix.Bind(foreign, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(foreign, 1); err != nil {
		t.Fatal(err)
	}

	old := unixEndpoint(filepath.Join(dir, "old"))
	s := newSet(t)
	change(t, s, old)
	changed := old
	changed.Mode, changed.Backlog = 0o600, 3
	fresh := unixEndpoint(filepath.Join(dir, "fresh"))
	bad := tcpEndpoint("127.0.0.1", port)
	nowhere := unixEndpoint(filepath.Join(dir, "none", "s"))
	c, errs := s.Prepare([]plan.Endpoint{changed, fresh, bad, nowhere})
	if c != nil || len(errs) != 2 || !errors.Is(errs[0], unix.EADDRINUSE) || !errors.Is(errs[1], unix.ENOENT) {
		t.Fatal(c, errs)
	}
	var e *Error
	if errors.As(errs[0], &e); e.Postfix(dir) != "bind 127.0.0.1 port "+portString(port)+": Address already in use" {
		t.Error(e.Postfix(dir))
	}
	if errors.As(errs[1], &e); e.Postfix(dir) != "bind: none/s: No such file or directory" {
		t.Error(e.Postfix(dir))
	}
	if _, err := os.Lstat(fresh.Path); !os.IsNotExist(err) {
		t.Error("a name was left behind:", err)
	}
	if s.Len() != 1 || s.Get(old).Endpoint != old || modeOf(t, old.Path) != 0o666 {
		t.Errorf("the old socket is not as it was: %+v", s.Get(old).Endpoint)
	}
	answers(t, old)
	// The next change is not held up by the one that failed.
	change(t, s, old, fresh)
}

func portString(p uint32) string {
	return strconv.FormatUint(uint64(p), 10)
}

func TestAttributesChangeOnTheOpenSocket(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	e.Backlog = 0
	s := newSet(t)
	change(t, s, e)
	sock := s.Get(e)
	// A queue of length 0 holds one client.
	answers(t, e)
	answers(t, e)
	if n := waiting(t, sock); n != 1 {
		t.Fatalf("%d clients in a queue for one", n)
	}
	e.Backlog, e.Mode, e.UID, e.GID = 5, 0o600, 65534, 65534
	change(t, s, e)
	answers(t, e)
	if n := waiting(t, sock); n != 2 || s.Get(e) != sock {
		t.Errorf("%d clients wait; the socket is the same: %v", n, s.Get(e) == sock)
	}
	st := statOf(t, e.Path)
	if modeOf(t, e.Path) != 0o600 || st.Uid != 65534 || st.Gid != 65534 {
		t.Errorf("mode %o, owner %d:%d", modeOf(t, e.Path), st.Uid, st.Gid)
	}
}

// From every address to one and back: at each moment a client finds somebody.
func TestWiderAndNarrowerAddress(t *testing.T) {
	port := freePort(t)
	for _, c := range []struct{ name, wide, narrow string }{
		{"v4", "0.0.0.0", "127.0.0.1"},
		{"v6", "::", "::1"},
		{"both", "", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wide, narrow := tcpEndpoint(c.wide, port), tcpEndpoint(c.narrow, port)
			s := newSet(t)
			change(t, s, wide)
			for _, e := range []plan.Endpoint{narrow, wide} {
				ch := prepare(t, s, e)
				answers(t, narrow)
				if err := ch.Commit(); err != nil {
					t.Fatal(err)
				}
				answers(t, narrow)
				if n := waiting(t, s.Get(e)); n < 1 {
					t.Errorf("%s: %d clients wait", Describe(e), n)
				}
			}
		})
	}
}

func TestUDPFromWideToNarrow(t *testing.T) {
	wide := plan.Endpoint{Network: plan.NetUDP, Addr: "0.0.0.0", Port: freePort(t)}
	narrow := wide
	narrow.Addr = "127.0.0.1"
	s := newSet(t)
	change(t, s, wide)
	if _, err := Open(narrow); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a stranger came in: %v", err)
	}
	for _, e := range []plan.Endpoint{narrow, wide} {
		change(t, s, e)
		if err := askToShare(t, e); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("a stranger came in beside %s: %v", Describe(e), err)
		}
	}
}

// askToShare binds beside a UDP socket as somebody who would share.
func askToShare(t *testing.T, e plan.Endpoint) error {
	t.Helper()
	family, sa, err := sockaddr(e)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := setShareable(fd, true); err != nil {
		t.Fatal(err)
	}
	return unix.Bind(fd, sa)
}

// A service changes from unix to fifo under the same name: the new one takes
// the name over at the commit, in one step.
func TestSamePathOtherKind(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "pickup"))
	fifo := e
	fifo.Network, fifo.Mode = plan.NetFifo, 0o622
	s := newSet(t)
	change(t, s, e)
	c := prepare(t, s, fifo)
	answers(t, e)
	c.Rollback()
	answers(t, e)
	if left, _ := os.ReadDir(filepath.Dir(e.Path)); len(left) != 1 {
		t.Errorf("left behind by the rollback: %v", left)
	}
	change(t, s, fifo)
	answers(t, fifo)
	if n := waiting(t, s.Get(fifo)); n != 1 {
		t.Errorf("%d bytes in the fifo", n)
	}
	left, _ := os.ReadDir(filepath.Dir(e.Path))
	if len(left) != 1 || modeOf(t, e.Path) != 0o622 {
		t.Errorf("left behind: %v", left)
	}
}

// Somebody took the name of an open socket away: the next reload heals that.
func TestLostNameIsMadeAgain(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	s := newSet(t)
	change(t, s, e)
	if err := os.Remove(e.Path); err != nil {
		t.Fatal(err)
	}
	change(t, s, e)
	answers(t, e)
}

// One batch works with the powers of several owners in turn, root's among them,
// and each can do only what is his.
func TestBatchOfOwners(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	owners := []int{4711, 0, 4721, 0, 4711}
	root := t.TempDir()
	var want []plan.Endpoint
	for i, owner := range owners {
		dir := filepath.Join(root, strconv.Itoa(i))
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, owner, owner)); err != nil {
			t.Fatal(err)
		}
		e := unixEndpoint(filepath.Join(dir, "s"))
		e.UID, e.GID = owner, owner
		want = append(want, e)
	}
	s := newSet(t)
	change(t, s, want...)
	for i, e := range want {
		if st := statOf(t, e.Path); int(st.Uid) != owners[i] || int(st.Gid) != owners[i] {
			t.Errorf("socket %d belongs to %d:%d, not to %d", i, st.Uid, st.Gid, owners[i])
		}
	}
	refused := want[0]
	refused.Path = filepath.Join(filepath.Dir(want[2].Path), "t")
	refused.AsOwner = true
	if _, errs := s.Prepare(append(want, refused)); len(errs) != 1 || !errors.Is(errs[0], unix.EACCES) {
		t.Errorf("a socket of one in the folder of another: %v", errs)
	}
	change(t, s)
	for _, e := range want {
		if _, err := os.Lstat(e.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after its removal: %v", e.Path, err)
		}
	}
	if u, _ := unix.SetfsuidRetUid(-1); u != 0 || batch.tid.Load() != 0 {
		t.Errorf("the thread still works as user %d, batch %d", u, batch.tid.Load())
	}
}

func TestListedTwice(t *testing.T) {
	a := tcpEndpoint("::1", freePort(t))
	b := a
	b.Addr = "0:0:0:0:0:0:0:1"
	if _, errs := newSet(t).Prepare([]plan.Endpoint{a, b}); len(errs) != 1 {
		t.Error(errs)
	}
}

func TestOneChangeAtATime(t *testing.T) {
	s := newSet(t)
	c := prepare(t, s)
	if _, errs := s.Prepare(nil); len(errs) == 0 {
		t.Error("two changes at a time")
	}
	c.Rollback()
	c.Rollback()
	if err := c.Commit(); err == nil {
		t.Error("a change was committed after its end")
	}
	change(t, s)
}

func TestKeptForTheClientsInTheQueue(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	s := newSet(t)
	change(t, s, e)
	answers(t, e)
	gone, err := prepare(t, s).CommitAndKeep()
	if err != nil || len(gone) != 1 || waiting(t, gone[0]) != 1 {
		t.Fatal(gone, err)
	}
	gone[0].Remove()
}

func TestAdoptNeedsAListener(t *testing.T) {
	e := tcpEndpoint("127.0.0.1", freePort(t))
	_, sa, err := sockaddr(e)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, sa); err != nil {
		t.Fatal(err)
	}
	if _, err := newSet(t).Adopt(e, fd); err == nil {
		t.Error("adopted a socket that does not listen")
	}
}

func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	for _, e := range []plan.Endpoint{
		tcpEndpoint("127.0.0.1", freePort(t)),
		unixEndpoint(filepath.Join(dir, "s")),
		{Network: plan.NetFifo, Path: filepath.Join(dir, "f"), Mode: 0o622, UID: -1, GID: -1},
	} {
		fd, err := syscall.Dup(mustOpen(t, e).FD)
		if err != nil {
			t.Fatal(err)
		}
		s := newSet(t)
		if _, err := s.Adopt(tcpEndpoint("127.0.0.2", 1), fd); err == nil {
			t.Error("adopted for an endpoint that it is not")
		}
		if _, err := s.Adopt(e, fd); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Adopt(e, fd); err == nil {
			t.Error("adopted twice")
		}
		c := change(t, s, e)
		if len(c.Opened()) != 0 {
			t.Error("opened again")
		}
		answers(t, e)
		if n := waiting(t, s.Get(e)); n != 1 {
			t.Errorf("%s: %d wait", Describe(e), n)
		}
	}
}
