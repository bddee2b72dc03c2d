package child

import (
	"errors"
	"runtime"
	"sync"
	"time"
)

// Birth is the answer to one [Nursery.Submit].
type Birth struct {
	// Token is what the caller gave to Submit.
	Token uint64
	// PID is the child's process id; 0 if Err is not nil.
	PID int
	// Err is nil, a *[StartError] or [ErrClosed].
	Err error
}

// ErrClosed answers births that had not begun when the nursery was closed.
var ErrClosed = errors.New("cannot give birth: the nursery is closed")

// Nursery gives several births at a time, on goroutines of its own, and keeps
// the order in which they were submitted as the order in which they begin.
//
// A birth that stalls, because the program is on a file system that does not
// answer, holds one spawner. When all are held and others wait, one more
// spawner joins every [stallAfter], up to [spawnersMax], and leaves when enough
// others are free.
type Nursery struct {
	done   func(Birth)
	wanted int // spawners that stay

	mu       sync.Mutex
	work     sync.Cond
	queue    []order
	head     int // first of queue that has not begun
	spawners int
	idle     int
	begun    uint64 // births begun so far
	closed   bool
	watch    *time.Timer
	seen     uint64 // begun, when watch was armed
	watching bool
}

type order struct {
	token uint64
	spec  *Spec
}

const (
	// stallAfter is how long no birth may begin while others wait before one
	// more spawner joins. A birth takes less than a millisecond.
	stallAfter = 50 * time.Millisecond
	// spawnersMax bounds the threads that stalled births hold.
	spawnersMax = 32
)

// NewNursery makes a nursery of n spawners, 1 to [spawnersMax]. Done is called
// with each answer, on a spawner's goroutine, for several births at a time; it
// must not wait for long.
func NewNursery(n int, done func(Birth)) *Nursery {
	n = min(max(n, 1), spawnersMax)
	reserveThreads(2*n + runtime.GOMAXPROCS(0) + 2)
	y := &Nursery{done: done, wanted: n, spawners: n}
	y.work.L = &y.mu
	y.watch = time.AfterFunc(time.Hour, y.relieve)
	y.watch.Stop()
	for range n {
		go y.spawn()
	}
	return y
}

// reserveThreads has the runtime make n threads, which it keeps. A birth holds
// one, and the processor that it gives up wants another; the runtime ends the
// process if it can't make a thread just when the kernel has none to give
// (RLIMIT_NPROC, pids.max), which is when births must fail and nothing else.
func reserveThreads(n int) {
	var present, gone sync.WaitGroup
	present.Add(n)
	for range n {
		gone.Go(func() {
			// Locked goroutines can't share a thread, even while they wait.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			present.Done()
			present.Wait()
		})
	}
	gone.Wait()
}

// Submit has a birth begin as soon as a spawner is free, and never waits. The
// token comes back in the answer. Every submission gets exactly one.
func (y *Nursery) Submit(token uint64, s *Spec) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.closed {
		go y.done(Birth{Token: token, Err: ErrClosed})
		return
	}
	y.queue = append(y.queue, order{token, s})
	if y.idle > 0 {
		y.work.Signal()
	}
	y.arm()
}

// Close answers what has not begun with [ErrClosed], and returns without
// waiting for what has; that is answered in its time.
func (y *Nursery) Close() {
	y.mu.Lock()
	rest := y.queue[y.head:]
	y.queue, y.head = nil, 0
	y.closed = true
	y.watch.Stop()
	y.work.Broadcast()
	y.mu.Unlock()
	for _, o := range rest {
		y.done(Birth{Token: o.token, Err: ErrClosed})
	}
}

// spawn is the life of a spawner. One whose children are to be told of our
// death keeps its thread for itself, for ever: the kernel tells them when that
// thread ends, and a thread that others use may end with one of them.
func (y *Nursery) spawn() {
	bound := false
	for {
		o, ok := y.next(bound)
		if !ok {
			if bound {
				select {}
			}
			return
		}
		if o.spec.DeathSignal != 0 && !bound {
			runtime.LockOSThread()
			bound = true
		}
		pid, err := Start(o.spec)
		y.done(Birth{Token: o.token, PID: pid, Err: err})
	}
}

// next takes the first order, waiting for one; false tells the spawner to
// leave. One that is bound to its thread stays.
func (y *Nursery) next(bound bool) (order, bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for len(y.queue) == y.head {
		if y.closed || y.idle >= y.wanted && !bound {
			y.spawners--
			return order{}, false
		}
		y.idle++
		y.work.Wait()
		y.idle--
	}
	o := y.queue[y.head]
	y.queue[y.head] = order{}
	if y.head++; y.head == len(y.queue) {
		y.queue, y.head = y.queue[:0], 0
	}
	y.begun++
	y.arm()
	return o, true
}

// arm looks again in a while if more births wait than spawners are free. There
// is no timer otherwise.
func (y *Nursery) arm() {
	if y.watching || len(y.queue)-y.head <= y.idle || y.spawners >= spawnersMax {
		return
	}
	y.watching, y.seen = true, y.begun
	y.watch.Reset(stallAfter)
}

// relieve adds a spawner if no birth has begun since arm, and goes on looking
// while births wait.
func (y *Nursery) relieve() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.watching = false
	if y.closed || len(y.queue) == y.head {
		return
	}
	if y.begun == y.seen {
		y.spawners++
		go y.spawn()
	}
	y.arm()
}
