package listen

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// TestTryFindsWhatPrepareFinds holds the two against each other, over all that
// can stand in the way.
func TestTryFindsWhatPrepareFinds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("data", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	taken := tcpEndpoint("127.0.0.1", freePort(t))
	another, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(another)
	if err := unix.Bind(another, &unix.SockaddrInet4{Port: int(taken.Port), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(another, 1); err != nil {
		t.Fatal(err)
	}
	udp := plan.Endpoint{Network: plan.NetUDP, Addr: "127.0.0.1", Port: freePort(t), UID: -1, GID: -1}
	fifo := plan.Endpoint{Network: plan.NetFifo, Path: filepath.Join(dir, "fifo"), UID: -1, GID: -1, Mode: 0o600}
	free := tcpEndpoint("127.0.0.1", freePort(t))
	for name, want := range map[string][]plan.Endpoint{
		"all is well": {
			free, udp, fifo, unixEndpoint(filepath.Join(dir, "new")),
			{Network: plan.NetUnix, Path: "@brood-try-" + filepath.Base(dir), UID: -1, GID: -1, Backlog: 1},
		},
		"taken":                   {taken},
		"no such address":         {tcpEndpoint("192.0.2.77", 2525)},
		"no such folder":          {unixEndpoint(filepath.Join(dir, "none", "s"))},
		"a file in the way":       {unixEndpoint(filepath.Join(dir, "data"))},
		"a folder in the way":     {unixEndpoint(filepath.Join(dir, "folder"))},
		"a link in the way":       {unixEndpoint(filepath.Join(dir, "link"))},
		"listed twice":            {free, free},
		"several, and a good one": {taken, unixEndpoint(filepath.Join(dir, "data")), unixEndpoint(filepath.Join(dir, "new"))},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			before := names(t, dir)
			tried := told(s.Try(want))
			if diff := cmp.Diff(before, names(t, dir)); diff != "" {
				t.Errorf("it left a trace: %s", diff)
			}
			if s.Len() != 0 {
				t.Errorf("%d sockets are open", s.Len())
			}
			c, errs := s.Prepare(want)
			if diff := cmp.Diff(told(errs), tried); diff != "" {
				t.Error(diff)
			}
			if c != nil {
				c.Rollback()
			}
		})
	}
}

func told(errs []error) (texts []string) {
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return texts
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestTryDisturbsNobody tries addresses that the set itself serves, wider ones
// and the same: the sockets go on, and no client gets to another.
func TestTryDisturbsNobody(t *testing.T) {
	dir := t.TempDir()
	tcp := tcpEndpoint("127.0.0.1", freePort(t))
	path := unixEndpoint(filepath.Join(dir, "s"))
	udp := plan.Endpoint{Network: plan.NetUDP, Addr: "127.0.0.1", Port: freePort(t), UID: -1, GID: -1}
	s := newSet(t)
	change(t, s, tcp, path, udp)
	wide, gram, wideUDP := tcp, path, udp
	wide.Addr, wideUDP.Addr = "", ""
	gram.Network = plan.NetUnixgram
	if errs := s.Try([]plan.Endpoint{tcp, wide, gram, udp, wideUDP}); len(errs) > 0 {
		t.Fatal(errs)
	}
	answers(t, tcp)
	answers(t, path)
	for _, e := range []plan.Endpoint{tcp, path} {
		if n := waiting(t, s.Get(e)); n != 1 {
			t.Errorf("%d clients wait at %v", n, e)
		}
	}
	c, errs := s.Prepare([]plan.Endpoint{tcp})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if errs := s.Try(nil); len(errs) != 1 || errors.Is(errs[0], unix.EADDRINUSE) {
		t.Errorf("tried in the middle of a change: %v", errs)
	}
	c.Rollback()
}

// TestTriedSocketTakesNobody has a client come while a socket is being tried.
func TestTriedSocketTakesNobody(t *testing.T) {
	e := tcpEndpoint("127.0.0.1", freePort(t))
	tried := &Socket{Endpoint: e, FD: -1, silent: true}
	if err := tried.open(""); err != nil {
		t.Fatal(err)
	}
	defer tried.Close()
	if err := Wake(e, -1, -1); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a client of a socket that is tried: %v", err)
	}
}
