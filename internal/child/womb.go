package child

import (
	"math/bits"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// op is one system call of the child's, as the assembly reads it.
type op struct {
	nr   uintptr
	args [6]uintptr
	// decimal is where the result is written as a decimal number and a NUL; 0
	// for nowhere.
	decimal uintptr
	// mayFail is not 0 if the child goes on when the call fails.
	mayFail uintptr
}

// cloneArgs is struct clone_args in its first version, see clone(2).
type cloneArgs struct {
	flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

// womb is what a child and we both see. It lies in memory of its own, which
// neither moves nor is collected; strings and tables follow it.
type womb struct {
	full  uint64 // all signals blocked
	none  uint64 // none blocked
	saved uint64 // what our thread had blocked
	clone op
	args  cloneArgs
	ops   uintptr // the table that the child works off; it ends with execve
	// lodger is not 0 until the child has left our memory, by exec or exit,
	// when the kernel changes it, see left.
	lodger uint32
	// unshared is not 0 once the child has its own descriptors.
	unshared uint32
	// failed is the index of the op that failed, if errno is not 0.
	failed uintptr
	errno  uintptr
}

// cradle is the memory of one birth after another, with what only we need.
type cradle struct {
	mem  []byte
	used int
	w    *womb

	ops   []op
	steps []step
	moves arrangement
	loan  loan

	// This is about the child that was begun last.
	spec     *Spec
	pid      int
	number   uint64 // how many births had been begun with it
	unshares bool   // it begins with our descriptors
	watched  bool   // Start waits for it to leave
}

// step names an op in errors: "setuid 7", "chdir /x". The number counts if
// there is no object and it is not unnumbered.
type step struct {
	verb   string
	object string
	number int
}

const unnumbered = -1 << 31

const (
	wombSize = int(unsafe.Sizeof(womb{}))
	opSize   = int(unsafe.Sizeof(op{}))
	// memoryMin holds the arguments and the environment of common programs.
	memoryMin = 64 << 10
	// memoryKept is how much a cradle keeps for its next birth.
	memoryKept = 1 << 20
	// opsFixed is more than all steps but those that a Spec has many of.
	opsFixed = 32
)

// prepare gives the cradle room for size bytes behind the womb, and forgets
// the last birth.
func (c *cradle) prepare(size int) error {
	if size += wombSize; size > len(c.mem) {
		c.release()
		size = max(memoryMin, 1<<bits.Len(uint(size-1)))
		flags := unix.MAP_ANON | unix.MAP_PRIVATE
		if sharesMemory == 0 {
			flags = unix.MAP_ANON | unix.MAP_SHARED
		}
		mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags)
		if err != nil {
			return err
		}
		c.mem = mem
		c.w = (*womb)(unsafe.Pointer(unsafe.SliceData(mem)))
	}
	*c.w = womb{full: ^uint64(0), lodger: 1}
	c.used = wombSize
	c.ops, c.steps = nil, c.steps[:0]
	return nil
}

// release gives the memory back to the kernel.
func (c *cradle) release() {
	if c.mem != nil {
		// The only error is a wrong address, which would be ours.
		if err := unix.Munmap(c.mem); err != nil {
			panic("child: cannot unmap a cradle: " + err.Error())
		}
		c.mem, c.w = nil, nil
	}
}

// room takes n bytes from the cradle's memory, aligned to a word. That they
// are there is what prepare was told; they may hold old data.
func (c *cradle) room(n int) []byte {
	start := (c.used + 7) &^ 7
	c.used = start + n
	return c.mem[start:c.used:c.used]
}

// table takes room for n ops.
func (c *cradle) table(n int) {
	mem := c.room(n * opSize)
	c.ops = unsafe.Slice((*op)(unsafe.Pointer(unsafe.SliceData(mem))), n)[:0]
	c.w.ops = address(mem)
}

// words takes room for n words.
func (c *cradle) words(n int) ([]uintptr, uintptr) {
	mem := c.room(n * 8)
	return unsafe.Slice((*uintptr)(unsafe.Pointer(unsafe.SliceData(mem))), n), address(mem)
}

// text copies s with a NUL behind it.
func (c *cradle) text(s string) uintptr {
	mem := c.room(len(s) + 1)
	copy(mem, s)
	mem[len(s)] = 0
	return address(mem)
}

func address(mem []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(mem))) }

// textSize is an upper bound of what the text of each of the lists and the
// vector that points at them take.
func textSize(lists ...[]string) int {
	n := 8
	for _, l := range lists {
		for _, s := range l {
			n += len(s) + 1 + 7 + 8
		}
	}
	return n
}

// hasNUL tells whether a string can't be handed to the kernel.
func hasNUL(lists ...[]string) bool {
	for _, l := range lists {
		for _, s := range l {
			if strings.IndexByte(s, 0) >= 0 {
				return true
			}
		}
	}
	return false
}

// setClone has the womb's clone call made with these flags, by clone3 or by
// its elder, which lacks the flags above bit 31.
func (c *cradle) setClone(flags uint64, old bool) {
	w := c.w
	tid := uintptr(unsafe.Pointer(&w.lodger))
	flags |= lodgerFlags
	if old {
		w.clone.nr = unix.SYS_CLONE
		a := &w.clone.args
		// The third is where the id is written, and the fourth or the fifth,
		// on which architectures differ, where it is cleared.
		a[0], a[2], a[3], a[4] = uintptr(flags)|uintptr(syscall.SIGCHLD), tid, tid, tid
		if runtime.GOARCH == "s390x" {
			a[0], a[1] = a[1], a[0]
		}
		return
	}
	// Without a stack of its own the child has our stack pointer.
	w.args = cloneArgs{
		flags:      flags | unix.CLONE_CLEAR_SIGHAND,
		childTID:   uint64(tid),
		parentTID:  uint64(tid),
		exitSignal: uint64(syscall.SIGCHLD),
	}
	w.clone.nr = unix.SYS_CLONE3
	w.clone.args[0] = uintptr(unsafe.Pointer(&w.args))
	w.clone.args[1] = unsafe.Sizeof(w.args)
}

// futexWaiters and futexOwnerDied are flags of a futex word, see
// get_robust_list(2).
const (
	futexWaiters   = 1 << 31
	futexOwnerDied = 1 << 30
)

// left tells whether the child has left our memory. The kernel then writes 0
// (CLONE_CHILD_CLEARTID), or, where the child has memory of its own,
// futexOwnerDied.
func (w *womb) left() bool {
	v := atomic.LoadUint32(&w.lodger)
	return v == 0 || v&futexOwnerDied != 0
}

// awaitLeaving waits until the child has left.
func (w *womb) awaitLeaving() {
	for !w.left() {
		v := atomic.LoadUint32(&w.lodger)
		if !atomic.CompareAndSwapUint32(&w.lodger, v, v|futexWaiters) {
			continue
		}
		const wait = 0
		_, _, _ = syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.lodger)), wait, uintptr(v|futexWaiters), 0, 0, 0)
	}
}
