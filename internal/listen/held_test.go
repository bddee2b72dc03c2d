package listen

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
)

// client connects to a socket, and is closed with the test.
func client(t *testing.T, s *Socket) (fd int) {
	t.Helper()
	e := s.Endpoint
	family, to := unix.AF_UNIX, unix.Sockaddr(&unix.SockaddrUnix{Name: e.Path})
	switch {
	case e.Network == plan.NetTCP && e.Addr == "::1":
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: int(e.Port), Addr: [16]byte{15: 1}}
	case e.Network == plan.NetTCP:
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: int(e.Port), Addr: [4]byte{127, 0, 0, 1}}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestHeld counts the clients that somebody has accepted, at every kind of socket,
// and nothing else that it has open.
func TestHeld(t *testing.T) {
	s := newSurvey(t)
	sockets := surveyed(t)
	queues := queuesOf(sockets...)
	held := func(t *testing.T, fds ...int) int {
		t.Helper()
		open := map[uint32]struct{}{}
		for _, fd := range fds {
			var st unix.Stat_t
			if err := unix.Fstat(fd, &st); err != nil {
				t.Fatal(err)
			}
			open[uint32(st.Ino)] = struct{}{}
		}
		n, err := s.Held(queues, open)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, sock := range sockets {
		t.Run(sock.Endpoint.String(), func(t *testing.T) {
			theirs := client(t, sock)
			ours, _, err := unix.Accept(sock.FD)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(ours)
			client(t, sock) // waits
			if n := held(t, sock.FD, theirs); n != 0 {
				t.Errorf("a listening socket and the client's own end are %d clients", n)
			}
			if n := held(t, sock.FD, ours); n != 1 {
				t.Errorf("%d clients, want 1", n)
			}
			if err := unix.Shutdown(theirs, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			if n := held(t, ours); n != 1 {
				t.Errorf("%d clients where one will send no more, want 1", n)
			}
			if err := unix.Shutdown(ours, unix.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			if sock.Endpoint.Network == plan.NetTCP {
				await.That(t, "a connection that is over", func() bool { return held(t, ours) == 0 })
			}
		})
	}
	s.Close()
	if _, err := s.Held(queues, map[uint32]struct{}{1: {}}); err == nil {
		t.Error("no error after the end")
	}
}
