package listen

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
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

// freePort is a TCP port that nobody used a moment ago, on every address.
func freePort(t *testing.T) uint32 {
	t.Helper()
	s := mustOpen(t, tcpEndpoint("", 0))
	defer s.Close()
	sa, err := unix.Getsockname(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(sa.(*unix.SockaddrInet6).Port)
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
