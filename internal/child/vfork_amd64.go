//go:build !brood_portable

package child

import "golang.org/x/sys/unix"

// sharesMemory is the clone flag that has the child run in our memory.
const sharesMemory = unix.CLONE_VM

// lodgerFlags have the kernel clear the womb's lodger when the child leaves.
const lodgerFlags = sharesMemory | unix.CLONE_CHILD_CLEARTID

// announce has nothing to add to the child's table.
func (c *cradle) announce() {}

// vfork makes the clone call of the womb with all signals blocked, and returns
// at once what the kernel said: a process id or a negated errno. The child
// works off the womb's table and never returns.
//
//go:noescape
func vfork(w *womb) uintptr
