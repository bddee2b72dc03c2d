package child

import (
	"sync"

	"golang.org/x/sys/unix"
)

// watch is what tells of deaths.
var watch struct {
	once sync.Once
	fd   int
	err  error
}

// Watch returns a descriptor that becomes readable when children have ended,
// for a loop's epoll set; [Hush] has it wait for the next. There is one in a
// process, and it is never closed. From the first call on, os/signal must not
// be asked for SIGCHLD.
func Watch() (fd int, err error) {
	watch.once.Do(func() {
		watch.fd, watch.err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if watch.err == nil {
			watch.err = notify(watch.fd)
		}
	})
	return watch.fd, watch.err
}

// Hush has the descriptor of [Watch] become readable at the next death only.
// Call it before [Reap], not after.
func Hush() {
	var count [8]byte
	// The one error is that nothing has happened.
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(watch.fd), address(count[:]), uintptr(len(count)))
}
