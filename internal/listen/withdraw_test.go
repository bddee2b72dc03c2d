package listen

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
)

// TestWithdraw has many sockets closed whose names may go later, and opens them
// anew at once: nothing that was to be taken away may hit what came after.
func TestWithdraw(t *testing.T) {
	const owner, many = 4711, 200
	dir := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	want := make([]plan.Endpoint, many)
	for i := range want {
		want[i] = unixEndpoint(filepath.Join(dir, strconv.Itoa(i)))
	}
	s := newSet(t)
	change(t, s, want...)
	for range 3 {
		c := prepare(t, s)
		gone, err := c.CommitAndKeep()
		if err != nil {
			t.Fatal(err)
		}
		WithdrawAll(gone)
		for _, sock := range gone {
			if sock.FD != -1 {
				t.Fatal("a socket is open still")
			}
		}
		change(t, s, want...)
		for _, e := range want {
			answers(t, e)
		}
	}
	c := prepare(t, s)
	gone, _ := c.CommitAndKeep()
	WithdrawAll(gone)
	change(t, s) // comes after it
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d names are left, %v", len(left), err)
	}
}

// TestWithdrawLent refuses clients though somebody else has the socket.
func TestWithdrawLent(t *testing.T) {
	s := newSet(t)
	e := unixEndpoint("@" + t.TempDir())
	change(t, s, e)
	sock := s.Get(e)
	child, err := unix.Dup(sock.FD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	sock.Lent = true
	c := prepare(t, s)
	gone, _ := c.CommitAndKeep()
	WithdrawAll(gone)
	client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)
	if err := unix.Connect(client, &unix.SockaddrUnix{Name: e.Path}); err != unix.ECONNREFUSED {
		t.Error("a client was answered:", err)
	}
}

// TestMomentOfBirth tells files that could have the same number from each other.
func TestMomentOfBirth(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	bornNow := func() uint32 {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := lookAt(unix.AT_FDCWD, name)
		if err = errors.Join(err, os.Remove(name)); err != nil {
			t.Fatal(err)
		}
		return f.id.born
	}
	first := bornNow()
	if first == 0 {
		t.Log("this file system keeps no moment of birth")
		return
	}
	// The clock that files are stamped with goes in steps of some milliseconds.
	await.That(t, "a file is born at another moment", func() bool { return bornNow() != first })
}
