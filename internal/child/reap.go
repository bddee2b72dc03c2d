package child

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Death is how a process ended.
type Death struct {
	PID    int
	Status syscall.WaitStatus
	// Usage is what the process and those that it has waited for used.
	Usage syscall.Rusage
	// Stranger is true if this package has not given birth to the process: an
	// orphan that came to us because we are process 1 or a subreaper.
	Stranger bool
	// Failed is why the program of a birth that was begun could not be loaded;
	// nil if it was. The status is that of an exit with 127 then.
	Failed *StartError
}

// register knows the processes that are ours, and the cradles. Its lock is held
// for the whole of a birth, so that no process dies before it is in here.
type register struct {
	mu sync.Mutex
	// alive are our processes that are not buried, with the cradle of those
	// of which it is not known yet whether their program was loaded.
	alive map[int]*cradle
	// awaited are those of them that Reap leaves to Wait.
	awaited map[int]struct{}
	// begun counts births; flight are the cradles of those whose child may
	// not have left our memory, in that order.
	begun  uint64
	flight []*cradle
	free   []*cradle
}

var books = register{alive: map[int]*cradle{}, awaited: map[int]struct{}{}}

// cradle takes one that is free.
func (r *register) cradle() *cradle {
	n := len(r.free)
	if n == 0 {
		return &cradle{}
	}
	c := r.free[n-1]
	r.free[n-1], r.free = nil, r.free[:n-1]
	return c
}

// putAway keeps a cradle for another birth.
func (r *register) putAway(c *cradle) {
	if len(c.mem) > memoryKept || len(r.free) >= cradlesKept {
		c.release()
	}
	c.spec, c.pid = nil, 0
	if len(r.free) < cradlesKept {
		r.free = append(r.free, c)
	}
}

// cradlesKept is how many are kept. Few children are on their way at a time.
const cradlesKept = 8

// born enters a child.
func (r *register) born(c *cradle) {
	r.begun++
	c.number = r.begun
	r.flight = append(r.flight, c)
	r.alive[c.pid] = c
}

// tidy takes back what children do not need any more: their slots of the pad
// once they have their own descriptors, and their cradles once they have left.
// Those that left for a failure keep theirs until they are buried.
func (r *register) tidy() {
	kept := r.flight[:0]
	for _, c := range r.flight {
		if c.settled() {
			pad.giveBack(&c.loan)
		}
		if !c.w.left() || c.watched || c.w.errno != 0 {
			kept = append(kept, c)
			continue
		}
		r.alive[c.pid] = nil
		r.putAway(c)
	}
	clear(r.flight[len(kept):])
	r.flight = kept
}

// settled tells whether the child has its own descriptors.
func (c *cradle) settled() bool {
	return !c.unshares || atomic.LoadUint32(&c.w.unshared) != 0 || c.w.left()
}

// Tidy takes back what births do not need any more, which every birth and every
// burial does as well. It returns how many births have been begun, and up to
// which of them, in that order, all children have their own descriptors: what
// the Specs of those have named may be closed.
func Tidy() (begun, settled uint64) {
	books.mu.Lock()
	defer books.mu.Unlock()
	books.tidy()
	for _, c := range books.flight {
		if !c.settled() {
			return books.begun, c.number - 1
		}
	}
	return books.begun, books.begun
}

// Idle tells that no child is between its birth and its program: until then it
// may have copies of descriptors that it was not given.
func Idle() bool {
	books.mu.Lock()
	defer books.mu.Unlock()
	books.tidy()
	return len(books.flight) == 0
}

// forget strikes a process out that was buried, and tells what is known of it.
func (r *register) forget(d *Death) {
	c, ours := r.alive[d.PID]
	d.Stranger = !ours
	delete(r.alive, d.PID)
	delete(r.awaited, d.PID)
	if c == nil {
		return
	}
	d.Failed = c.failure()
	pad.giveBack(&c.loan)
	r.flight = slices.DeleteFunc(r.flight, func(f *cradle) bool { return f == c })
	r.putAway(c)
}

