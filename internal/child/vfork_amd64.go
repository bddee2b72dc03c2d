//go:build !brood_portable

package child

import "golang.org/x/sys/unix"

// sharesMemory is the clone flag that has the child run in our memory.
const sharesMemory = unix.CLONE_VM

// vfork makes the clone call of the womb with all signals blocked. The child
// works off the womb's table and never returns; the parent is suspended until
// the child has executed the program or ended. It returns what the kernel said:
// a process id or a negated errno.
//
//go:noescape
func vfork(w *womb) uintptr
