package worker

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// gate is the file lock that the idle workers of a service queue up at when
// the order is Serial. The kernel can't be asked for a lock and for events in
// one wait, so that a goroutine waits for the lock and says when it is there.
type gate struct {
	file *os.File
	mu   sync.Mutex
	// wanted: a goroutine is queueing. held: the lock is ours.
	wanted, held bool
	// shut: nobody wants the lock any more.
	shut bool
}

// pass tells whether the lock is held. If it is not, it queues up, and calls
// come from another goroutine once it is. A nil gate is always open.
func (g *gate) pass(come func()) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held {
		return true
	}
	if !g.wanted && !g.shut {
		g.wanted = true
		go g.queue(come)
	}
	return false
}

func (g *gate) queue(come func()) {
	err := flock(g.file, unix.LOCK_EX)
	g.mu.Lock()
	g.wanted = false
	// A lock that can't be had is done without: the order of clients is a
	// nicety, serving them is not.
	g.held = true
	if g.shut && err == nil {
		g.release()
	}
	g.mu.Unlock()
	come()
}

// leave gives the lock to the next in the queue.
func (g *gate) leave() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held {
		g.release()
	}
}

// release is called with mu held. Unlocking an open file can't fail, and the
// kernel does it at the latest when the process ends.
func (g *gate) release() {
	g.held = false
	_ = flock(g.file, unix.LOCK_UN)
}

// close gives the lock up for good.
func (g *gate) close() {
	if g == nil {
		return
	}
	g.leave()
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			return err
		}
	}
}
