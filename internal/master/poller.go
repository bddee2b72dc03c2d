package master

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchLength is how many sockets one look at the epoll set tells of.
const batchLength = 128

// poller is the one epoll set. It is itself watched by the runtime's own, so
// that a goroutine and not a thread sleeps on it, and one may wait for it and
// for channels alike.
type poller struct {
	file   *os.File
	fd     int
	events [batchLength]unix.EpollEvent
	// ready carries a batch to the loop, resume the loop's leave to overwrite
	// it.
	ready  chan []unix.EpollEvent
	resume chan struct{}

	slots []slot
	free  []int32
}

// slot is what an event's user data stands for. seq tells an event of a source
// from one of the source that had the slot before.
type slot struct {
	src *source
	seq int32
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create epoll set: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot create epoll set: %w", err)
	}
	return &poller{
		file:   os.NewFile(uintptr(fd), "epoll"),
		fd:     fd,
		ready:  make(chan []unix.EpollEvent),
		resume: make(chan struct{}),
	}, nil
}

func (p *poller) close() { p.file.Close() }

// run brings batches to the loop until the poller is closed.
func (p *poller) run() {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool {
		for {
			// Past the scheduler, because it never waits.
			n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd,
				uintptr(unsafe.Pointer(&p.events)), batchLength, 0, 0, 0)
			if errno != 0 || n == 0 {
				// An error other than EINTR would be a descriptor that is not
				// ours; there is none.
				return errno != 0 && errno != unix.EINTR
			}
			p.ready <- p.events[:n]
			<-p.resume
		}
	})
}

// source is what an event is about; nil if that has been forgotten since.
func (p *poller) source(ev *unix.EpollEvent) *source {
	if s := &p.slots[ev.Fd]; s.seq == ev.Pad {
		return s.src
	}
	return nil
}

// watch has a source tell when it becomes readable, or not: a listener once,
// because it stays readable until the child that is born for it accepts; a
// status channel always.
func (p *poller) watch(src *source, on bool) error {
	op := unix.EPOLL_CTL_MOD
	if !src.known {
		if !on {
			return nil
		}
		op = unix.EPOLL_CTL_ADD
		src.slot = p.take(src)
	}
	ev := unix.EpollEvent{Fd: src.slot, Pad: p.slots[src.slot].seq}
	if src.socket != nil {
		// Also when nothing is asked for: that it was shut down is told all
		// the same, and is not to be told for ever.
		ev.Events |= unix.EPOLLONESHOT
	}
	if on {
		ev.Events |= unix.EPOLLIN
	}
	if err := unix.EpollCtl(p.fd, op, src.fd, &ev); err != nil {
		if op == unix.EPOLL_CTL_ADD {
			p.give(src)
		}
		return fmt.Errorf("cannot watch descriptor %d: %w", src.fd, err)
	}
	src.known, src.armed = true, on
	return nil
}

// forget takes a source out of the set. BEFORE: its descriptor is still open.
func (p *poller) forget(src *source) {
	if !src.known {
		return
	}
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, src.fd, &unix.EpollEvent{})
	p.drop(src)
}

// drop forgets a source whose descriptor will be closed, with which the kernel
// takes it out of the set. What it tells until then is about nobody.
func (p *poller) drop(src *source) {
	if !src.known {
		return
	}
	p.give(src)
	src.known, src.armed = false, false
}

func (p *poller) take(src *source) int32 {
	if n := len(p.free); n > 0 {
		ix := p.free[n-1]
		p.free = p.free[:n-1]
		p.slots[ix].src = src
		return ix
	}
	p.slots = append(p.slots, slot{src: src})
	return int32(len(p.slots) - 1)
}

func (p *poller) give(src *source) {
	s := &p.slots[src.slot]
	s.src = nil
	s.seq++
	p.free = append(p.free, src.slot)
}
