package child

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child/nofile"
)

// Start gives birth and returns when the kernel has loaded the program, or the
// birth failed. The error is a *[StartError].
//
// It may take as long as a file system takes to answer; an event loop uses a
// [Nursery]. It may be called from any number of goroutines. Once the process
// id is in the caller's books, the caller calls [Reap]: see there.
func Start(s *Spec) (pid int, err error) {
	c := cradles.take()
	defer cradles.put(c)
	return c.bear(s)
}

// What this kernel was found to lack. Both are learned from a birth that
// fails and are never forgotten.
var lacksClone3, lacksCloseRange atomic.Bool

// bear is one birth, tried again by other means while the kernel, or a filter
// before it, denies those that we would rather use.
func (c *cradle) bear(s *Spec) (int, error) {
	if err := Reserve(); err != nil {
		return 0, err
	}
	for {
		m := means{
			oldClone:     lacksClone3.Load(),
			noCloseRange: lacksCloseRange.Load(),
		}
		pid, err := c.attempt(s, m)
		if err == nil || !c.learn(m, err) {
			return pid, err
		}
	}
}

// attempt is one birth by the given means.
func (c *cradle) attempt(s *Spec, m means) (int, error) {
	if i := slices.IndexFunc(s.Files, func(fd int) bool { return fd < closed }); i >= 0 {
		return 0, &StartError{Step: step{verb: "pass descriptor", number: s.Files[i]}.String(), Err: unix.EBADF}
	}
	c.moves.source = append(c.moves.source[:0], s.Files...)
	m.wholeTable = m.noCloseRange
	if !m.wholeTable {
		lent, err := pad.lend(&c.loan, s.Files, c.moves.source)
		if err != nil {
			return 0, err
		}
		m.wholeTable = !lent
	}
	defer pad.giveBack(&c.loan)
	if err := c.compile(s, m); err != nil {
		return 0, err
	}
	books.conceive(c)
	r := int(labour(c.w))
	return c.conclude(s, r)
}

// conclude reads what the child and the kernel left.
func (c *cradle) conclude(s *Spec, r int) (int, error) {
	if r < 0 {
		books.lose(c)
		return 0, &StartError{Step: stepClone, Err: syscall.Errno(-r)}
	}
	if c.w.errno == 0 {
		books.bear(c, r)
		return r, nil
	}
	// Only now may the process id be used again, and until now Reap was told
	// to leave it alone.
	bury(r)
	errno, failed := syscall.Errno(c.w.errno), c.steps[c.w.failed]
	books.lose(c)
	err := &StartError{Step: failed.String(), Err: errno}
	if failed.verb == "exec" {
		err.Detail = explainExec(s, errno)
	}
	return 0, err
}

const (
	stepClone   = "clone"
	stepUnshare = "unshare descriptors"
)

// learn notes that the birth failed for want of a system call, and returns
// true if there is another way. A filter may answer EPERM in the kernel's
// place.
func (c *cradle) learn(m means, err error) bool {
	var e *StartError
	if !errors.As(err, &e) {
		return false
	}
	switch {
	case e.Step == stepClone && !m.oldClone && (e.Err == unix.ENOSYS || e.Err == unix.EPERM || e.Err == unix.EINVAL):
		lacksClone3.Store(true)
		return true
	case e.Step == stepUnshare && !m.noCloseRange && (e.Err == unix.ENOSYS || e.Err == unix.EPERM):
		sealInherited()
		lacksCloseRange.Store(true)
		return true
	}
	return false
}

// sealInherited makes what we have inherited close-on-exec, but for the
// standard files; what Go opens is so from the start. It is for kernels without
// close_range; elsewhere the child closes all that it is not to have. Without
// /proc it does nothing.
func sealInherited() {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= standardFiles {
			// The one error is that there is no such descriptor any more.
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		}
	}
}

// bornNofile is the limit of descriptors to give back to a child, if Go has
// raised ours.
func bornNofile() (soft, hard uint64, ok bool) {
	var now unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &now) != nil {
		return 0, 0, false
	}
	l, ok := nofile.Restore(nofile.Limit{Soft: now.Cur, Hard: now.Max})
	return l.Soft, l.Hard, ok
}

// String is the step as it follows "cannot".
func (s step) String() string {
	switch {
	case s.object != "":
		return s.verb + " " + s.object
	case s.number == unnumbered:
		return s.verb
	}
	return s.verb + " " + strconv.Itoa(s.number)
}

// errorAt makes a StartError of a failure on our side.
func errorAt(at step, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = unix.EINVAL
	}
	return &StartError{Step: at.String(), Err: errno}
}

// cradleShelf keeps cradles between births, as many as were ever needed at a
// time.
type cradleShelf struct {
	mu   sync.Mutex
	free []*cradle
}

var cradles cradleShelf

func (k *cradleShelf) take() *cradle {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(k.free)
	if n == 0 {
		return &cradle{}
	}
	c := k.free[n-1]
	k.free = slices.Delete(k.free, n-1, n)
	return c
}

func (k *cradleShelf) put(c *cradle) {
	if len(c.mem) > memoryKept {
		c.release()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.free = append(k.free, c)
}
