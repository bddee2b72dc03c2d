package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockName is the name of the lock of a configuration file: of its path, or the
// end of a very long one.
func lockName(config string) string {
	name := strings.NewReplacer("-", "--", "/", "-").Replace(config)
	return "lock" + name[max(0, len(name)-lockNameMost):]
}

// lockNameMost is how many bytes of a path are kept; a name may have 255.
const lockNameMost = 200

// lockConfig makes sure that no other broodd serves the same file: it would take
// our unix sockets away, and clients would find now the one and now the other.
// The lock is gone with us, however we end; its descriptor is never closed.
func (d *daemon) lockConfig() error {
	config, err := filepath.Abs(d.path)
	if err == nil {
		config, err = filepath.EvalSymlinks(config)
	}
	if err != nil {
		return fmt.Errorf("cannot lock %s: %w", d.path, err)
	}
	path := filepath.Join(d.config.Brood.Runtime, lockName(config))
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the lock %s: %w; set brood.runtime in %s", path, err, d.path)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer unix.Close(fd)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("cannot lock %s: %w", path, err)
		}
		holder := make([]byte, 16)
		n, _ := unix.Pread(fd, holder, 0)
		return fmt.Errorf("another broodd serves %s already, process %s; stop it first", d.path, strings.TrimSpace(string(holder[:max(n, 0)])))
	}
	// The number is for the message above; on a full disk there is none.
	_ = unix.Ftruncate(fd, 0)
	_, _ = unix.Pwrite(fd, fmt.Appendln(nil, os.Getpid()), 0)
	return nil
}
