package master

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// operator is who asks in these tests.
var operator = By{UID: 7, PID: 4711}

// within is a context that no operation of a test may outlive.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	t.Cleanup(cancel)
	return ctx
}

// next is what the configuration says from now on.
func (w *world) configure(services ...*plan.Service) {
	placed := w.place(services...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next, w.fails = placed, nil
}

func (w *world) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// details is what an outcome says of each service, a line each.
func details(o *scoreboard.Outcome) (lines []string) {
	for _, c := range o.Changes {
		lines = append(lines, fmt.Sprintf("%s %s restarts=%t %s", c.Service, c.Kind, c.Restarts, strings.Join(c.Details, "; ")))
	}
	return append(lines, fmt.Sprintf("%d kept", o.Kept))
}

// copyOf is the same service, to be changed.
func copyOf(s *plan.Service) *plan.Service {
	c, w := *s, *s.Wishes
	c.Wishes = &w
	policy := *c.Policy
	c.Policy = &policy
	return &c
}

func TestPlanTellsWhatReloadDoes(t *testing.T) {
	same := systemdOf(t, "same", "systemd", pool.Policy{Limit: 5})
	calmer := systemdOf(t, "calmer", "systemd", pool.Policy{Limit: 5, MaxUse: 50})
	other := systemdOf(t, "other", "systemd", pool.Policy{Limit: 5})
	leaves := systemdOf(t, "leaves", "systemd", pool.Policy{Limit: 5})
	w := startNative(t, planOf(same, calmer, other, leaves))
	kept, old := w.answer(w.connect("same"))[0], w.answer(w.connect("other"))[0]

	calmer, other = copyOf(calmer), copyOf(other)
	calmer.Policy.MaxUse = 100
	other.Command.Dir = "/tmp"
	comes := systemdOf(t, "comes", "systemd", pool.Policy{Limit: 5})
	comes.Command.Args = append(comes.Command.Args, "a sentence")
	w.configure(copyOf(same), calmer, other, comes)
	want := []string{
		"calmer changed restarts=false max_use: 100, was 50",
		"other changed restarts=true directory: /tmp, was /",
		"leaves removed restarts=false its workers finish their clients, for as long as brood.drain and stop.drain allow",
		"comes added restarts=false listen: unix://" + w.dir + "/comes; command: systemd 'a sentence'",
		"1 kept",
	}
	planned, err := w.m.Plan(within(t), "")
	w.do(err)
	if diff := cmp.Diff(want, details(planned)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Lstat(filepath.Join(w.dir, "comes")); !os.IsNotExist(err) {
		t.Errorf("a plan has left a socket: %v", err)
	}
	if got := w.answer(w.connect("leaves")); len(got) == 0 {
		t.Error("a plan has ended a service")
	}

	done, err := w.m.Reload(within(t), operator, "")
	w.do(err)
	if diff := cmp.Diff(planned, done); diff != "" {
		t.Errorf("the reload has done something else: %s", diff)
	}
	w.logged(0, "reload, asked for by uid 7 (pid 4711)")
	w.answer(w.connect("comes"))
	if err := syscall.Kill(number(t, kept), 0); err != nil {
		t.Errorf("a worker that nothing has changed for is gone: %v", err)
	}
	_ = old
	again, err := w.m.Reload(within(t), operator, "")
	w.do(err)
	if diff := cmp.Diff([]string{"4 kept"}, details(again)); diff != "" {
		t.Error(diff)
	}
}

func number(t *testing.T, pid string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReloadOfOneService changes, adds and removes one service, while all others
// are changed in the configuration too.
func TestReloadOfOneService(t *testing.T) {
	a, b := systemdOf(t, "a", "systemd", pool.Policy{Limit: 5, MaxUse: 1}), systemdOf(t, "b", "systemd", pool.Policy{Limit: 5, MaxUse: 1})
	w := startNative(t, planOf(a, b))
	a2, b2, c := copyOf(a), copyOf(b), systemdOf(t, "c", "systemd", pool.Policy{Limit: 5})
	a2.Policy.MaxUse, b2.Policy.MaxUse = 2, 2
	w.configure(a2, b2, c)

	for _, step := range []struct {
		service string
		want    []string
	}{
		{"b", []string{"b changed restarts=false max_use: 2, was 1", "1 kept"}},
		{"c", []string{"c added restarts=false listen: unix://" + w.dir + "/c; command: systemd", "2 kept"}},
		{"b", []string{"3 kept"}},
	} {
		planned, err := w.m.Plan(within(t), step.service)
		w.do(err)
		done, err := w.m.Reload(within(t), operator, step.service)
		w.do(err)
		if diff := cmp.Diff(step.want, details(done)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(planned, done); diff != "" {
			t.Error(diff)
		}
	}
	w.answer(w.connect("c"))
	w.configure(a2, b2)
	done, err := w.m.Reload(within(t), operator, "c")
	w.do(err)
	if got := details(done); len(got) != 2 || !strings.HasPrefix(got[0], "c removed") {
		t.Errorf("%q", got)
	}
	if _, err := w.m.Reload(within(t), operator, "c"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a service that is nowhere: %v", err)
	}
	done, err = w.m.Plan(within(t), "")
	w.do(err)
	if diff := cmp.Diff([]string{"a changed restarts=false max_use: 2, was 1", "1 kept"}, details(done)); diff != "" {
		t.Errorf("what is left to be reloaded: %s", diff)
	}
}

// TestRefusedPlansChangeNothing has the address of another program, one that is
// not there, and one that two services want, each asked for in turn.
func TestRefusedPlansChangeNothing(t *testing.T) {
	good := systemdOf(t, "good", "systemd", pool.Policy{Limit: 5})
	w := startNative(t, planOf(good))
	another, err := net.Listen("tcp", "127.0.0.1:0")
	w.do(err)
	defer another.Close()
	taken := plan.Endpoint{Network: plan.NetTCP, Addr: "127.0.0.1", Port: uint32(another.Addr().(*net.TCPAddr).Port), UID: -1, GID: -1, Backlog: 5}
	absent := taken
	absent.Addr = "192.0.2.77"
	homeless := plan.Endpoint{Network: plan.NetUnix, Path: w.dir + "/none/x.sock", UID: -1, GID: -1, Backlog: 5, Mode: 0o666}
	for want, e := range map[string]plan.Endpoint{
		"address already in use; stop what has it": taken, "cannot assign requested address; write an address of this machine": absent,
		"no such file or directory; make that directory": homeless,
	} {
		bad := systemdOf(t, "bad", "systemd", pool.Policy{Limit: 5})
		w.configure(good, bad)
		bad.Endpoints = []plan.Endpoint{e}
		bad.Wishes.ListenPos = []plan.Pos{{File: "brood.toml", Line: 12, Col: 11}}
		for name, ask := range map[string]func() error{
			"plan":   func() error { _, err := w.m.Plan(within(t), ""); return err },
			"reload": func() error { _, err := w.m.Reload(within(t), operator, ""); return err },
			"one":    func() error { _, err := w.m.Reload(within(t), operator, "bad"); return err },
		} {
			err := ask()
			ds := DiagnosticsOf(err)
			if len(ds) != 1 || ds[0].File != "brood.toml" || ds[0].Line != 12 || ds[0].Column != 11 || !ds[0].Error || !strings.Contains(ds[0].Text, want) {
				t.Errorf("%s: %+v", name, ds)
			}
		}
		w.answer(w.connect("good"))
	}
	done, err := w.m.Reload(within(t), operator, "good")
	w.do(err)
	if diff := cmp.Diff([]string{"1 kept"}, details(done)); diff != "" {
		t.Error(diff)
	}
}

// TestReloadsWaitForEachOther asks for many at once, beside signals: each asker
// gets the outcome of its own, and who does not wait any more gets none.
func TestReloadsWaitForEachOther(t *testing.T) {
	s := systemdOf(t, "s", "systemd", pool.Policy{Limit: 5})
	w := startNative(t, planOf(s))
	w.configure(s)
	gate := make(chan struct{})
	read := w.m.opts.Reload
	reads := 0
	w.call(func() {
		w.m.opts.Reload = func() (*Proposal, error) {
			<-gate
			reads++
			return read()
		}
	})
	impatient, cancel := context.WithCancel(context.Background())
	answers := make(chan error, 4)
	ask := func(ctx context.Context) {
		go func() {
			_, err := w.m.Reload(ctx, operator, "")
			answers <- err
		}()
	}
	queued := func(n int) {
		w.eventually(fmt.Sprintf("%d wait", n), func() bool {
			waiting := 0
			w.call(func() { waiting = len(w.m.readings) })
			return waiting == n
		})
	}
	ask(within(t))
	w.eventually("the first is read", func() (yes bool) { w.call(func() { yes = w.m.reading != nil }); return yes })
	ask(impatient)
	queued(1)
	ask(within(t))
	queued(2)
	for range 5 {
		w.m.signals <- syscall.SIGHUP
	}
	queued(3)
	cancel()
	if err := <-answers; !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait any more: %v", err)
	}
	close(gate)
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	w.eventually("all were read", func() (yes bool) {
		w.call(func() { yes = w.m.reading == nil && len(w.m.readings) == 0 })
		return yes
	})
	if reads != 3 {
		t.Errorf("it was read %d times, want 3: two askers who waited, and one for all signals", reads)
	}
}

func TestOneService(t *testing.T) {
	list := []*plan.Service{
		{Name: "smtp", Key: "inet:25", Transport: plan.Inet},
		{Name: "smtp", Key: "unix:private/smtp", Transport: plan.Unix},
		{Name: "qmgr", Key: "unix:public/qmgr", Transport: plan.Unix},
	}
	for name, want := range map[string]string{
		"qmgr": "unix:public/qmgr", "smtp/unix": "unix:private/smtp", "smtp/inet": "inet:25", "inet:25": "inet:25",
	} {
		if s, err := one(list, name); err != nil || s.Key != want {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if _, err := one(list, "smtp"); !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "smtp/inet, smtp/unix") {
		t.Error(err)
	}
	if _, err := one(list, "nobody"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "smtp, qmgr") {
		t.Error(err)
	}
	list[0].Command.Path = "/usr/lib/postfix/sbin/smtpd"
	if _, err := one(list, "smtpd"); !errors.Is(err, ErrUnknown) || err.Error() != `there is no service "smtpd"; that program is run by smtp` {
		t.Error(err)
	}
}

func TestRestartReplacesEverybody(t *testing.T) {
	w := startNative(t, planOf(
		systemdOf(t, "one", "systemd", pool.Policy{Limit: 5, Min: 2, Ramp: 4}), systemdOf(t, "two", "systemd", pool.Policy{Limit: 5, Min: 1})))
	before := w.settled("one", 2)
	others := w.settled("two", 1)
	busy := w.connect("one")
	held := w.answer(busy)[0]
	w.do(w.m.Restart(within(t), operator, "one"))
	w.eventually("a free one is replaced", func() bool {
		now := w.pids("one")
		return len(now) >= 2 && !slices.ContainsFunc(now, func(pid int32) bool {
			return slices.Contains(before, pid) && fmt.Sprint(pid) != held
		})
	})
	if err := syscall.Kill(number(t, held), 0); err != nil {
		t.Errorf("one with a client was not waited for: %v", err)
	}
	busy.Close()
	w.gone(held)
	if diff := cmp.Diff(others, w.pids("two")); diff != "" {
		t.Errorf("another service was restarted: %s", diff)
	}
}

// pids are the workers of a service, in order.
func (w *world) pids(service string) (pids []int32) {
	w.call(func() {
		for pid, worker := range w.m.children {
			if worker.service.plan.Name == service {
				pids = append(pids, pid)
			}
		}
	})
	slices.Sort(pids)
	return pids
}

// settled waits until so many workers are there, and idle.
func (w *world) settled(service string, n int) []int32 {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d workers of %s are idle", n, service), func() bool {
		v := w.view(service)
		return v.Available == n && v.Unready == 0
	})
	return w.pids(service)
}

func TestScaleHoldsUntilReload(t *testing.T) {
	s := systemdOf(t, "s", "systemd", pool.Policy{Limit: 1})
	w := startNative(t, planOf(s))
	w.configure(copyOf(s))
	number := func(n int) *int { return &n }
	for name, to := range map[string]Scale{
		"nothing": {}, "no workers": {Max: number(0)}, "more than there may be": {Max: number(2), Min: number(3)},
		"less than none": {Spare: number(-1)},
	} {
		if err := w.m.Scale(within(t), operator, "s", to); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.do(w.m.Scale(within(t), operator, "s", Scale{Max: number(4), Min: number(2)}))
	w.settled("s", 2)
	w.do(w.m.Restart(within(t), operator, "s"))
	p, err := w.m.Picture(within(t), PictureOptions{})
	w.do(err)
	if got := p.Services[0]; got.Limit != 4 || got.Min != 2 || !got.Scaled {
		t.Errorf("%+v", got)
	}
	_, err = w.m.Reload(within(t), operator, "")
	w.do(err)
	if v := w.view("s"); v.Limit != 1 || v.Min != 0 {
		t.Errorf("after the reload: %+v", v)
	}
	p, err = w.m.Picture(within(t), PictureOptions{})
	w.do(err)
	if p.Services[0].Scaled {
		t.Error("it is told to be scaled after a reload")
	}
}

// TestPauseHoldsBackBirths also over a reload, with and without workers.
func TestPauseHoldsBackBirths(t *testing.T) {
	s := systemdOf(t, "s", "systemd", pool.Policy{Limit: 1})
	w := startNative(t, planOf(s))
	for range 2 {
		w.do(w.m.Pause(within(t), operator, "s"))
		c := w.connect("s")
		w.configure(copyOf(s))
		_, err := w.m.Reload(within(t), operator, "")
		w.do(err)
		p, err := w.m.Picture(within(t), PictureOptions{})
		w.do(err)
		if got := p.Services[0]; !got.Paused || got.Queue != 1 || got.Watching {
			t.Errorf("paused, with a client: %+v", got)
		}
		w.do(w.m.Resume(within(t), operator, "s"))
		pid := w.answer(c)[0]
		c.Close()
		w.do(syscall.Kill(number(t, pid), syscall.SIGKILL))
		w.gone(pid)
		w.eventually("it is buried", func() bool { return len(w.pids("s")) == 0 })
	}
}

func TestResetEndsThrottle(t *testing.T) {
	s := systemdOf(t, "s", "crash", pool.Policy{Limit: 1, Backoff: pool.Backoff{First: 3600 * pool.Second, Tries: 2}})
	w := startNative(t, planOf(s))
	w.connect("s")
	from := w.logged(0, "no worker is born for")
	w.do(w.m.Reset(within(t), operator, "s"))
	from = w.logged(from, "no worker is born for")
	w.do(w.m.Reset(within(t), operator, ""))
	w.logged(from, "no worker is born for")
}

// TestResetListensNow gives up a service whose sockets are closed then.
func TestResetListensNow(t *testing.T) {
	s := systemdOf(t, "s", "crash", pool.Policy{Limit: 1, Backoff: pool.Backoff{First: pool.Millisecond, Tries: 2}})
	s.Wishes.OnGiveUp = plan.GiveUpClose
	w := startNative(t, planOf(s))
	w.connect("s")
	from := w.logged(0, "gave up after")
	path := filepath.Join(w.dir, "s")
	w.eventually("its socket is gone", func() bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
	w.do(os.WriteFile(path, []byte("in the way"), 0o600))
	err := w.m.Reset(within(t), operator, "s")
	if ds := DiagnosticsOf(err); len(ds) != 1 || !strings.Contains(ds[0].Text, "a file that is neither socket nor fifo") {
		t.Errorf("%+v", ds)
	}
	w.do(os.Remove(path))
	w.do(w.m.Reset(within(t), operator, "s"))
	w.connect("s")
	w.logged(from, "gave up after")
}

func TestWakeBearsAWorker(t *testing.T) {
	s := serviceOf(t, "s", "honest", pool.Policy{Limit: 2})
	w := start(t, s)
	w.do(w.m.Wake(within(t), operator, ""))
	if n := len(w.pids("s")); n != 0 {
		t.Errorf("%d were woken without a timer", n)
	}
	w.do(w.m.Wake(within(t), operator, "s"))
	w.eventually("it was woken", func() bool { return len(w.pids("s")) == 1 })
	w.logged(0, "wake of service")
}

// TestReloadOfOnePostfixService renews its children and nobody else's.
func TestReloadOfOnePostfixService(t *testing.T) {
	a, b := serviceOf(t, "a", "honest", pool.Policy{Limit: 2}), serviceOf(t, "b", "honest", pool.Policy{Limit: 2})
	w := start(t, a, b)
	first, second := w.served(w.connect("a")), w.served(w.connect("b"))
	first.Close()
	second.Close()
	w.eventually("both are free", func() bool { return w.view("a").Available == 1 && w.view("b").Available == 1 })
	fresh := []*plan.Service{{}, {}}
	*fresh[0], *fresh[1] = *a, *b
	w.configure(fresh...)
	all, err := w.m.Plan(within(t), "")
	w.do(err)
	if !all.RestartsAll || all.Kept != 2 || len(all.Changes) != 0 {
		t.Errorf("a reload of all: %+v", all)
	}
	done, err := w.m.Reload(within(t), operator, "a")
	w.do(err)
	if done.RestartsAll || done.Kept != 1 || len(done.Changes) != 1 || !done.Changes[0].Restarts || done.Changes[0].Service != "a" {
		t.Errorf("a reload of one: %+v", done)
	}
	w.gone(fmt.Sprint(first.pid))
	if c := w.served(w.connect("b")); c.pid != second.pid {
		t.Errorf("%d was replaced by %d", second.pid, c.pid)
	}
}

func TestStopIsTermOnceAndTwice(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "s", "systemd", pool.Policy{Limit: 5})))
	c := w.connect("s")
	w.answer(c)
	w.do(w.m.Stop(within(t), operator, false))
	w.logged(0, "stop, asked for by uid 7 (pid 4711)")
	if err := w.m.Pause(within(t), operator, "s"); !errors.Is(err, ErrRefused) {
		t.Errorf("while it is stopped: %v", err)
	}
	if p, err := w.m.Picture(within(t), PictureOptions{}); err != nil || !p.Closing {
		t.Errorf("it does not answer while it is stopped: %v", err)
	}
	w.do(w.m.Stop(within(t), operator, true))
	if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
		t.Error("the client was not cut off")
	}
	w.stopped()
	if err := w.m.Stop(within(t), operator, true); err == nil {
		t.Error("a loop that has ended answers")
	}
}
