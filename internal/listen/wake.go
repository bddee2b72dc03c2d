package listen

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// WakeTimeout bounds one Wake.
const WakeTimeout = time.Second

// wakeByte is the request that tells a Postfix daemon to look at its work; over
// a connection a zero byte ends it.
const wakeByte = 'W'

// Wake sends a service the byte 'W' over a fresh connection: a unix or TCP
// stream is connected to, a fifo is opened for writing. What a connection
// carries is "W" and a zero byte, a fifo the "W" alone, as Postfix's own master
// sends them.
//
// It takes at most WakeTimeout, and on a unix socket or fifo no time at all; it
// may be called from any goroutine. A queue that is full is no failure: whoever
// stands in it wakes the service as well. Datagram endpoints can't be woken,
// by Postfix neither: the error is then EOPNOTSUPP.
//
// uid and gid are the mail owner: a path is walked, and a fifo opened, with his
// powers, never with root's.
func Wake(e plan.Endpoint, uid, gid int) error {
	return wake(e, uid, gid, func(fd int, deadline time.Time) error {
		return writeWithin(fd, []byte{wakeByte, 0}, deadline)
	})
}

// WakePass does the same for a service whose clients pass descriptors: it
// passes the read end of a pipe that holds the "W" and the zero byte.
func WakePass(e plan.Endpoint, uid, gid int) error {
	return wake(e, uid, gid, func(fd int, _ time.Time) error {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			return err
		}
		defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
		if _, err := unix.Write(pipe[1], []byte{wakeByte, 0}); err != nil {
			return err
		}
		return unix.Sendmsg(fd, []byte{0}, unix.UnixRights(pipe[0]), nil, unix.MSG_NOSIGNAL)
	})
}

// Knock connects and closes the connection again: a client that says nothing. It
// is for services whose workers know nothing of Postfix; a fifo gets its byte.
func Knock(e plan.Endpoint, uid, gid int) error {
	return wake(e, uid, gid, func(int, time.Time) error { return nil })
}

func wake(e plan.Endpoint, uid, gid int, send func(fd int, deadline time.Time) error) error {
	deadline := time.Now().Add(WakeTimeout)
	var err error
	switch e.Network {
	case plan.NetTCP:
		err = wakeTCP(e, deadline, send)
	case plan.NetUnix:
		err = wakeUnix(e, ids{uid: uid, gid: gid}, deadline, send)
	case plan.NetFifo:
		err = wakeFifo(e, ids{uid: uid, gid: gid})
	default:
		err = unix.EOPNOTSUPP
	}
	if err != nil {
		return &Error{Op: "wake", Endpoint: e, Err: err}
	}
	return nil
}

func wakeUnix(e plan.Endpoint, owner ids, deadline time.Time, send func(int, time.Time) error) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	err = connectUnix(fd, e, owner)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil {
		return err
	}
	return send(fd, deadline)
}

func connectUnix(fd int, e plan.Endpoint, owner ids) error {
	if isAbstract(e) {
		return unix.Connect(fd, &unix.SockaddrUnix{Name: e.Path})
	}
	e.UID, e.GID = owner.uid, owner.gid
	d, err := openFolder(&e)
	if err != nil {
		return err
	}
	defer d.close()
	return d.power.as(func() error {
		return d.eitherWay(e.Path, pathName(e.Path), func(sa unix.Sockaddr) error { return unix.Connect(fd, sa) })
	})
}

// wakeFifo writes to the fifo with the mail owner's powers even where the
// folder is root's.
func wakeFifo(e plan.Endpoint, owner ids) error {
	if !privileged() {
		owner = ids{}
	}
	e.UID, e.GID = owner.uid, owner.gid
	d, err := openFolder(&e)
	if err != nil {
		return err
	}
	defer d.close()
	return owner.as(func() error {
		fd, err := unix.Openat(d.fd, pathName(e.Path), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return errors.New("not a fifo")
		}
		if _, err := unix.Write(fd, []byte{wakeByte}); err != nil && !errors.Is(err, unix.EAGAIN) {
			return err
		}
		return nil
	})
}

func wakeTCP(e plan.Endpoint, deadline time.Time, send func(int, time.Time) error) error {
	family, addr, err := sockaddr(reachable(e))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := connectWithin(fd, addr, deadline); err != nil {
		return err
	}
	return send(fd, deadline)
}

// reachable is the endpoint with an address that one can connect to.
func reachable(e plan.Endpoint) plan.Endpoint {
	if e.Addr == "" {
		e.Addr = "127.0.0.1"
		return e
	}
	if a, err := netip.ParseAddr(e.Addr); err == nil && a.IsUnspecified() {
		e.Addr = "127.0.0.1"
		if a.Is6() {
			e.Addr = "::1"
		}
	}
	return e
}

func connectWithin(fd int, addr unix.Sockaddr, deadline time.Time) error {
	err := unix.Connect(fd, addr)
	if !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
		return err
	}
	if err := pollWithin(fd, unix.POLLOUT, deadline); err != nil {
		return err
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

func writeWithin(fd int, b []byte, deadline time.Time) error {
	for {
		err := unix.Sendto(fd, b, unix.MSG_NOSIGNAL, nil)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			return nil // somebody has taken the connection and is gone: awake
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err := pollWithin(fd, unix.POLLOUT, deadline); err != nil {
			return err
		}
	}
}

func pollWithin(fd int, events int16, deadline time.Time) error {
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return unix.ETIMEDOUT
		}
		n, err := unix.Poll(p, int(left.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
