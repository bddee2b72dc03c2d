package masterd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLockFileHoldsThePidAndTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.pid")
	if err := os.WriteFile(path, []byte("an old and much longer text than a pid needs, by far\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if held, err := lockHeld(path); held || err != nil {
		t.Fatalf("a stale file is held: %v, %v", held, err)
	}
	if err := lockFile(path, os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if want := fmt.Sprintf("%32d\n", os.Getpid()); err != nil || string(text) != want {
		t.Errorf("the file holds %q, %v; want %q", text, err, want)
	}
	if held, err := lockHeld(path); !held || err != nil {
		t.Errorf("the lock is not seen: %v, %v", held, err)
	}
	err = lockFile(path, os.Getuid(), os.Getgid())
	if want := "unable to set exclusive lock: Resource temporarily unavailable"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a second lock: %v, want %q", err, want)
	}
}

func TestLockFileThatDoesNotExistIsHeldByNobody(t *testing.T) {
	if held, err := lockHeld(filepath.Join(t.TempDir(), "none")); held || err != nil {
		t.Errorf("held %v, %v", held, err)
	}
}

// TestLockFileTakesNothingElse puts in the place of the lock file what somebody
// with rights over the directory could.
func TestLockFileTakesNothingElse(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	put := map[string]func(path string) error{
		"symbolic link": func(p string) error { return os.Symlink(precious, p) },
		"hard link":     func(p string) error { return os.Link(precious, p) },
		"fifo":          func(p string) error { return unix.Mkfifo(p, 0o600) },
		"directory":     func(p string) error { return os.Mkdir(p, 0o700) },
	}
	for what, put := range put {
		path := filepath.Join(dir, what)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		err := lockFile(path, os.Getuid(), os.Getgid())
		if err == nil || !strings.Contains(err.Error(), "open lock file "+path) {
			t.Errorf("a %s is taken: %v", what, err)
		}
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("the file behind a link now holds %q, %v", text, err)
	}
}

func TestStrerrorSpeaksAsTheCLibrary(t *testing.T) {
	for err, want := range map[error]string{
		unix.EAGAIN:                            "Resource temporarily unavailable",
		unix.ENOENT:                            "No such file or directory",
		fmt.Errorf("wrapped: %w", unix.EACCES): "Permission denied",
	} {
		if got := Strerror(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}
