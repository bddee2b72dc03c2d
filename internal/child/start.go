package child

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child/nofile"
)

// Begin gives birth and returns at once: the child is on its way, and the
// kernel may not have loaded the program yet. A program that can't be loaded is
// told by [Reap], as a [Death] with its cause; what fails before there is a
// child is a *[StartError].
//
// It takes as long as a few system calls. The descriptors of the Spec stay open
// until [Tidy] says that the child has its own.
func Begin(s *Spec) (pid int, err error) {
	if err := Reserve(); err != nil {
		return 0, err
	}
	books.mu.Lock()
	defer books.mu.Unlock()
	c, err := books.bear(s)
	if err != nil {
		return 0, err
	}
	return c.pid, nil
}

// Start gives birth and returns when the kernel has loaded the program, or the
// birth failed, with a *[StartError]. The process is the caller's to [Wait]
// for; [Reap] does not touch it.
//
// It may take as long as a file system takes to answer: it is for commands
// that run beside a loop, or before there is one.
func Start(s *Spec) (pid int, err error) {
	if err := Reserve(); err != nil {
		return 0, err
	}
	books.mu.Lock()
	defer books.mu.Unlock()
	c, err := books.bear(s)
	if err != nil {
		return 0, err
	}
	pid = c.pid
	books.awaited[pid] = struct{}{}
	c.watched = true
	books.mu.Unlock()
	c.w.awaitLeaving()
	books.mu.Lock()
	c.watched = false
	if c.w.errno == 0 {
		books.tidy()
		return pid, nil
	}
	// It is on its way out, so this takes no time.
	d, err := books.bury(pid)
	if err == nil && d.Failed != nil {
		err = d.Failed
	}
	return 0, err
}

// What this kernel was found to lack. It is never forgotten.
var lacksClone3, lacksCloseRange atomic.Bool

// bear is one birth, tried again by other means if the kernel, or a filter
// before it, denies those that we would rather use.
func (r *register) bear(s *Spec) (*cradle, error) {
	r.tidy()
	c := r.cradle()
	for {
		m := means{oldClone: lacksClone3.Load(), noCloseRange: lacksCloseRange.Load()}
		err := c.attempt(s, m)
		if err == nil {
			r.born(c)
			return c, nil
		}
		pad.giveBack(&c.loan)
		if !learn(m, err) {
			r.putAway(c)
			return nil, err
		}
	}
}

// attempt is one birth by the given means.
func (c *cradle) attempt(s *Spec, m means) error {
	if i := slices.IndexFunc(s.Files, func(fd int) bool { return fd < closed }); i >= 0 {
		return &StartError{Step: step{verb: "pass descriptor", number: s.Files[i]}.String(), Err: unix.EBADF}
	}
	c.moves.source = append(c.moves.source[:0], s.Files...)
	m.wholeTable = m.noCloseRange || !pad.pays(s.Files)
	if !m.wholeTable {
		lent, err := pad.lend(&c.loan, s.Files, c.moves.source)
		if err != nil {
			return err
		}
		m.wholeTable = !lent
	}
	if err := c.compile(s, m); err != nil {
		return err
	}
	c.spec, c.unshares = s, !m.wholeTable
	if c.pid = int(vfork(c.w)); c.pid < 0 {
		return &StartError{Step: stepClone, Err: syscall.Errno(-c.pid)}
	}
	return nil
}

const stepClone = "clone"

// failure is why the program was not loaded, nil if it was. BEFORE: the child
// has left our memory.
func (c *cradle) failure() *StartError {
	if c.w.errno == 0 {
		return nil
	}
	errno, failed := syscall.Errno(c.w.errno), c.steps[c.w.failed]
	err := &StartError{Step: failed.String(), Err: errno}
	if failed.verb == "exec" {
		err.Detail = explainExec(c.spec, errno)
	}
	return err
}

// learn notes that the birth failed for want of a system call, and returns
// true if there is another way. A filter may answer EPERM in the kernel's
// place.
func learn(m means, err error) bool {
	var e *StartError
	if !errors.As(err, &e) {
		return false
	}
	if e.Step == stepClone && !m.oldClone && (e.Err == unix.ENOSYS || e.Err == unix.EPERM || e.Err == unix.EINVAL) {
		lacksClone3.Store(true)
		return true
	}
	return false
}

// probe finds out, once, whether there is close_range: the child that finds it
// lacking has nobody left to ask for another way.
func probe() {
	if err := unix.CloseRange(uint(fdMax), uint(fdMax), 0); err == unix.ENOSYS || err == unix.EPERM {
		sealInherited()
		lacksCloseRange.Store(true)
	}
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
