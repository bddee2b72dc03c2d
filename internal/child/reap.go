package child

import (
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
}

// register knows the processes whose deaths must not pass unnoticed: those in
// the making and those alive.
type register struct {
	mu       sync.Mutex
	inFlight map[*cradle]struct{}
	alive    map[int]struct{}
}

var books = register{inFlight: map[*cradle]struct{}{}, alive: map[int]struct{}{}}

// conceive is called before the clone, when the child has no id yet.
func (r *register) conceive(c *cradle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight[c] = struct{}{}
}

// lose ends a birth that came to nothing.
func (r *register) lose(c *cradle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inFlight, c)
}

// bear ends a birth that succeeded.
func (r *register) bear(c *cradle, pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inFlight, c)
	r.alive[pid] = struct{}{}
}

// forget strikes a process out, and returns false if it was never ours.
func (r *register) forget(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ours := r.alive[pid]
	delete(r.alive, pid)
	return ours
}

// state is how far a process has come in our books.
type state uint8

const (
	unknown state = iota
	inFlight
	alive
)

// state tells how far a process has come. The kernel has written the id of one
// on its way before that could do anything, such as die.
func (r *register) state(pid int) state {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.alive[pid]; ok {
		return alive
	}
	for c := range r.inFlight {
		if c.pid() == pid {
			return inFlight
		}
	}
	return unknown
}

// pid is the id of the process of a birth in flight; 0 before there is one.
func (c *cradle) pid() int { return int(atomic.LoadInt32(&c.w.pid)) }

// held tells whether a process that has ended is not to be buried yet.
func (r *register) held(pid int, known func(int) bool) bool {
	switch r.state(pid) {
	case inFlight:
		return true
	case alive:
		return known != nil && !known(pid)
	default:
		return false
	}
}

// Reap buries one process that has ended and tells how, without waiting; false
// means that there is none to bury now. The caller calls it until it returns
// false, each time that SIGCHLD came, and each time that it has dealt with a
// birth's answer, be it a success or a failure.
//
// Known tells whether a process id is in the caller's books. A process of ours
// that is not is left as it is, so that its id can't be used again and its
// death is told after its birth; while such a one is at the head of the
// kernel's list, those behind it wait as well. That is no longer than the
// answer takes to arrive, because the birth is over when its child is dead. A
// nil known stands for books that hold every birth once it was answered.
func Reap(known func(pid int) bool) (Death, bool) {
	for {
		pid := peek()
		if pid == 0 || books.held(pid, known) {
			return Death{}, false
		}
		d := Death{PID: pid}
		got, err := syscall.Wait4(pid, &d.Status, syscall.WNOHANG, &d.Usage)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || got != pid {
			// A failed birth buried it between the two calls.
			continue
		}
		d.Stranger = !books.forget(pid)
		return d, true
	}
}

// Wait waits for one child of ours to end and buries it. It is for a process
// whose answer is needed before the loop that calls Reap has begun.
func Wait(pid int) (Death, error) {
	d := Death{PID: pid}
	for {
		_, err := syscall.Wait4(pid, &d.Status, 0, &d.Usage)
		if err == syscall.EINTR {
			continue
		}
		d.Stranger = !books.forget(pid)
		return d, err
	}
}

// Disown strikes a process of ours out of the books, so that [Reap] shows its
// death as a stranger's. It is for a process that the caller of Reap never hears
// of: its death would wait for a birth that is never answered, and all deaths
// behind it as well.
func Disown(pid int) { books.forget(pid) }

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

// bury waits for the child of a failed birth, which is on its way out.
func bury(pid int) {
	for {
		_, err := syscall.Wait4(pid, nil, 0, nil)
		if err != syscall.EINTR {
			return
		}
	}
}

// Signal sends a signal to one process of ours that has not been buried. It
// returns ESRCH for any other, so that a stale id can never hit a stranger;
// call it from the goroutine that calls [Reap].
func Signal(pid int, sig syscall.Signal) error {
	if books.state(pid) == unknown {
		return syscall.ESRCH
	}
	return syscall.Kill(pid, sig)
}

// SignalGroup sends a signal to the process group that a child of ours leads,
// see [Spec.Setsid] and [Spec.Setpgid].
func SignalGroup(pid int, sig syscall.Signal) error {
	if books.state(pid) == unknown {
		return syscall.ESRCH
	}
	return syscall.Kill(-pid, sig)
}
