package worker

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

// sleeper is a waiter on a thread of its own that waits when it is told to and
// says whenever a client has woken it.
type sleeper struct {
	*waiter
	tid   int
	again chan struct{}
}

func startSleeper(t *testing.T, listener int, woken chan<- *sleeper) *sleeper {
	t.Helper()
	w, err := newWaiter([]int{listener}, -1)
	if err != nil {
		t.Fatal(err)
	}
	s := &sleeper{waiter: w, again: make(chan struct{})}
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread()
		s.tid = unix.Gettid()
		close(ready)
		for range s.again {
			for ended := nudged; ended == nudged; {
				if ended, _, _ = s.wait(true, 30*time.Second); ended == clientWaits {
					woken <- s
				}
			}
		}
	}()
	<-ready
	t.Cleanup(func() {
		close(s.again)
		<-gone
		s.close()
	})
	return s
}

// awaitAsleep waits until the thread sits in its wait; /proc has no event for
// that (proc(5), /proc/PID/syscall: the number, then the arguments).
func (s *sleeper) awaitAsleep(t *testing.T) {
	t.Helper()
	path := fmt.Sprintf("/proc/self/task/%d/syscall", s.tid)
	var text []byte
	await.That(t, fmt.Sprintf("thread %d waits", s.tid), func() (waits bool) {
		text, _ = os.ReadFile(path)
		fields := strings.Fields(string(text))
		return len(fields) > 1 && fields[1] == fmt.Sprintf("%#x", s.open)
	}, func() string { return "its system call: " + string(text) })
}

// TestOneClientWakesOneWaiter and always the same, as long as it is asleep
// again when the next client comes.
func TestOneClientWakesOneWaiter(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	listener := int(raw.Fd())
	woken := make(chan *sleeper, 10)
	var all []*sleeper
	for range 3 {
		s := startSleeper(t, listener, woken)
		all = append(all, s)
		s.again <- struct{}{}
	}
	var favourite *sleeper
	for i := range 20 {
		for _, s := range all {
			s.awaitAsleep(t)
		}
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		got := <-woken
		if favourite == nil {
			favourite = got
		}
		if got != favourite {
			t.Fatalf("client %d woke another waiter than those before", i)
		}
		for _, s := range all {
			if s != got {
				s.awaitAsleep(t)
			}
		}
		if n := len(woken); n != 0 {
			t.Fatalf("client %d woke %d waiters too many", i, n)
		}
		fd, _, err := unix.Accept(listener)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		got.again <- struct{}{}
	}
	for _, s := range all {
		s.nudge()
	}
	// Whoever is nudged waits again; a last client each lets them go.
	for range all {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		<-woken
	}
}
