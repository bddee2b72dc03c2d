package maillog

import (
	"errors"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// datagram is a connection to a unix datagram socket that may go and come
// back. It never blocks.
type datagram struct {
	path string
	fd   int
}

func newDatagram(path string) *datagram { return &datagram{path: path, fd: -1} }

// send hands one line over. EAGAIN means that the other side is there and
// busy; any other error that it can't be reached.
func (d *datagram) send(line []byte) error {
	if d.fd >= 0 {
		err := unix.Sendto(d.fd, line, unix.MSG_NOSIGNAL, nil)
		if err == nil || busy(err) {
			return err
		}
		// Another daemon may have taken the place of the one we knew.
		d.close()
	}
	if err := d.connect(); err != nil {
		return err
	}
	err := unix.Sendto(d.fd, line, unix.MSG_NOSIGNAL, nil)
	if err != nil && !busy(err) {
		d.close()
	}
	return err
}

func busy(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EINTR)
}

func (d *datagram) connect() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := connectPath(fd, d.path); err != nil {
		_ = unix.Close(fd)
		return err
	}
	d.fd = fd
	return nil
}

// sunPathMax is how long the path in an address may be (unix(7)).
const sunPathMax = 107

// connectPath goes through a handle of the folder where the path is too long.
func connectPath(fd int, path string) error {
	if len(path) <= sunPathMax {
		return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(dir) }()
	short := "/proc/self/fd/" + strconv.Itoa(dir) + "/" + filepath.Base(path)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: short})
}

func (d *datagram) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}
