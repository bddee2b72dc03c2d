//go:build !amd64 || brood_portable

package child

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sharesMemory is the clone flag that has the child run in our memory. Go code
// returns through the stack, so this child needs a stack of its own, and the
// kernel gives it a copy of all our memory with it. The womb is shared all the
// same, being mapped so.
const sharesMemory = 0

// lodgerFlags have the kernel write the child's id to the womb's lodger.
const lodgerFlags = sharesMemory | unix.CLONE_PARENT_SETTID

// robustList is struct robust_list_head of get_robust_list(2) with its one
// entry, which is a pointer back to the head.
type robustList struct{ next, offset, pending, entry uintptr }

// announce has the kernel mark the lodger when the child leaves: as the word
// of a lock that the child still held. It would be cleared only in memory that
// several processes share as a whole.
func (c *cradle) announce() {
	mem := c.room(int(unsafe.Sizeof(robustList{})))
	l := (*robustList)(unsafe.Pointer(unsafe.SliceData(mem)))
	head, entry := uintptr(unsafe.Pointer(l)), uintptr(unsafe.Pointer(&l.entry))
	*l = robustList{next: entry, offset: uintptr(unsafe.Pointer(&c.w.lodger)) - entry, entry: head}
	c.call(step{verb: "set robust list", number: unnumbered}, unix.SYS_SET_ROBUST_LIST, head, 3*unsafe.Sizeof(head))
}

// vfork makes the clone call of the womb with all signals blocked, and returns
// at once what the kernel said: a process id or a negated errno. The child
// works off the womb's table and never returns.
//
//go:nosplit
//go:norace
func vfork(w *womb) uintptr {
	setmask(&w.full, &w.saved)
	pid, _, errno := call(&w.clone)
	if errno == 0 && pid == 0 {
		live(w)
	}
	setmask(&w.saved, nil)
	if errno != 0 {
		return -uintptr(errno)
	}
	return pid
}

// live is the child's life up to the program. Nothing in it may grow the stack,
// because the scheduler is not there to help.
//
//go:nosplit
//go:norace
func live(w *womb) {
	base := uintptr(unsafe.Pointer(w))
	o := (*op)(unsafe.Add(unsafe.Pointer(w), w.ops-base))
	for i := uintptr(0); ; i++ {
		r, _, errno := call(o)
		if errno != 0 && o.mayFail == 0 {
			w.failed, w.errno = i, uintptr(errno)
			for {
				syscall.RawSyscall(unix.SYS_EXIT_GROUP, 127, 0, 0)
			}
		}
		if errno == 0 && o.decimal != 0 {
			writeDecimal(unsafe.Add(unsafe.Pointer(w), o.decimal-base), r)
		}
		o = (*op)(unsafe.Add(unsafe.Pointer(o), unsafe.Sizeof(*o)))
	}
}

//go:nosplit
//go:norace
func call(o *op) (r1, r2 uintptr, errno syscall.Errno) {
	return syscall.RawSyscall6(o.nr, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5])
}

//go:nosplit
//go:norace
func setmask(set, old *uint64) {
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
}

// writeDecimal writes n in decimal to p, and a NUL behind it: first it finds
// where the number ends, then it goes back from there.
//
//go:nosplit
//go:norace
func writeDecimal(p unsafe.Pointer, n uintptr) {
	p = unsafe.Add(p, 1)
	for rest := n / 10; rest > 0; rest /= 10 {
		p = unsafe.Add(p, 1)
	}
	*(*byte)(p) = 0
	for {
		p = unsafe.Add(p, -1)
		*(*byte)(p) = byte('0' + n%10)
		n /= 10
		if n == 0 {
			return
		}
	}
}
