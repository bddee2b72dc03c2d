package listen

import (
	"errors"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// openPort makes a socket that has a port: TCP, UDP, vsock.
func (s *Socket) openPort() error {
	family, addr, err := sockaddr(s.Endpoint)
	if err != nil {
		return s.fail("bind", err)
	}
	kind := unix.SOCK_STREAM
	if s.Endpoint.Network == plan.NetUDP {
		kind = unix.SOCK_DGRAM
	}
	s.FD, err = unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) && family == unix.AF_INET6 && s.Endpoint.Addr == "" {
		// Every address of a machine without IPv6.
		addr = &unix.SockaddrInet4{Port: int(s.Endpoint.Port)}
		family = unix.AF_INET
		s.FD, err = unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		s.FD = -1
		return s.fail("open", err)
	}
	if family == unix.AF_INET6 {
		if err := unix.SetsockoptInt(s.FD, unix.SOL_IPV6, unix.IPV6_V6ONLY, boolInt(s.Endpoint.V6Only)); err != nil {
			return s.fail("open", err)
		}
	}
	if err := s.bindPort(addr); err != nil {
		return err
	}
	return s.startListening()
}

// bindPort binds. A port is first asked for alone, so that it becomes known
// whether somebody is there already, and only then beside him.
func (s *Socket) bindPort(addr unix.Sockaddr) error {
	tcp := s.Endpoint.Network == plan.NetTCP
	if tcp {
		if err := unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return s.fail("bind", err)
		}
	}
	err := unix.Bind(s.FD, addr)
	if !tcp && !(s.beside && errors.Is(err, unix.EADDRINUSE)) {
		if err != nil {
			return s.fail("bind", err)
		}
		return nil
	}
	if err := setShareable(s.FD, true); err != nil {
		return s.fail("bind", err)
	}
	if errors.Is(err, unix.EADDRINUSE) {
		err = unix.Bind(s.FD, addr)
		s.Shared = tcp && err == nil
	}
	if err == nil && !tcp {
		err = setShareable(s.FD, false)
	}
	if err != nil {
		return s.fail("bind", err)
	}
	return nil
}

func setShareable(fd int, on bool) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, boolInt(on))
}

// sockaddr is the kernel's form of an endpoint with a port.
func sockaddr(e plan.Endpoint) (family int, sa unix.Sockaddr, err error) {
	if e.Network == plan.NetVsock {
		cid := uint64(unix.VMADDR_CID_ANY)
		if e.Addr != "" {
			if cid, err = strconv.ParseUint(e.Addr, 10, 32); err != nil {
				return 0, nil, errors.New("the context id is not a number")
			}
		}
		return unix.AF_VSOCK, &unix.SockaddrVM{CID: uint32(cid), Port: e.Port}, nil
	}
	if e.Port > 65535 {
		return 0, nil, errors.New("the port is above 65535")
	}
	if e.Addr == "" {
		return unix.AF_INET6, &unix.SockaddrInet6{Port: int(e.Port)}, nil
	}
	a, err := netip.ParseAddr(e.Addr)
	if err != nil {
		return 0, nil, errors.New("not a numeric address")
	}
	if a = a.Unmap(); a.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(e.Port), Addr: a.As4()}, nil
	}
	zone, err := zoneIndex(a.Zone())
	if err != nil {
		return 0, nil, err
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(e.Port), Addr: a.As16(), ZoneId: zone}, nil
}

// zoneIndex is the number of an interface that a link-local address names.
func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	ifr, err := unix.NewIfreq(zone)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, err
	}
	return ifr.Uint32(), nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
