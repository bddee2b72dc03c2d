package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// errLeave ends a loop without a failure.
var errLeave = errors.New("leave")

// shortagePause is how long no client is accepted after the process or the
// system ran out of descriptors or memory: the client stays in the queue, and
// accepting again at once would only burn a processor.
const shortagePause = time.Second

// loop keeps the books of one worker's clients, says taken and available, and
// decides when to leave. All loops are made of it.
type loop struct {
	w    *Worker
	wait *waiter
	gate *gate
	// most is the number of clients at which there is no room; 0 means that
	// there always is.
	most int
	// hasty: leave at once when the worker takes no more clients, because
	// somebody else waits for those that are left.
	hasty bool

	mu      sync.Mutex
	clients int
	uses    int
	// useful: the manager has been told of a use.
	useful bool
	since  time.Time // when the last client left
	paused time.Time // no client is accepted before
	ending bool
	closed bool
}

func newLoop(w *Worker, most int) (*loop, error) {
	wait, err := newWaiter(w.birth.listeners, w.birth.statusFD)
	if err != nil {
		return nil, err
	}
	l := &loop{w: w, wait: wait, most: most, since: time.Now()}
	if w.lock != nil {
		l.gate = &gate{file: w.lock}
	}
	return l, nil
}

// next waits until a client, a message or a wake-up is there and returns its
// descriptor, or errLeave. After errLeave there is no client left, unless the
// loop is hasty.
func (l *loop) next() (int, error) {
	for {
		room, timeout, done := l.outlook(time.Now())
		if done {
			l.end()
			return -1, errLeave
		}
		room = room && l.gate.pass(l.nudge)
		event, fd, err := l.wait.wait(room, timeout)
		if err != nil {
			return -1, err
		}
		switch event {
		case hangUp:
			l.wait.deafen()
			l.end()
		case clientWaits:
			return fd, nil
		}
	}
}

// outlook is the one place that decides what to wait for: whether there is room
// for a client, for how long to wait (negative: for ever), or that the worker
// is done.
func (l *loop) outlook(now time.Time) (room bool, timeout time.Duration, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	idle := l.clients == 0
	if l.ending {
		return false, -1, idle || l.hasty
	}
	timeout = -1
	if idle {
		timeout = l.w.set.maxIdle - now.Sub(l.since)
		if timeout <= 0 || l.uses >= l.w.set.maxUse {
			return false, 0, true
		}
	}
	room = l.most == 0 || l.clients < l.most
	if pause := l.paused.Sub(now); room && pause > 0 {
		room = false
		if timeout < 0 || pause < timeout {
			timeout = pause
		}
	}
	return room, timeout, false
}

// begin counts a client, and says taken when it was the last that there was
// room for.
func (l *loop) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients++
	l.uses++
	if l.clients == l.most {
		l.report(masterproto.Taken)
	}
}

// done is the other end of begin.
func (l *loop) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.clients == l.most:
		l.report(masterproto.Available)
	case !l.useful:
		// A worker that has never had all that it has room for is as useful
		// as any other: without a use to its name, its crash, however late,
		// would be taken for one at birth and hold the service back.
		l.report(masterproto.Taken)
		l.report(masterproto.Available)
	}
	l.useful = true
	l.clients--
	if l.clients == 0 {
		l.since = time.Now()
	}
	l.nudgeLocked()
}

// report is called with mu held, so that reports come in the order of what
// they tell. A manager that is gone is as good as end-of-file.
func (l *loop) report(s masterproto.State) {
	if err := l.w.birth.status.report(s); err != nil && !l.ending {
		l.w.log.Debug("the manager is gone", "cause", err)
		l.endLocked()
	}
}

// end has the worker take no more clients.
func (l *loop) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked()
}

func (l *loop) endLocked() {
	if l.ending {
		return
	}
	l.ending = true
	l.w.leave()
	l.nudgeLocked()
}

func (l *loop) nudge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nudgeLocked()
}

// nudgeLocked leaves a closed waiter alone: its descriptor may be someone
// else's by now.
func (l *loop) nudgeLocked() {
	if !l.closed {
		l.wait.nudge()
	}
}

func (l *loop) close() {
	l.gate.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wait.close()
}

// accept returns the next client, counted, or errLeave.
func (l *loop) accept() (net.Conn, error) {
	for {
		fd, err := l.next()
		if err != nil {
			return nil, err
		}
		conn, err := acceptConn(fd)
		l.passOn(fd)
		switch {
		case err == nil:
			l.begin()
			return conn, nil
		case isShortage(err):
			l.w.log.Warn(err.Error())
			l.pause()
		case !isPassing(err):
			return nil, err
		}
	}
}

// passOn lets a sibling have the next client of a socket, as the order is.
func (l *loop) passOn(fd int) {
	l.gate.leave()
	if l.w.set.order == Turns {
		l.wait.goLast(fd)
	}
}

func (l *loop) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = time.Now().Add(shortagePause)
}

// isPassing tells errors that say nothing about the socket: a sibling was
// faster, or the client went away in the queue.
func isPassing(err error) bool {
	for _, e := range []error{
		unix.EAGAIN, unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.EPERM, unix.ETIMEDOUT,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func isShortage(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// acceptConn takes a client off the queue. The new socket's description is the
// worker's own, so that its flags are, too.
func acceptConn(listener int) (net.Conn, error) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot accept client: %w", err)
	}
	return connOf(fd)
}

// connOf makes a net.Conn of a connected socket and owns it from then on.
func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "client")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use client's socket: %w", err)
	}
	return conn, nil
}

// until ends the loop when the context is done; the function that it returns
// ends that.
func (l *loop) until(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, l.end)
}
