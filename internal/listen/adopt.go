package listen

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Adopt takes over a descriptor that another process opened for e, as in an
// upgrade in place, and makes it a part of the set, which then owns it. It is
// held against the endpoint: its kind, its address, and that it listens. On an
// error the descriptor is left as it was. There must be no change under way.
func (s *Set) Adopt(e plan.Endpoint, fd int) (*Socket, error) {
	sock := &Socket{Endpoint: e, FD: fd, Lent: true}
	id := identityOf(e)
	if s.changing || s.open[id] != nil {
		return nil, sock.fail("adopt", errors.New("it is open already"))
	}
	var err error
	if e.Network == plan.NetFifo {
		err = sock.adoptFile()
	} else {
		err = sock.adoptSocket()
	}
	if err != nil {
		return nil, sock.fail("adopt", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return nil, sock.fail("adopt", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, sock.fail("adopt", err)
	}
	if err := sock.learnInode(); err != nil {
		return nil, err
	}
	if s.open == nil {
		s.open = map[identity]*Socket{}
	}
	s.open[id] = sock
	return sock, nil
}

func (s *Socket) adoptSocket() error {
	kind := unix.SOCK_STREAM
	if !listens(s.Endpoint.Network) {
		kind = unix.SOCK_DGRAM
	}
	if got, err := unix.GetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return err
	} else if got != kind {
		return errors.New("it is a socket of another kind")
	}
	if kind == unix.SOCK_STREAM {
		if on, err := unix.GetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
			return err
		} else if on == 0 {
			return errors.New("it does not listen")
		}
	}
	local, err := unix.Getsockname(s.FD)
	if err != nil {
		return err
	}
	if s.Endpoint.Path != "" {
		if _, ok := local.(*unix.SockaddrUnix); !ok {
			return errors.New("it is not a unix socket")
		}
		if isAbstract(s.Endpoint) {
			return nil
		}
		return s.adoptFile()
	}
	_, want, err := sockaddr(s.Endpoint)
	if err != nil {
		return err
	}
	if !sameAddress(local, want) {
		return errors.New("it is bound to another address")
	}
	if s.Endpoint.Network == plan.NetTCP {
		return setShareable(s.FD, true)
	}
	return nil
}

// adoptFile notes which file the path leads to. The kernel does not tell
// whether it is this socket's; the other process's word is taken for that.
func (s *Socket) adoptFile() error {
	d, err := openFolder(&s.Endpoint)
	if err != nil {
		return err
	}
	defer d.close()
	h, f, err := d.handle(pathName(s.Endpoint.Path), fileType(s.Endpoint.Network))
	if err != nil {
		return err
	}
	s.file = f.id
	return unix.Close(h)
}

func sameAddress(a, b unix.Sockaddr) bool {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		b, ok := b.(*unix.SockaddrInet4)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	case *unix.SockaddrInet6:
		b, ok := b.(*unix.SockaddrInet6)
		return ok && a.Port == b.Port && a.Addr == b.Addr && a.ZoneId == b.ZoneId
	case *unix.SockaddrVM:
		b, ok := b.(*unix.SockaddrVM)
		return ok && a.Port == b.Port && a.CID == b.CID
	}
	return false
}
