package listen

import (
	"errors"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Waiting tells how much stands in the socket's queue and was not taken yet.
//
// For a TCP or unix stream socket n is the number of clients. For datagrams
// and fifos, where the kernel counts bytes, n is the bytes that the next read
// would give, and 1 for an empty datagram. For vsock n is 0 or 1. It costs one
// to three system calls; a unix stream socket is looked up among all of the
// network namespace (sock_diag(7)), which took 15 µs among a thousand.
func (s *Socket) Waiting() (n int, err error) {
	switch s.Endpoint.Network {
	case plan.NetTCP:
		n, err = tcpQueue(s.FD)
	case plan.NetUnix:
		n, err = diag.unixQueue(s.inode)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPROTONOSUPPORT) {
			// A kernel without unix_diag.
			n, err = readable(s.FD)
		}
	case plan.NetVsock:
		n, err = readable(s.FD)
	default:
		n, err = unix.IoctlGetInt(s.FD, unix.SIOCINQ)
		if err == nil && n == 0 {
			n, err = readable(s.FD)
		}
	}
	if err != nil {
		return 0, s.fail("count the queue of", err)
	}
	return n, nil
}

// tcpQueue reads the length of the accept queue, which the kernel tells as the
// number of unacknowledged segments of a listening socket (net/ipv4/tcp.c).
func tcpQueue(fd int) (int, error) {
	var info unix.TCPInfo
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(info.Unacked), nil
}

// Readable tells whether somebody waits, at less cost than how many.
func (s *Socket) Readable() bool {
	n, err := readable(s.FD)
	return err == nil && n == 1
}

// readable is 1 when a client waits, without saying how many. It goes past the
// scheduler, because it does not wait.
func readable(fd int) (int, error) {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	var atOnce unix.Timespec
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&atOnce)), 0, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, errno
}

// diag is the one netlink socket over which the kernel is asked about unix
// sockets.
var diag diagSocket

type diagSocket struct {
	mu   sync.Mutex
	open bool
	fd   int
	seq  uint32
	buf  [1024]byte
}

// unixQueue asks for the accept queue of the unix socket with this inode.
func (d *diagSocket) unixQueue(inode uint32) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.open {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
		if err != nil {
			return 0, err
		}
		d.fd, d.open = fd, true
	}
	d.seq++
	request := unixRequest(anyState, inode, udiagShowRqlen)
	if _, err := d.raw(unix.SYS_SENDTO, appendQuestion(d.buf[:0], d.seq, 0, request[:])); err != nil {
		return 0, err
	}
	for {
		// The kernel has answered before sendto returned.
		n, err := d.raw(unix.SYS_RECVFROM, d.buf[:])
		if err != nil {
			return 0, err
		}
		answered, told, waiting := false, false, 0
		_, err = eachAnswer(d.buf[:n], d.seq, func(m []byte) {
			answered = true
			waiting, _, told = lengths(m)
		})
		switch {
		case err != nil:
			return 0, err
		case told:
			return waiting, nil
		case answered:
			return 0, unix.EBADMSG
		}
	}
}

// raw sends or receives past the scheduler, because neither waits: as a call
// that might, it would wake the runtime's monitor each time after a rest.
func (d *diagSocket) raw(call uintptr, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(call, uintptr(d.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
