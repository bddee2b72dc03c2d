package control

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

// TestListen: what is in the way is replaced when it is dead, and named
// otherwise.
func TestListen(t *testing.T) {
	dir := openDirectory(t)
	path := dir + "/control"
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	start(t, path, Options{}, &handler{})
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
		t.Error(err)
	}
	fails := func(path, words string) {
		t.Helper()
		s, err := Listen(path, Options{})
		if err == nil || !strings.HasSuffix(err.Error(), words) || !strings.HasPrefix(err.Error(), "cannot open the control socket "+path+": ") {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			s.Close()
		}
	}
	fails(path, "another brood answers there; stop it, or use another path")
	// Nothing has happened to the living one.
	if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(dir+"/file", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(dir+"/file", "what is there is not a socket")
	if text, err := os.ReadFile(dir + "/file"); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	fails(dir+"/gone/control", "no such file or directory")
	fails(dir+"/"+strings.Repeat("x", 100), "and that of a socket has 1 to 107")
}

// TestListenUmask: the daemon's umask does not keep anybody out.
func TestListenUmask(t *testing.T) {
	old := unix.Umask(0o077)
	path := serve(t, Options{}, &handler{})
	unix.Umask(old)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestCloseLeavesOthers: the file of one that has taken the place is not removed.
func TestCloseLeavesOthers(t *testing.T) {
	path := openDirectory(t) + "/control"
	first := start(t, path, Options{}, &handler{})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	start(t, path, Options{}, &handler{})
	first.Close()
	if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
		t.Error(err)
	}
}

// TestRenew: a socket whose file is gone, or was replaced by a dead one, is
// opened anew, and who is connected stays so.
func TestRenew(t *testing.T) {
	path := openDirectory(t) + "/control"
	s := start(t, path, Options{}, &handler{})
	before := client(t, path)
	asks := func(c *Client) {
		t.Helper()
		if err := c.Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
			t.Error(err)
		}
	}
	asks(before)
	own := s.place.Load().own
	if err := s.Renew(); err != nil || s.place.Load().own != own {
		t.Errorf("one that is in place was opened anew, or %v", err)
	}
	for _, replace := range []func(){
		func() {},
		func() {
			dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err != nil {
				t.Fatal(err)
			}
			dead.SetUnlinkOnClose(false)
			dead.Close()
		},
	} {
		descriptors := countDescriptors()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		replace()
		if err := s.Renew(); err != nil {
			t.Fatal(err)
		}
		if n := countDescriptors(); n != descriptors {
			t.Errorf("%d sockets, %d before", n, descriptors)
		}
		asks(before)
		asks(client(t, path))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Renew(); err == nil || !strings.HasSuffix(err.Error(), "what is there is not a socket") {
		t.Error(err)
	}
	asks(before)
	s.Close()
	if err := s.Renew(); err != nil {
		t.Error("after the end:", err)
	}
}

// TestNeverServed: a server that is closed before it has served leaves nothing.
func TestNeverServed(t *testing.T) {
	before := countDescriptors()
	path := openDirectory(t) + "/control"
	s, err := Listen(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) || countDescriptors() != before {
		t.Errorf("%v, %d sockets", err, countDescriptors()-before)
	}
}
