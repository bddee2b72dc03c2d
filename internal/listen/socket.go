package listen

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Socket is one open endpoint. It is owned by one goroutine and not safe for
// use by several at once.
type Socket struct {
	// Endpoint is what it was opened for, with the attributes (mode, owner,
	// backlog) that it has now.
	Endpoint plan.Endpoint
	// FD is the descriptor: non-blocking, close-on-exec. It stays the
	// Socket's own; a child gets a duplicate. -1 once it is closed.
	FD int
	// Shared tells that another process listened at this TCP port already
	// and lets others in. After a kill these are the children of the manager
	// that is gone; otherwise somebody else takes some of the clients.
	Shared bool
	// Lent tells that another process was given the socket, and may have it
	// still. Whoever gives it sets this.
	Lent bool

	// file is the name in the file system as it was made, for paths.
	file fileID
	// inode is the number by which the kernel lists the socket.
	inode uint32
	// beside lets a UDP socket be bound where another of the same set is.
	beside bool
	// silent: it is bound to see whether that can be done, and never listens.
	silent bool
}

// Open makes the socket of an endpoint: bound, listening where that applies,
// non-blocking and close-on-exec. A stale socket or fifo at a path is replaced;
// anything else there is left alone and is an error. The error is an *Error.
func Open(e plan.Endpoint) (*Socket, error) {
	return open(e, pathName(e.Path), false)
}

// open makes the socket of e; name is the last part of its path, which a
// change at reload makes another one than the endpoint's for a while.
func open(e plan.Endpoint, name string, beside bool) (*Socket, error) {
	s := &Socket{Endpoint: e, FD: -1, beside: beside}
	err := s.open(name)
	if err == nil {
		err = s.learnInode()
	}
	if err != nil {
		s.removeName(name)
		s.Close()
		return nil, err
	}
	return s, nil
}

// open gives the socket its descriptor. After an error, what was made of it is
// still to be taken away.
func (s *Socket) open(name string) error {
	e := s.Endpoint
	switch e.Network {
	case plan.NetTCP, plan.NetUDP, plan.NetVsock:
		return s.openPort()
	case plan.NetUnix, plan.NetUnixgram, plan.NetFifo:
		if isAbstract(e) {
			return s.openAbstract()
		}
		return s.openPath(name)
	default:
		return s.fail("open", errors.New("no such kind of endpoint"))
	}
}

// Close closes the descriptor and leaves a path's name where it is: children
// may still serve it, and the next Open replaces it. It can't fail in a way
// that a caller could act on, and may be repeated.
func (s *Socket) Close() {
	if s.FD >= 0 {
		_ = unix.Close(s.FD)
		s.FD = -1
	}
}

// Remove is Retire and Close.
func (s *Socket) Remove() {
	s.Retire()
	s.Close()
}

// Retire has nobody listen any more, whoever else holds the socket: a client
// would wait in a queue that is forgotten. The name of a path is taken away, if
// it still leads to this very socket. The descriptor stays open, for those who
// may be handing it on at this moment.
func (s *Socket) Retire() {
	if s.FD >= 0 {
		// Fails, and need not succeed, on what is no stream socket.
		_ = unix.Shutdown(s.FD, unix.SHUT_RDWR)
	}
	s.leaveName()
}

// leaveName takes the name of a path away, if it is still ours.
func (s *Socket) leaveName() {
	if s.Endpoint.Path != "" && !isAbstract(s.Endpoint) {
		s.removeName(pathName(s.Endpoint.Path))
	}
}

// RetireAll is Retire for many sockets, which costs less than one by one.
func RetireAll(sockets []*Socket) {
	if len(sockets) == 0 {
		return
	}
	batch.run(func() {
		for _, s := range sockets {
			s.Retire()
		}
	})
}

// WithdrawAll closes sockets, after which nobody listens there, and takes the
// names of their paths away. That the names are gone is not waited for: it
// comes before whatever is opened or closed next. BEFORE: no child is on its
// way that has a copy of a socket which is not Lent.
//
// To close a socket last frees its file as well if that has no name any more;
// so the names, which cost the most, are taken away from files that nobody has
// open.
func WithdrawAll(sockets []*Socket) {
	if len(sockets) == 0 {
		return
	}
	for _, s := range sockets {
		if s.Lent && s.FD >= 0 {
			_ = unix.Shutdown(s.FD, unix.SHUT_RDWR)
		}
	}
	closeAll(sockets)
	batch.later(func() {
		for _, s := range sockets {
			s.leaveName()
		}
	})
}

// closeAll is Close of many. Those with numbers in a row are closed by one call:
// a number that becomes free meanwhile is below those still to be closed.
func closeAll(sockets []*Socket) {
	fds := make([]int, 0, len(sockets))
	for _, s := range sockets {
		if s.FD >= 0 {
			fds = append(fds, s.FD)
			s.FD = -1
		}
	}
	slices.Sort(fds)
	for len(fds) > 0 {
		n := 1
		for n < len(fds) && fds[n] == fds[0]+n {
			n++
		}
		// Where there is no such call, each is closed by itself.
		if n == 1 || unix.CloseRange(uint(fds[0]), uint(fds[n-1]), 0) != nil {
			for _, fd := range fds[:n] {
				_ = unix.Close(fd)
			}
		}
		fds = fds[n:]
	}
}

// LeaveAll closes our descriptors and takes the names of paths away. Whoever
// else holds one of the sockets still listens.
func LeaveAll(sockets []*Socket) {
	if len(sockets) == 0 {
		return
	}
	batch.run(func() {
		for _, s := range sockets {
			s.leaveName()
			s.Close()
		}
	})
}

// RemoveAll is Remove for many sockets.
func RemoveAll(sockets []*Socket) {
	RetireAll(sockets)
	closeAll(sockets)
}

func (s *Socket) fail(op string, err error) error {
	return &Error{Op: op, Endpoint: s.Endpoint, Err: err}
}

// shutDown tells whether shutdown(2) was called on the socket, by whoever holds
// it: nobody can listen there again.
func (s *Socket) shutDown() bool {
	p := []unix.PollFd{{Fd: int32(s.FD)}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 1 && p[0].Revents&unix.POLLHUP != 0
}

// learnInode notes the number by which the kernel lists the socket.
func (s *Socket) learnInode() error {
	var st unix.Stat_t
	if err := unix.Fstat(s.FD, &st); err != nil {
		return s.fail("stat", err)
	}
	s.inode = uint32(st.Ino)
	return nil
}

// listens tells whether the network has an accept queue.
func listens(n plan.Network) bool {
	return n == plan.NetTCP || n == plan.NetUnix || n == plan.NetVsock
}

func isAbstract(e plan.Endpoint) bool { return strings.HasPrefix(e.Path, "@") }

// startListening gives a bound socket its accept queue; repeated, it changes
// the length of the queue and nothing else.
func (s *Socket) startListening() error {
	if s.silent || !listens(s.Endpoint.Network) {
		return nil
	}
	if err := unix.Listen(s.FD, s.Endpoint.Backlog); err != nil {
		return s.fail("listen", err)
	}
	return nil
}
