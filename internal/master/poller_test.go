package master

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/listen"
)

// TestShutSocketIsToldOnce: a socket that nobody asks about tells that it was
// shut down, but not for ever.
func TestShutSocketIsToldOnce(t *testing.T) {
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	src := &source{socket: &listen.Socket{FD: fd}, fd: fd}
	for _, on := range []bool{true, false} {
		if err := p.watch(src, on); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	told := 0
	for range 5 {
		n, err := unix.EpollWait(p.fd, p.events[:], 0)
		if err != nil {
			t.Fatal(err)
		}
		told += n
	}
	if told > 1 {
		t.Errorf("it was told %d times in 5 looks", told)
	}
}
