package master

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

func TestOneClientOneChildUpToTheLimit(t *testing.T) {
	w := start(t, serviceOf(t, "echo", "honest", pool.Policy{Limit: 2, Throttle: pool.Second}))
	if v := w.view("echo"); v != (pool.View{Limit: 2, Watching: true}) {
		t.Fatalf("before the first client: %+v", v)
	}
	a, b := w.served(w.connect("echo")), w.served(w.connect("echo"))
	if a.pid == b.pid {
		t.Fatalf("one child, %d, took two clients at a time", a.pid)
	}
	w.logged(0, "process limit")
	waiting := w.connect("echo")
	w.eventually("the third client waits", func() bool {
		var n int32
		w.call(func() { n = w.m.waitingAll(w.m.services["echo"]) })
		return n == 1
	})
	a.Close()
	if c := w.served(waiting); c.pid != a.pid {
		t.Errorf("the third client was taken by %d, %d was free", c.pid, a.pid)
	}
}

func TestCrashAtBirthThrottlesAndTheClientIsServedWhenItIsMended(t *testing.T) {
	w := start(t, serviceOf(t, "echo", "crash", pool.Policy{Limit: 2, Throttle: pool.Second / 2}))
	waiting := w.connect("echo")
	from := w.logged(0, "exit status 7")
	from = w.logged(from, "bad command startup -- throttling for 0.5s")
	w.propose(serviceOf(t, "echo", "honest", pool.Policy{Limit: 2, Throttle: pool.Second / 2}))
	w.logged(from, "births are allowed again")
	w.served(waiting)
}

func TestMissingProgramIsNamedAndThrottled(t *testing.T) {
	s := serviceOf(t, "echo", "honest", pool.Policy{Limit: 2, Throttle: pool.Second / 5})
	s.Command.Path = "/no/such/program"
	w := start(t, s)
	waiting := w.connect("echo")
	from := w.logged(0, "cannot start /no/such/program")
	w.logged(from, "throttling")
	w.propose(serviceOf(t, "echo", "honest", pool.Policy{Limit: 2, Throttle: pool.Second / 5}))
	w.served(waiting)
}

func TestReloadKeepsTheSocketAndRollsTheChildren(t *testing.T) {
	w := start(t, serviceOf(t, "echo", "honest", pool.Policy{Limit: 3}))
	before, err := os.Stat(filepath.Join(w.dir, "echo"))
	if err != nil {
		t.Fatal(err)
	}
	old := w.served(w.connect("echo"))
	w.propose(serviceOf(t, "echo", "honest", pool.Policy{Limit: 3}), serviceOf(t, "more", "honest", pool.Policy{}))
	w.logged(0, "reload -- test")
	after, err := os.Stat(filepath.Join(w.dir, "echo"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket was made anew (%v)", err)
	}
	if c := w.served(w.connect("echo")); c.pid == old.pid {
		t.Error("the old child took a client of the new plan")
	}
	w.served(w.connect("more"))
}

func TestRefusedReloadChangesNothing(t *testing.T) {
	w := start(t, serviceOf(t, "echo", "honest", pool.Policy{Limit: 3}))
	child := w.served(w.connect("echo"))
	child.Close()

	w.mu.Lock()
	w.fails = plan.Diagnostics{{Severity: plan.Error, Pos: plan.Pos{File: "master.cf", Line: 12}, What: "bad"}}
	w.mu.Unlock()
	w.m.signals <- syscall.SIGHUP
	from := w.logged(0, "master.cf:12: bad")
	from = w.logged(from, "reload refused")

	w.mu.Lock()
	w.fails = nil
	w.mu.Unlock()
	bad := serviceOf(t, "bad", "honest", pool.Policy{})
	bad.Pos = plan.Pos{File: "master.cf", Line: 13}
	bad.Endpoints = []plan.Endpoint{{Network: plan.NetUnix, Path: filepath.Join(w.dir, "no", "folder"), UID: -1, GID: -1}}
	w.propose(serviceOf(t, "echo", "honest", pool.Policy{Limit: 3}), serviceOf(t, "good", "honest", pool.Policy{}), bad)
	from = w.logged(from, "master.cf:13: service")
	w.logged(from, "reload refused")

	if c := w.served(w.connect("echo")); c.pid != child.pid {
		t.Errorf("child %d was replaced by %d", child.pid, c.pid)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "good")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the refused plan left a socket: %v", err)
	}
}

