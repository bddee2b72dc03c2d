package output

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

const (
	// lineMax is how many bytes of one line are logged in one piece.
	lineMax = 8 << 10
	// readMax is how much is read from one pipe before the others have their
	// turn; a pipe holds as much.
	readMax = 64 << 10
	// eventsMost is how many pipes one look at the epoll set tells of.
	eventsMost = 64
)

// Collector reads what workers write. Its methods may be called from any
// goroutine and do not wait.
type Collector struct {
	// Trouble, if not nil, is told when lines cannot be written to a place, once
	// for each time that begins and at most once a minute. It is called by the
	// goroutine that writes there. Set it before anything else is called.
	Trouble func(to string, err error)

	mu       sync.Mutex
	epoll    *os.File // nil until the first worker
	fd       int
	events   [eventsMost]unix.EpollEvent
	buffer   []byte
	streams  map[int32]*Stream // by descriptor
	accounts map[string]*account
	sinks    map[place]*sink
	now      func() time.Time
}

// New is a Collector without workers.
func New() *Collector {
	return &Collector{
		streams:  make(map[int32]*Stream),
		accounts: make(map[string]*account),
		sinks:    make(map[place]*sink),
		now:      time.Now,
	}
}

// Writer writes the daemon's own lines to the place of an Output, in order with
// those of the workers. Each Write is one line, with its newline, and is kept
// whole; it never waits.
func (c *Collector) Writer(to plan.Output) io.Writer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sink(to)
}

// Forget drops what is remembered of a service that is gone.
func (c *Collector) Forget(service string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.accounts[service]; a != nil && a.lost == 0 {
		delete(c.accounts, service)
	}
}

// Close writes what still waits, for so long at most. Workers that live on
// write to nobody.
func (c *Collector) Close(patience time.Duration) {
	c.mu.Lock()
	for _, s := range c.streams {
		s.drain()
	}
	sinks := make([]*sink, 0, len(c.sinks))
	for _, a := range c.accounts {
		a.tellLost()
	}
	for _, s := range c.sinks {
		sinks = append(sinks, s)
	}
	c.mu.Unlock()
	deadline := time.After(patience)
	for _, s := range sinks {
		select {
		case <-s.idle():
		case <-deadline:
			return
		}
	}
}

// start makes the epoll set, if there is none yet. The runtime's own watches it,
// so that no thread sleeps on it.
func (c *Collector) start() error {
	if c.epoll != nil {
		return nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return fmt.Errorf("cannot create epoll set: %w", err)
	}
	c.epoll, c.fd = os.NewFile(uintptr(fd), "output"), fd
	conn, err := c.epoll.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot watch epoll set: %w", err)
	}
	go func() {
		// Ends with the process.
		_ = conn.Read(func(uintptr) bool {
			for c.turn() {
				runtime.Gosched()
			}
			return false
		})
	}()
	return nil
}

// turn reads once from each pipe that has something; false when none has.
func (c *Collector) turn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := unix.EpollWait(c.fd, c.events[:], 0)
	if n <= 0 {
		return err == unix.EINTR
	}
	for _, ev := range c.events[:n] {
		if s := c.streams[ev.Fd]; s != nil {
			s.read()
		}
	}
	return true
}

// watch has a stream be read from.
func (c *Collector) watch(s *Stream) error {
	if err := c.start(); err != nil {
		return err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.ours)}
	if err := unix.EpollCtl(c.fd, unix.EPOLL_CTL_ADD, s.ours, &ev); err != nil {
		return fmt.Errorf("cannot watch a worker's output: %w", err)
	}
	c.streams[int32(s.ours)] = s
	return nil
}

// errAgain tells that a pipe is empty for now.
var errAgain = errors.New("nothing to read")

// readPipe fills the buffer that all pipes share.
func (c *Collector) readPipe(fd int) ([]byte, error) {
	if c.buffer == nil {
		c.buffer = make([]byte, readMax)
	}
	for {
		n, err := unix.Read(fd, c.buffer)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return nil, errAgain
		case err != nil:
			return nil, err
		case n == 0:
			return nil, io.EOF
		default:
			return c.buffer[:n], nil
		}
	}
}
