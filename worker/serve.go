package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// Handler serves one client. The connection is closed when it returns. The
// context is the loop's.
//
// For TCP the connection is a *net.TCPConn, for a unix socket a *net.UnixConn;
// clients that another process has passed on come as *Passed. A panic ends the
// worker, upon which the manager logs its exit status.
type Handler func(ctx context.Context, conn net.Conn)

// Serve serves one client at a time. The worker reports taken when it has
// accepted a client and available when the handler has returned.
//
// Run with -S, it serves the one client that is connected to descriptor 0.
func (w *Worker) Serve(ctx context.Context, h Handler) error {
	if w.args.stdio {
		return w.serveStdio(ctx, h)
	}
	return w.serve(ctx, 1, h)
}

// ServeMulti serves many clients at the same time, each in a goroutine of its
// own. With most 0 there is always room, and the manager needs one worker only.
// Otherwise it reports taken when it has that many clients, leaves new ones to
// others, and reports available when there is room again. When its first client
// has left it reports taken and available at once, if it has not been full
// before, so that the manager knows that it has been of use.
//
// A worker that has served MaxUse clients leaves at the first moment without a
// client.
func (w *Worker) ServeMulti(ctx context.Context, most int, h Handler) error {
	if w.args.stdio {
		return w.serveStdio(ctx, h)
	}
	return w.serve(ctx, most, h)
}

func (w *Worker) serve(ctx context.Context, most int, h Handler) error {
	l, err := newLoop(w, most)
	if err != nil {
		return err
	}
	defer l.close()
	defer l.until(ctx)()
	for {
		conn, err := l.accept()
		if errors.Is(err, errLeave) {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer l.done()
			w.serveClient(ctx, conn, h)
		}()
	}
}

func (w *Worker) serveClient(ctx context.Context, conn net.Conn, h Handler) {
	if w.args.transport == masterproto.TransportPass {
		passed, err := receivePassed(conn)
		if err != nil {
			w.log.Warn(err.Error())
			return
		}
		conn = passed
	}
	defer conn.Close()
	h(ctx, conn)
}

func (w *Worker) serveStdio(ctx context.Context, h Handler) error {
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("cannot serve the client on descriptor 0: %w", err)
	}
	conn, err := connOf(fd)
	if err != nil {
		return fmt.Errorf("cannot serve the client on descriptor 0: %w", err)
	}
	defer conn.Close()
	h(ctx, conn)
	return nil
}

// Server is the part of *http.Server (and of its likes) that ServeListener
// needs. Shutdown closes idle connections and waits for the busy ones.
type Server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
}

// ServeListener has a server accept clients from the inherited sockets, at
// most that many at the same time; 0 means any number. A connection counts as
// a client until it is closed, so that a server that keeps connections alive
// wants an idle time-out below MaxIdle. When the worker leaves, the server is
// shut down; what it still serves is waited for.
func (w *Worker) ServeListener(ctx context.Context, most int, server Server) error {
	if w.args.transport == masterproto.TransportPass || w.args.stdio {
		return errors.New("cannot serve a listener: clients come one by one from another process")
	}
	l, err := newLoop(w, most)
	if err != nil {
		return err
	}
	l.hasty = true
	defer l.close()
	defer l.until(ctx)()
	shut := make(chan error, 1)
	go func() {
		<-w.Leaving()
		shut <- server.Shutdown(context.WithoutCancel(ctx))
	}()
	front := &listener{loop: l, closed: make(chan struct{})}
	err = server.Serve(front)
	// Whoever ended it, from here on no client is taken.
	l.end()
	if bad := <-shut; bad != nil {
		return fmt.Errorf("cannot shut the server down: %w", bad)
	}
	select {
	case <-front.closed:
		return front.failure()
	default:
		return fmt.Errorf("cannot serve: %w", err)
	}
}

// listener is a net.Listener in front of a loop.
type listener struct {
	loop *loop
	once sync.Once
	// closed is closed when the listener has nothing more to give, for the
	// reason in err.
	closed chan struct{}
	mu     sync.Mutex
	err    error
}

// Accept returns net.ErrClosed once the worker leaves.
func (s *listener) Accept() (net.Conn, error) {
	conn, err := s.loop.accept()
	if err != nil {
		if !errors.Is(err, errLeave) {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
		}
		s.Close()
		return nil, net.ErrClosed
	}
	return &counted{Conn: conn, loop: s.loop}, nil
}

// Close has the worker take no more clients. The sockets themselves stay open:
// they are the siblings', too.
func (s *listener) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.loop.end()
	})
	return nil
}

func (s *listener) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Addr is the address of the first socket, as far as it is known.
func (s *listener) Addr() net.Addr {
	sa, err := unix.Getsockname(s.loop.w.birth.listeners[0])
	if err != nil {
		return &net.UnixAddr{Net: "unix"}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Net: "unix", Name: sa.Name}
	}
	return &net.UnixAddr{Net: "unix"}
}

// counted tells the loop when a connection ends.
type counted struct {
	net.Conn
	loop *loop
	once sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.loop.done)
	return err
}
