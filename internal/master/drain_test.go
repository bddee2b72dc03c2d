package master

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
	"github.com/brood-project/brood/masterproto"
)

func init() {
	roles["polite"] = polite
}

// polite is a child as Postfix's daemons are: the end of its status channel ends
// it once it has no client.
func polite() {
	var busy sync.Mutex
	status := os.NewFile(masterproto.FDStatus, "status")
	go func() {
		_, _ = status.Read(make([]byte, 1))
		busy.Lock()
		os.Exit(0)
	}()
	l, err := net.FileListener(os.NewFile(masterproto.FDListen, "listener"))
	if err != nil {
		os.Exit(3)
	}
	generation, _ := masterproto.ParseGeneration(os.Getenv(masterproto.EnvGeneration))
	report := func(s masterproto.State) {
		if _, err := status.Write(masterproto.AppendStatus(nil, masterproto.Status{
			PID: int32(os.Getpid()), Generation: generation, State: s,
		})); err != nil {
			os.Exit(0)
		}
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(4)
		}
		busy.Lock()
		report(masterproto.Taken)
		fmt.Fprintln(c, os.Getpid())
		_, _ = io.Copy(io.Discard, c)
		c.Close()
		report(masterproto.Available)
		busy.Unlock()
	}
}

// follower is a drain that somebody watches.
type follower struct {
	lines chan scoreboard.Progress
	end   chan error
	last  *scoreboard.Progress
}

func (w *world) drain(service string, patience time.Duration) *follower {
	f := &follower{lines: make(chan scoreboard.Progress, 1000), end: make(chan error, 1)}
	go func() {
		var err error
		f.last, err = w.m.Drain(within(w.t), operator, service, patience, func(p scoreboard.Progress) error {
			f.lines <- p
			return nil
		})
		f.end <- err
	}()
	return f
}

// done waits for the end of the drain, and returns its last word.
func (f *follower) done(t *testing.T) *scoreboard.Progress {
	t.Helper()
	select {
	case err := <-f.end:
		if err != nil {
			t.Fatal(err)
		}
		if !f.last.Done || len(f.last.Left) > 0 {
			t.Errorf("the last word: %+v", f.last)
		}
		return f.last
	case <-time.After(await.Patience):
		t.Fatal("the drain does not end")
		return nil
	}
}

// leaves waits for a line about so many workers.
func (f *follower) leaves(t *testing.T, n int) scoreboard.Progress {
	t.Helper()
	timeout := time.After(await.Patience)
	for {
		select {
		case p := <-f.lines:
			if len(p.Left) == n {
				return p
			}
		case <-timeout:
			t.Fatalf("there is no line about %d workers", n)
		}
	}
}

// TestDrainOfOneService has a free worker go, a busy one finish, and clients wait
// until the service is resumed.
func TestDrainOfOneService(t *testing.T) {
	for name, service := range map[string]*plan.Service{
		"brood.toml": systemdOf(t, "s", "systemd", pool.Policy{Limit: 5}),
		"master.cf":  serviceOf(t, "s", "polite", pool.Policy{Limit: 5}),
	} {
		t.Run(name, func(t *testing.T) {
			var w *world
			if service.Wishes != nil {
				w = startNative(t, planOf(service))
			} else {
				w = start(t, service)
			}
			busy := w.served(w.connect("s"))
			other := w.served(w.connect("s"))
			other.Close()
			w.eventually("one is busy, and one free", func() bool { v := w.view("s"); return v.Taken == 1 && v.Available == 1 })
			d := w.drain("s", 0)
			p := d.leaves(t, 1)
			if l := p.Left[0]; l.Service != "s" || int(l.PID) != busy.pid || l.Busy == 0 || l.Busy > p.At {
				t.Errorf("left: %+v", p)
			}
			picture, err := w.m.Picture(within(t), PictureOptions{})
			w.do(err)
			if s := picture.Services[0]; !s.Draining || s.Watching || len(picture.Services) != 1 {
				t.Errorf("while it is drained: %+v", picture.Services)
			}
			busy.Close()
			if last := d.done(t); len(last.CutOff) > 0 {
				t.Errorf("cut off: %+v", last.CutOff)
			}
			// Not before: a worker that knows no word for "no more clients" could take
			// it when it is free, in the moment before the stop signal.
			waits := w.connect("s")
			if err := w.m.Restart(within(t), operator, "s"); !errors.Is(err, ErrRefused) {
				t.Errorf("a restart of what is drained: %v", err)
			}
			w.drain("s", 0).done(t)
			ended := w.recorded("s", "ended")
			if ended < 2 {
				t.Errorf("the flight recorder knows of %d ends after the drain", ended)
			}
			w.do(w.m.Resume(within(t), operator, "s"))
			w.served(waits)
			if again := w.recorded("s", "ended"); again != ended {
				t.Errorf("the flight recorder knows of %d ends, and of %d after the drain is over", ended, again)
			}
		})
	}
}

