package control

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pathMost is the longest path that a socket can have (unix(7): 108 bytes with
// the one that ends it).
const pathMost = 107

// checkPath refuses what no socket can be called.
func checkPath(path string) error {
	if n := len(path); n == 0 || n > pathMost {
		return fmt.Errorf("the path has %d bytes, and that of a socket has 1 to %d", n, pathMost)
	}
	return nil
}

// open makes a socket for the protocol.
func open(flags int) (int, error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
}

// file is which file is at a path.
type file struct{ device, inode uint64 }

// fileAt returns which socket is at path. Anything else there is an error.
func fileAt(path string) (file, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return file{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return file{}, errors.New("what is there is not a socket")
	}
	return file{st.Dev, st.Ino}, nil
}

// bindAt gives the socket its path. The kernel makes the file only where there
// is none, so that of two daemons that start at once one gets an error.
func bindAt(fd int, path string) error {
	address := &unix.SockaddrUnix{Name: path}
	err := unix.Bind(fd, address)
	if !errors.Is(err, unix.EADDRINUSE) {
		return err
	}
	if err := removeStale(path); err != nil {
		return err
	}
	return unix.Bind(fd, address)
}

// removeStale removes a socket that nobody listens at.
func removeStale(path string) error {
	there, err := fileAt(path)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return err
	}
	probe, err := open(unix.SOCK_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(probe)
	err = unix.Connect(probe, &unix.SockaddrUnix{Name: path})
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
	case err == nil, errors.Is(err, unix.EAGAIN):
		return errors.New("another brood answers there; stop it, or use another path")
	case errors.Is(err, unix.ENOENT):
		return nil
	default:
		return err
	}
	if now, err := fileAt(path); err != nil || now != there {
		return errors.New("another brood is starting there")
	}
	return unix.Unlink(path)
}

// listenAt opens the listening socket. Everybody may connect: who may do what is
// not a question of the file's mode.
func listenAt(path string) (fd int, own file, err error) {
	if err := checkPath(path); err != nil {
		return -1, file{}, err
	}
	if fd, err = open(unix.SOCK_NONBLOCK); err != nil {
		return -1, file{}, err
	}
	if err = bindAt(fd, path); err != nil {
		unix.Close(fd)
		return -1, file{}, err
	}
	if own, err = fileAt(path); err == nil {
		err = unix.Chmod(path, 0o666)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		removeOwn(path, own)
		return -1, file{}, err
	}
	return fd, own, nil
}

// removeOwn removes the socket's file, unless another one has taken its place.
func removeOwn(path string, own file) {
	if there, err := fileAt(path); err == nil && there == own {
		os.Remove(path)
	}
}

// readable tells whether something waits at a descriptor.
func readable(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return n > 0 && err == nil
}

// hungUp tells whether the other end is gone. One that has only ended what it
// writes still reads.
func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p, 0)
	return n > 0 && err == nil && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
