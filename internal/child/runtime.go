package child

import _ "unsafe" // for go:linkname

// labour is vfork with the goroutine accounted for as one in a system call that
// blocks: other goroutines get its processor at once, and the garbage collector
// does not wait for it. Nothing between the two calls may grow the stack.
//
//go:nosplit
//go:norace
func labour(w *womb) uintptr {
	entersyscallblock()
	r := vfork(w)
	exitsyscall()
	return r
}

// The runtime offers both to packages that make system calls of their own, see
// go.dev/issue/67401.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()
