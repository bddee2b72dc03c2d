package master

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// equipInetd gives a client's connection as descriptors 0 and 1, or, where
// clients send datagrams, the socket. What the child writes to descriptor 2 is
// output.
func (m *Master) equipInetd(b *birth) error {
	fd := b.service.listeners[0].fd
	if err := m.standard(b, fd); err != nil {
		return err
	}
	if b.service.plan.Policy.Single {
		var err error
		if b.guest, err = b.service.nextGuest(); err != nil {
			return err
		}
		fd = b.guest.fd
		b.spec.EnvMore = append(b.spec.EnvMore, b.guest.env...)
	}
	b.spec.Files[0], b.spec.Files[1] = fd, fd
	return nil
}

// nextGuest takes the first client that waits at any of the service's sockets.
// A birth is permitted already, so that no client is taken for nobody.
func (s *service) nextGuest() (guest, error) {
	if c, ok := s.keptGuest(); ok {
		return c, nil
	}
	for _, src := range s.listeners {
		fd, from, err := unix.Accept4(src.fd, unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			return guest{fd, remote(from)}, nil
		case clientGone(err):
		default:
			return noGuest, fmt.Errorf("cannot accept a client: %w", err)
		}
	}
	return noGuest, errNoClient
}

// clientGone tells the errors of accept(2) that concern one client alone, or
// none.
func clientGone(err error) bool {
	for _, e := range []error{
		unix.EAGAIN, unix.EINTR, unix.ECONNABORTED, unix.EPERM,
		// Errors of the network that wait on the new socket.
		unix.ENETDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EHOSTDOWN, unix.ENONET,
		unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// remote is who the client is, in the variables that systemd sets, see
// systemd.exec(5); nothing for a client without an address.
func remote(from unix.Sockaddr) []string {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return remoteIP(netip.AddrFrom4(a.Addr), a.Port)
	case *unix.SockaddrInet6:
		return remoteIP(netip.AddrFrom16(a.Addr).Unmap(), a.Port)
	case *unix.SockaddrVM:
		return []string{
			"REMOTE_ADDR=vsock:" + strconv.FormatUint(uint64(a.CID), 10),
			"REMOTE_PORT=" + strconv.FormatUint(uint64(a.Port), 10),
		}
	}
	return nil
}

func remoteIP(addr netip.Addr, port int) []string {
	return []string{"REMOTE_ADDR=" + addr.String(), "REMOTE_PORT=" + strconv.Itoa(port)}
}
