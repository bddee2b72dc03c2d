package control

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options are what a server has to know. The zero value serves.
type Options struct {
	// Brood is the version of the daemon, for hello.
	Brood string
	// OperateGroups are the numbers of the groups whose members may operate.
	OperateGroups []uint32
	// Others is the role of everybody else; nil is Read.
	Others *Role
}

// Handler carries requests out. Handle is called in the goroutine of each
// connection, for requests that are well-formed and that who may ask; hello is
// answered without it.
//
// send makes a line of an intermediate value, with "more": true. It is for one
// goroutine at a time, waits while the client does not read, and fails when the
// client has not read for too long. What Handle returns is the last line; an
// error that is an *Error goes out as it is, any other with the code Failed. A
// picture for a role below Operate goes out redacted, whoever made it.
//
// ctx ends when the client hangs up or the server is closed.
type Handler interface {
	Handle(ctx context.Context, who Peer, req *Request, send func(v any) error) (any, error)
}

// Server is the daemon's end. While nobody asks it holds two descriptors and
// one goroutine that waits in the runtime's poller, and nothing in it wakes up.
type Server struct {
	path    string
	opts    Options
	times   times
	handler Handler
	ctx     context.Context
	cancel  context.CancelFunc
	// place is where clients come in. Renew exchanges it.
	place atomic.Pointer[place]
	// freed tells that a connection has ended, to an acceptor that lacks
	// descriptors.
	freed chan struct{}
	wait  sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
	// reserve is a descriptor that is given up for a client when there is no
	// other; nil while a client uses it, or another part of the daemon was
	// faster.
	reserve *os.File
}

// place is a listening socket and the file that it has.
type place struct {
	own file
	// listener is non-blocking, for the runtime's poller.
	listener *os.File
	raw      syscall.RawConn
}

// Listen opens the socket at path; its directory stays as it is. All users may
// connect: the table of roles decides, not the file's mode. A socket that
// nobody listens at is replaced. Anything else there is an error, one that
// another brood answers at as well.
func Listen(path string, opts Options) (*Server, error) {
	at, err := openPlace(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket %s: %w", path, err)
	}
	s := &Server{path: path, opts: opts, times: usualTimes, freed: make(chan struct{}, 1), conns: map[*conn]struct{}{}}
	s.place.Store(at)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.refill(); err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot open the control socket %s: %w", path, err)
	}
	return s, nil
}

// openPlace opens the socket at a path, for the runtime's poller.
func openPlace(path string) (*place, error) {
	fd, own, err := listenAt(path)
	if err != nil {
		return nil, err
	}
	at := &place{own: own, listener: os.NewFile(uintptr(fd), path)}
	// A file that the poller does not take cannot have a deadline.
	if err = at.listener.SetReadDeadline(time.Time{}); err == nil {
		at.raw, err = at.listener.SyscallConn()
	}
	if err != nil {
		at.listener.Close()
		removeOwn(path, own)
		return nil, err
	}
	return at, nil
}

// Renew opens the socket anew where its file is gone, or another one has taken
// its place that nobody listens at: nobody could ask the daemon anything until
// its next start otherwise. Connections go on.
func (s *Server) Renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.place.Load()
	if there, err := fileAt(s.path); s.ctx.Err() != nil || err == nil && there == old.own {
		return nil
	}
	at, err := openPlace(s.path)
	if err != nil {
		return fmt.Errorf("cannot open the control socket %s anew: %w", s.path, err)
	}
	s.place.Store(at)
	old.listener.Close() // the acceptor goes on with the new one
	return nil
}

// refill takes a descriptor in reserve. It names a place and can do nothing.
func (s *Server) refill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reserve != nil || s.ctx.Err() != nil {
		return nil
	}
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.reserve = os.NewFile(uintptr(fd), "reserve")
	return nil
}

// Serve begins to answer with h, and returns at once.
func (s *Server) Serve(h Handler) {
	s.handler = h
	s.wait.Go(s.accept)
}

// Close ends the server: it removes the socket's file if that is still its own,
// ends the contexts of all handlers, and waits a second at most for answers
// under way. It is not for a Handler to call.
func (s *Server) Close() error {
	if s.ctx.Err() != nil {
		return nil
	}
	s.mu.Lock()
	s.cancel()
	at := s.place.Load()
	removeOwn(s.path, at.own)
	for c := range s.conns {
		c.interrupt()
	}
	if s.reserve != nil {
		s.reserve.Close()
		s.reserve = nil
	}
	s.mu.Unlock()
	at.listener.Close()
	done := make(chan struct{})
	go func() {
		s.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(s.times.farewell):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.file.SetDeadline(past)
	}
	return nil
}