func TestRemovedServiceIsEndedAndTheStubbornKilled(t *testing.T) {
	w := start(t,
		serviceOf(t, "echo", "honest", pool.Policy{}),
		serviceOf(t, "stubborn", "stubborn", pool.Policy{KillAfter: pool.Second / 2}))
	c := w.served(w.connect("stubborn"))
	w.propose(serviceOf(t, "echo", "honest", pool.Policy{}))
	w.logged(0, "ignored SIGTERM")
	w.eventually("the child is gone", func() bool { return syscall.Kill(c.pid, 0) != nil })
	w.eventually("the service is forgotten", func() bool {
		n := 0
		w.call(func() { n = len(w.m.ending) })
		return n == 0
	})
	if _, err := net.Dial("unix", filepath.Join(w.dir, "stubborn")); err == nil {
		t.Error("the socket is still there")
	}
}

// TestShutStatusChannelDoesNotSpin has a child shut the channel down that all
// its siblings share.
func TestShutStatusChannelDoesNotSpin(t *testing.T) {
	w := start(t, serviceOf(t, "shut", "shut", pool.Policy{Limit: 5}))
	w.connect("shut")
	w.logged(0, "has shut down the status channel")
	w.propose(serviceOf(t, "shut", "honest", pool.Policy{Limit: 5}))
	clients := uint64(1)
	w.eventually("an honest child serves", func() bool {
		// One of those that are on their way out may be faster.
		clients++
		_, err := bufio.NewReader(w.connect("shut")).ReadString('\n')
		return err == nil
	})
	var steps uint64
	w.call(func() { _, steps = w.m.services["shut"].pool.Recorder().Entries() })
	if steps > 100+20*clients {
		t.Errorf("%d steps for %d clients", steps, clients)
	}
}

// TestBooksAndDescriptorsBalance has many lives end, and wants nothing left of
// them.
func TestBooksAndDescriptorsBalance(t *testing.T) {
	w := start(t, serviceOf(t, "echo", "honest", pool.Policy{}))
	w.served(w.connect("echo")).Close()
	before := descriptors(t)
	for range 30 {
		c := w.served(w.connect("echo"))
		if err := syscall.Kill(c.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		w.eventually("the dead is buried", func() bool {
			known := true
			w.call(func() { known = w.m.children[int32(c.pid)] != nil })
			return !known
		})
		c.Close()
	}
	w.eventually("no descriptor is left over", func() bool { return descriptors(t) <= before })
	w.call(func() {
		if len(w.m.unused) != 0 || len(w.m.queue) != 0 {
			t.Errorf("%d descriptors to close and %d events are left", len(w.m.unused), len(w.m.queue))
		}
	})
}

func TestNothingRunsWhenNothingHappens(t *testing.T) {
	w := start(t, serviceOf(t, "echo", "honest", pool.Policy{}))
	w.served(w.connect("echo")).Close()
	w.eventually("the child has had its client", func() bool {
		var c pool.Child
		w.call(func() {
			for pid := range w.m.children {
				c, _ = w.m.life(w.m.services["echo"]).Child(pid)
			}
		})
		return c.Uses == 1
	})
	var steps uint64
	w.call(func() { _, steps = w.m.life(w.m.services["echo"]).Recorder().Entries() })
	select {
	case <-w.ended:
		t.Fatal("the loop ended")
	case <-time.After(300 * time.Millisecond):
	}
	w.call(func() {
		if _, now := w.m.life(w.m.services["echo"]).Recorder().Entries(); now != steps {
			t.Errorf("%d steps without an event", now-steps)
		}
		if w.m.ringing != 0 {
			t.Error("a timer is set")
		}
	})
}

// TestShutListenerIsOpenedAnew has a child shut down the socket that it was
// given. The next client finds another, and no other service notices.
func TestShutListenerIsOpenedAnew(t *testing.T) {
	port := freePort(t)
	tcp := plan.Endpoint{Network: plan.NetTCP, Addr: "127.0.0.1", Port: port, Backlog: 100}
	dials := map[string]func(w *world) (net.Conn, error){
		"unix": func(w *world) (net.Conn, error) { return net.Dial("unix", filepath.Join(w.dir, "shut")) },
		"tcp":  func(*world) (net.Conn, error) { return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)) },
	}
	for network, dial := range dials {
		t.Run(network, func(t *testing.T) {
			s := serviceOf(t, "shut", "shut-listener", pool.Policy{Limit: 5})
			if network == "tcp" {
				s.Endpoints = []plan.Endpoint{tcp}
			}
			w := start(t, s, serviceOf(t, "other", "honest", pool.Policy{Limit: 5}))
			other := w.served(w.connect("other"))
			other.Close()
			from := 0
			for range 3 {
				var c net.Conn
				w.eventually("a client finds the socket", func() bool {
					var err error
					c, err = dial(w)
					return err == nil
				})
				w.served(c)
				c.Close()
				from = w.logged(from, "has shut down the socket")
			}
			if again := w.served(w.connect("other")); again.pid != other.pid {
				t.Error("another service's child was replaced")
			}
		})
	}
}