// recorded is how many steps of a service's flight recorder have a word.
func (w *world) recorded(service, word string) (n int) {
	steps, err := w.m.Recorder(within(w.t), service)
	w.do(err)
	for _, s := range steps {
		if strings.Contains(s.What, word) {
			n++
		}
	}
	return n
}

// TestDrainOfOneServiceEndsWithReload while a worker still has its client: that is
// finished, beside the new workers.
func TestDrainOfOneServiceEndsWithReload(t *testing.T) {
	s := systemdOf(t, "s", "systemd", pool.Policy{Limit: 1})
	w := startNative(t, planOf(s))
	busy := w.served(w.connect("s"))
	d := w.drain("s", 0)
	d.leaves(t, 1)
	waits := w.connect("s")
	w.configure(copyOf(s))
	_, err := w.m.Reload(within(t), operator, "")
	w.do(err)
	if now := w.served(waits); now.pid == busy.pid {
		t.Error("the drained worker serves on")
	}
	w.do(syscall.Kill(busy.pid, 0))
	busy.Close()
	d.done(t)
	p, err := w.m.Picture(within(t), PictureOptions{})
	w.do(err)
	if len(p.Services) != 1 || p.Services[0].Draining || p.Services[0].Counts.Births != 2 {
		t.Errorf("%+v", p.Services)
	}
}

// TestDeadlineOfDrainCutsOff those who are not done, and says who they were; what
// the configuration says of a single worker's time does not count.
func TestDeadlineOfDrainCutsOff(t *testing.T) {
	policy := pool.Policy{Limit: 5, Stop: pool.Stopping{Signal: 15, Timeout: 20 * pool.Second, Drain: pool.Millisecond}}
	w := startNative(t, planOf(systemdOf(t, "s", "systemd", policy)))
	slow, slower, quick := w.served(w.connect("s")), w.served(w.connect("s")), w.served(w.connect("s"))
	d := w.drain("s", 4*time.Second) // all have told that they are busy, whether it was read or not
	d.leaves(t, 3)
	quick.Close()
	p := d.leaves(t, 2)
	if p.Deadline < p.At {
		t.Errorf("the deadline is over: %+v", p)
	}
	last := d.done(t)
	want := []int{slow.pid, slower.pid}
	var cut []int
	for _, l := range last.CutOff {
		cut = append(cut, int(l.PID))
	}
	slices.Sort(want)
	slices.Sort(cut)
	if !slices.Equal(cut, want) {
		t.Errorf("%d were cut off, want %d", cut, want)
	}
	w.logged(0, fmt.Sprintf("the time is over for pid %d", slow.pid))
}

// TestDrainOfAllEndsTheDaemon when the last client is done.
func TestDrainOfAllEndsTheDaemon(t *testing.T) {
	w := startNative(t, planOf(
		systemdOf(t, "a", "systemd", pool.Policy{Limit: 5}), nativeOf(t, "b", "inetd", plan.ProtocolInetd, pool.Policy{Limit: 5, Single: true}),
		systemdOf(t, "sleeps", "systemd", pool.Policy{Limit: 5})))
	a, b := w.served(w.connect("a")), w.served(w.connect("b"))
	d := w.drain("", 0)
	p := d.leaves(t, 2)
	if p.Left[0].Service != "a" || p.Left[1].Service != "b" || p.Left[1].Busy == 0 {
		t.Errorf("left: %+v", p)
	}
	if _, err := net.Dial("unix", w.dir+"/a"); err == nil {
		t.Error("a new client gets in")
	}
	if _, err := w.m.Drain(within(t), operator, "", 0, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("a second drain: %v", err)
	}
	a.Close()
	d.leaves(t, 1)
	b.Close()
	if last := d.done(t); len(last.CutOff) > 0 {
		t.Errorf("cut off: %+v", last.CutOff)
	}
	w.stopped()
}