// Reap buries one process that has ended and tells how, without waiting; false
// means that there is none to bury now. The caller calls it until it returns
// false, each time that SIGCHLD came.
//
// A process that was given birth by [Start] is left to [Wait]. While it is at
// the head of the kernel's list, those behind it wait as well; so the caller
// calls again after Wait.
func Reap() (Death, bool) {
	books.mu.Lock()
	defer books.mu.Unlock()
	pid := anyChild
	if len(books.awaited) > 0 {
		pid = peek()
		if _, awaited := books.awaited[pid]; awaited || pid == 0 {
			return Death{}, false
		}
	}
	var d Death
	var status int32 // the kernel's int
	for {
		got, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)),
			unix.WNOHANG, uintptr(unsafe.Pointer(&d.Usage)), 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 || got == 0 {
			return Death{}, false
		}
		d.PID, d.Status = int(got), syscall.WaitStatus(status)
		if stopped(d.PID, d.Status) {
			continue
		}
		books.forget(&d)
		return d, true
	}
}

const anyChild = -1

// stopped tells whether a process that the kernel told of lives. That one is not
// asked for, but told of all the same, when the process has made us its tracer
// (ptrace(2), PTRACE_TRACEME), which needs no leave of ours: it then stops at
// each signal until its tracer lets it go on. It is killed, as nobody would, and
// told of again once it is dead.
func stopped(pid int, status syscall.WaitStatus) bool {
	if status.Exited() || status.Signaled() {
		return false
	}
	// The one error is that it has ended meanwhile.
	_ = syscall.Kill(pid, syscall.SIGKILL)
	return true
}

// Wait waits for one child of ours to end and buries it. It is for a process
// that was given birth by [Start].
func Wait(pid int) (Death, error) {
	// Only the end is waited for without the lock: once the id is free, it
	// may be that of the next birth.
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	books.mu.Lock()
	defer books.mu.Unlock()
	return books.bury(pid)
}

// bury waits for a process that is on its way out.
func (r *register) bury(pid int) (Death, error) {
	d := Death{PID: pid}
	for {
		_, err := syscall.Wait4(pid, &d.Status, 0, &d.Usage)
		if err == syscall.EINTR || err == nil && stopped(pid, d.Status) {
			continue
		}
		r.forget(&d)
		return d, err
	}
}

// siginfo is the part of siginfo_t that waitid(2) fills, and the rest.
type siginfo struct {
	signo, errno, code, _ int32
	pid                   int32
	_                     [27]int32
}

// peek returns the id of a process that waits to be buried; 0 for none.
func peek() int {
	var info siginfo
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)),
			unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
		switch errno {
		case 0:
			return int(info.pid)
		case unix.EINTR:
		default:
			// ECHILD: there are no children at all.
			return 0
		}
	}
}

// Signal sends a signal to one process of ours that has not been buried. It
// returns ESRCH for any other, so that a stale id can never hit a stranger;
// call it from the goroutine that calls [Reap].
func Signal(pid int, sig syscall.Signal) error {
	if !books.knows(pid) {
		return syscall.ESRCH
	}
	return syscall.Kill(pid, sig)
}

// SignalGroup sends a signal to the process group that a child of ours leads,
// see [Spec.Setsid] and [Spec.Setpgid].
func SignalGroup(pid int, sig syscall.Signal) error {
	if !books.knows(pid) {
		return syscall.ESRCH
	}
	return syscall.Kill(-pid, sig)
}

// SignalAll sends a signal to every process of ours that has not been buried.
func SignalAll(sig syscall.Signal) {
	books.mu.Lock()
	defer books.mu.Unlock()
	for pid := range books.alive {
		// Whoever is gone already needs no signal.
		_ = syscall.Kill(pid, sig)
	}
}

// knows tells whether a process is ours and not buried.
func (r *register) knows(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ours := r.alive[pid]
	return ours
}
