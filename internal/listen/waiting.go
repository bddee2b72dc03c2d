package listen

import (
	"encoding/binary"
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
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, err
	}
	return int(info.Unacked), nil
}

// readable is 1 when a client waits, without saying how many.
func readable(fd int) (int, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
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

// The numbers of linux/unix_diag.h.
const (
	unixDiagRqlen     = 4
	udiagShowRqlen    = 0x10
	unixDiagReqLen    = 24
	unixDiagMsgLen    = 16
	anyState          = 0xffffffff
	diagNoCookie      = 0xffffffff
	diagRequestLength = unix.NLMSG_HDRLEN + unixDiagReqLen
)

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
	if _, err := d.raw(unix.SYS_SENDTO, d.request(inode)); err != nil {
		return 0, err
	}
	for {
		// The kernel has answered before sendto returned.
		n, err := d.raw(unix.SYS_RECVFROM, d.buf[:])
		if err != nil {
			return 0, err
		}
		if queue, ours, err := parseQueue(d.buf[:n], d.seq); ours {
			return queue, err
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

// request is a SOCK_DIAG_BY_FAMILY message for one socket.
func (d *diagSocket) request(inode uint32) []byte {
	ne := binary.NativeEndian
	m := make([]byte, 0, diagRequestLength)
	m = ne.AppendUint32(m, diagRequestLength)
	m = ne.AppendUint16(m, unix.SOCK_DIAG_BY_FAMILY)
	m = ne.AppendUint16(m, unix.NLM_F_REQUEST)
	m = ne.AppendUint32(m, d.seq)
	m = ne.AppendUint32(m, 0)
	m = append(m, unix.AF_UNIX, 0, 0, 0)
	m = ne.AppendUint32(m, anyState)
	m = ne.AppendUint32(m, inode)
	m = ne.AppendUint32(m, udiagShowRqlen)
	m = ne.AppendUint32(m, diagNoCookie)
	return ne.AppendUint32(m, diagNoCookie)
}

// parseQueue reads an answer; ours is false for one to another question.
func parseQueue(m []byte, seq uint32) (queue int, ours bool, err error) {
	ne := binary.NativeEndian
	if len(m) < unix.NLMSG_HDRLEN || ne.Uint32(m[8:]) != seq {
		return 0, false, nil
	}
	body := m[unix.NLMSG_HDRLEN:]
	if ne.Uint16(m[4:]) == unix.NLMSG_ERROR {
		if len(body) < 4 {
			return 0, true, unix.EBADMSG
		}
		return 0, true, unix.Errno(-int32(ne.Uint32(body)))
	}
	for attrs := body[min(len(body), unixDiagMsgLen):]; len(attrs) >= unix.SizeofRtAttr; {
		length, kind := int(ne.Uint16(attrs)), ne.Uint16(attrs[2:])
		if length < unix.SizeofRtAttr || length > len(attrs) {
			break
		}
		if kind == unixDiagRqlen && length >= unix.SizeofRtAttr+4 {
			return int(ne.Uint32(attrs[unix.SizeofRtAttr:])), true, nil
		}
		attrs = attrs[min(len(attrs), (length+3)&^3):]
	}
	return 0, true, unix.EBADMSG
}