// TestRemovedServiceIsDrained takes a service of brood.toml out of the
// configuration while a worker has a client.
func TestRemovedServiceIsDrained(t *testing.T) {
	stays := systemdOf(t, "stays", "systemd", pool.Policy{Limit: 5})
	w := startNative(t, planOf(stays, systemdOf(t, "goes", "systemd", pool.Policy{Limit: 5})))
	busy := w.served(w.connect("goes"))
	w.eventually("it is busy", func() bool { return w.view("goes").Taken == 1 })
	w.configure(copyOf(stays))
	_, err := w.m.Reload(within(t), operator, "")
	w.do(err)
	if _, err := net.Dial("unix", w.dir+"/goes"); err == nil {
		t.Error("a new client gets in")
	}
	p, err := w.m.Picture(within(t), PictureOptions{})
	w.do(err)
	if len(p.Services) != 2 || !p.Services[1].Removed || p.Services[1].Retiring != 1 {
		t.Errorf("%+v", p.Services)
	}
	w.do(syscall.Kill(busy.pid, 0))
	busy.Close()
	w.gone(fmt.Sprint(busy.pid))
	w.eventually("it is forgotten", func() bool {
		p, err := w.m.Picture(within(t), PictureOptions{})
		return err == nil && len(p.Services) == 1
	})
}

// inetOf is a service of master.cf that clients of other machines can reach.
func inetOf(t *testing.T, name, role string) (*plan.Service, string) {
	t.Helper()
	port := freePort(t)
	s := serviceOf(t, name, role, pool.Policy{Limit: 5})
	s.Transport = plan.Inet
	s.Endpoints = []plan.Endpoint{{Network: plan.NetTCP, Addr: "127.0.0.1", Port: port, UID: -1, GID: -1, Backlog: 5}}
	return s, fmt.Sprintf("127.0.0.1:%d", port)
}

// TestExodus drains all of Postfix: who serves the outside still finds the
// services that it needs, and only when nobody has a client is everything ended.
func TestExodus(t *testing.T) {
	outside, address := inetOf(t, "smtp", "polite")
	clock := serviceOf(t, "qmgr", "polite", pool.Policy{Limit: 1, Wakeup: 3600 * pool.Second})
	inside := serviceOf(t, "cleanup", "polite", pool.Policy{Limit: 5})
	w := start(t, outside, clock, inside)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		w.do(err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	busy := w.served(dial())
	w.eventually("the timer has woken qmgr", func() bool { return len(w.pids("qmgr")) == 1 })
	d := w.drain("", 0)
	if p := d.leaves(t, 1); p.Left[0].Service != "smtp" {
		t.Errorf("left: %+v", p)
	}
	helps := w.served(w.connect("cleanup"))
	busy.Close()
	w.eventually("who looks for work is gone", func() bool { return len(w.pids("qmgr")) == 0 })
	for d.leaves(t, 1).Left[0].Service != "cleanup" {
		// A line about smtp alone may have been on its way.
	}
	waits := dial()
	_ = waits.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := waits.Read(make([]byte, 1)); n > 0 || !errors.Is(err, errTimeout(err)) {
		t.Errorf("a new client: %d bytes, %v", n, err)
	}
	select {
	case <-w.ended:
		t.Fatal("it has ended before the last client was done")
	default:
	}
	helps.Close()
	d.done(t)
	if sig := w.stopped(); sig != syscall.SIGTERM {
		t.Errorf("it ended by %v", sig)
	}
}

// errTimeout is err where that is a time-out.
func errTimeout(err error) error {
	if n := net.Error(nil); errors.As(err, &n) && n.Timeout() {
		return err
	}
	return nil
}

func TestExodusHasADeadline(t *testing.T) {
	outside, address := inetOf(t, "smtp", "polite")
	w := start(t, outside)
	c, err := net.Dial("tcp", address)
	w.do(err)
	defer c.Close()
	busy := w.served(c)
	last := w.drain("", 500*time.Millisecond).done(t)
	if len(last.CutOff) != 1 || int(last.CutOff[0].PID) != busy.pid {
		t.Errorf("cut off: %+v", last.CutOff)
	}
	w.stopped()
}
