//go:build !brood_portable

package child

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deathsFD is the eventfd that onDeath writes to.
//
//nolint:unused // the assembly reads it
var deathsFD int32

// handlerAddresses are those of onDeath and of what returns from it. Go code
// can't take the address of an assembly function itself.
func handlerAddresses() (handler, restorer uintptr)

// notify has deaths written to an eventfd, by a handler of SIGCHLD that makes
// that one system call. With os/signal, each death wakes a thread that wakes
// another: several times what the burial costs.
func notify(fd int) error {
	const (
		onStack  = 0x08000000
		restart  = 0x10000000
		restorer = 0x04000000
	)
	deathsFD = int32(fd)
	h, r := handlerAddresses()
	// Handler, flags, restorer and mask: struct sigaction of x86-64.
	act := [4]uintptr{h, onStack | restart | restorer, r, 0}
	_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(&act)), 0, maskSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
