package masterd

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// lockContents is what Postfix's tools read from a lock file: the pid, right
// aligned in 32 columns.
const lockContents = "%32d\n"

// lockFile opens, checks and locks a file, and writes our pid into it. The lock
// lasts as long as the process; the descriptor is never closed.
func lockFile(path string, uid, gid int) error {
	fd, err := openAs(path, uid, gid)
	if err != nil {
		return fmt.Errorf("open lock file %s: %w", path, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return fmt.Errorf("open lock file %s: unable to set exclusive lock: %s", path, Strerror(err))
	}
	text := fmt.Appendf(nil, lockContents, os.Getpid())
	err = unix.Ftruncate(fd, 0)
	if err == nil {
		_, err = unix.Pwrite(fd, text, 0)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot write lock file %s: %s", path, Strerror(err))
	}
	return nil
}

// lockHeld tells whether some process holds the lock of a file. A file that
// does not exist is held by nobody.
func lockHeld(path string) (bool, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open lock file %s: %s", path, Strerror(err))
	}
	defer unix.Close(fd)
	switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err {
	case nil:
		return false, nil
	case unix.EWOULDBLOCK:
		return true, nil
	default:
		return false, fmt.Errorf("open lock file %s: %s", path, Strerror(err))
	}
}

// openAs opens a file for reading and writing, making it if need be, with the
// powers of uid and gid over the file system and no others: the directory may
// belong to somebody who is not to be trusted with root's.
func openAs(path string, uid, gid int) (fd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread is not given back: it ends with its borrowed ids.
		runtime.LockOSThread()
		if err = unix.Setfsgid(gid); err != nil {
			return
		}
		if err = unix.Setfsuid(uid); err != nil {
			return
		}
		fd, err = openRegular(path, uid)
	}()
	<-done
	return fd, err
}

// openRegular refuses what somebody may have put in the file's place.
func openRegular(path string, uid int) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return -1, fmt.Errorf("cannot open or create file: %s", Strerror(err))
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot look at file: %s", Strerror(err))
	}
	var what string
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		what = "not a regular file"
	case st.Nlink != 1:
		what = fmt.Sprintf("file has %d hard links", st.Nlink)
	case int(st.Uid) != uid:
		what = fmt.Sprintf("file is owned by uid %d instead of %d", st.Uid, uid)
	default:
		return fd, nil
	}
	unix.Close(fd)
	return -1, fmt.Errorf("%s; move it away", what)
}
