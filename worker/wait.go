package worker

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// waiter waits for clients, for the end of the status channel and for a nudge
// from other goroutines.
//
// There are two epoll sets. The open one holds the listening sockets as well;
// the closed one does not, and is for when the worker has no room. Listening
// sockets stay in the open set while nobody waits on it: taking them out and
// putting them back would move this worker to the end of the kernel's queue
// for EPOLLEXCLUSIVE, and clients would be spread over all workers.
//
// Waits are plain epoll_wait calls on a thread of their own and not nested in
// the Go runtime's poller: a nested set has no waiter of its own, so that the
// kernel would wake every sibling for each client.
type waiter struct {
	open, closed int
	nudgeFD      int
	statusFD     int
}

// event is what a wait ended with.
type event uint8

const (
	timedOut event = iota
	nudged
	hangUp
	clientWaits
)

func newWaiter(listeners []int, statusFD int) (*waiter, error) {
	w := &waiter{open: -1, closed: -1, nudgeFD: -1, statusFD: statusFD}
	if err := w.fill(listeners); err != nil {
		w.close()
		return nil, fmt.Errorf("cannot watch the inherited descriptors: %w", err)
	}
	return w, nil
}

func (w *waiter) fill(listeners []int) error {
	var err error
	if w.nudgeFD, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	for _, set := range []*int{&w.open, &w.closed} {
		if *set, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return err
		}
		if err := watch(*set, w.nudgeFD, unix.EPOLLIN); err != nil {
			return err
		}
		if w.statusFD < 0 {
			continue
		}
		if err := watch(*set, w.statusFD, unix.EPOLLIN); err != nil {
			return err
		}
	}
	for _, fd := range listeners {
		if err := watch(w.open, fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE); err != nil {
			return err
		}
	}
	return nil
}

func watch(set, fd int, events uint32) error {
	return unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// goLast has this worker be the last of all idle ones that the kernel wakes for
// a client. It is called when the client is taken: one that still waits would
// be news to the set. Where it fails, the order stays: it is a nicety.
func (w *waiter) goLast(listener int) {
	if unix.EpollCtl(w.open, unix.EPOLL_CTL_DEL, listener, nil) == nil {
		_ = watch(w.open, listener, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
	}
}

// deafen stops watching the status channel once it has nothing more to say; an
// end-of-file would be reported for ever. Taking out what was put in does not
// fail.
func (w *waiter) deafen() {
	if w.statusFD < 0 {
		return
	}
	_ = unix.EpollCtl(w.open, unix.EPOLL_CTL_DEL, w.statusFD, nil)
	_ = unix.EpollCtl(w.closed, unix.EPOLL_CTL_DEL, w.statusFD, nil)
	w.statusFD = -1
}

// wait waits for one event, at most for timeout; a negative one means for ever.
// One at a time, because an event that is fetched and not acted upon would be
// a wake-up that no sibling gets. With clientWaits comes the descriptor at
// which the client waits. hangUp also stands for a manager that says something:
// it never does.
func (w *waiter) wait(room bool, timeout time.Duration) (event, int, error) {
	set := w.closed
	if room {
		set = w.open
	}
	var got [1]unix.EpollEvent
	n, err := unix.EpollWait(set, got[:], milliseconds(timeout))
	switch {
	case err == unix.EINTR:
		return nudged, -1, nil
	case err != nil:
		return 0, -1, fmt.Errorf("cannot wait for clients: %w", err)
	case n == 0:
		return timedOut, -1, nil
	}
	switch fd := int(got[0].Fd); fd {
	case w.nudgeFD:
		// A failed read leaves the nudge for the next wait.
		var count [8]byte
		_, _ = unix.Read(w.nudgeFD, count[:])
		return nudged, -1, nil
	case w.statusFD:
		return hangUp, -1, nil
	default:
		return clientWaits, fd, nil
	}
}

// milliseconds rounds up, so that a wait never ends before its time and spins.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(min((d+time.Millisecond-1)/time.Millisecond, 1<<31-1))
}

// nudge ends a wait from another goroutine. It never blocks: a counter that is
// full is a nudge as well.
func (w *waiter) nudge() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(w.nudgeFD, one[:])
}

func (w *waiter) close() {
	for _, fd := range []int{w.open, w.closed, w.nudgeFD} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
