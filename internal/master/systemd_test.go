package master

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

func TestSystemdWorkersTellWhoIsBusy(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "web", "systemd", pool.Policy{Limit: 3, Ready: true, StartTimeout: 10 * pool.Second})))
	a := w.connect("web")
	first := w.answer(a)
	if first[1] != "1" || first[2] != "web" {
		t.Errorf("LISTEN_FDS and LISTEN_FDNAMES are %q", first[1:])
	}
	b := w.connect("web")
	if second := w.answer(b); second[0] == first[0] {
		t.Errorf("worker %s took a second client", first[0])
	}
	w.eventually("two are taken", func() bool { return w.view("web").Taken == 2 })
	a.Close()
	w.eventually("one is free", func() bool { v := w.view("web"); return v.Available == 1 && v.Taken == 1 && !v.Watching })
	c := w.connect("web")
	if third := w.answer(c); third[0] != first[0] {
		t.Errorf("the third client was taken by %s, %s was free", third[0], first[0])
	}
	if w.view("web").Opaque {
		t.Error("the pool is still held for opaque")
	}
	pid, _ := strconv.Atoi(first[0])
	status := ""
	w.call(func() { status = w.m.children[int32(pid)].status })
	if status != "waits for ? clients" {
		t.Errorf("status %q", status)
	}
}

func TestADescendantSpeaksForItsWorkerAndIsStopped(t *testing.T) {
	s := systemdOf(t, "web", "wrapper", pool.Policy{Limit: 1, Ready: true, StartTimeout: 20 * pool.Second})
	w := startNative(t, planOf(s))
	c := w.connect("web")
	main := w.answer(c)
	w.wrote(s, "past the barrier")
	w.eventually("one is taken", func() bool { return w.view("web").Taken == 1 })
	c.Close()
	w.propose(systemdOf(t, "other", "systemd", pool.Policy{}))
	w.wrote(s, "the main process has ended")
	w.gone(main[0])
}

func TestAStrangerIsNotHeard(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "web", "systemd", pool.Policy{Limit: 2})))
	c := w.connect("web")
	pid := w.answer(c)[0]
	name := ""
	w.call(func() { name = w.m.notify.name })
	t.Setenv("NOTIFY_SOCKET", name)
	notify("X_BROOD_STATE=idle\nMAINPID=" + pid) // we are nobody's worker
	w.eventually("the message is read", func() bool {
		w.call(func() { w.m.readNotify() })
		return true
	})
	if v := w.view("web"); v.Taken != 1 {
		t.Errorf("a stranger was believed: %+v", v)
	}
}

func TestAHungStartIsEndedWithAPicture(t *testing.T) {
	s := systemdOf(t, "web", "never-ready", pool.Policy{Limit: 1, Ready: true, StartTimeout: pool.Second / 5, Backoff: pool.Backoff{First: 10 * pool.Second}})
	w := startNative(t, planOf(s, systemdOf(t, "other", "systemd", pool.Policy{Limit: 1})))
	w.connect("web")
	c := w.connect("other")
	w.answer(c)
	w.logged(0, "was not ready after")
	w.logged(0, "no worker is born for 10s")
	w.logged(0, "descriptors: 0 /dev/null")
	c.Close()
	w.eventually("it is gone", func() bool { v := w.view("web"); return v.Available+v.Leaving == 0 && v.Throttled != 0 })
	w.answer(w.connect("other")) // its neighbour is as before
}

func TestASilentWorkerIsEnded(t *testing.T) {
	s := systemdOf(t, "web", "no-heartbeat", pool.Policy{Limit: 1, Ready: true, StartTimeout: 20 * pool.Second, Heartbeat: pool.Second / 5})
	good := systemdOf(t, "good", "systemd", pool.Policy{Limit: 1, Ready: true, StartTimeout: 20 * pool.Second, Heartbeat: 20 * pool.Second})
	w := startNative(t, planOf(s, good))
	w.connect("web")
	pid := w.answer(w.connect("good"))[0]
	w.logged(0, "has sent no WATCHDOG=1 for 0.2s")
	w.logged(0, "descriptors: 0 /dev/null")
	n, _ := strconv.Atoi(pid)
	if syscall.Kill(n, 0) != nil {
		t.Error("one that speaks was ended too")
	}
}

func TestABusyWorkerIsEnded(t *testing.T) {
	s := systemdOf(t, "web", "systemd", pool.Policy{Limit: 2, Busy: pool.Second / 2})
	w := startNative(t, planOf(s))
	c := w.connect("web")
	pid := w.answer(c)[0]
	w.logged(0, "has been with one client for 0.5s")
	w.gone(pid)
}

func TestStoredDescriptorsAreInherited(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "web", "keeper", pool.Policy{Limit: 1, Ready: true, StartTimeout: 20 * pool.Second})))
	first := w.answer(w.connect("web"))
	w.gone(first[0])
	second := w.answer(w.connect("web"))
	if second[1] != first[0] || second[2] != "web:mine" {
		t.Errorf("after %q came %q", first, second)
	}
	w.propose()
	w.eventually("the service is forgotten", func() bool {
		n := 0
		w.call(func() { n = len(w.m.ending) + len(w.m.services) })
		return n == 0
	})
}

func TestStress(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "web", "systemd", pool.Policy{Limit: 2, Stress: true, StressKeep: true})))
	first := w.answer(w.connect("web"))
	second := w.answer(w.connect("web"))
	if len(first) != 3 || len(second) != 4 || second[3] != "yes" {
		t.Errorf("the first was told %q, the second %q", first, second)
	}
}

func TestCeilingOverServices(t *testing.T) {
	a := systemdOf(t, "a", "systemd", pool.Policy{Limit: 5})
	b := systemdOf(t, "b", "systemd", pool.Policy{Limit: 5})
	a.Wishes.Ceilings, b.Wishes.Ceilings = []string{"few"}, []string{"few"}
	p := planOf(a, b)
	p.Ceilings = []plan.Ceiling{{Name: "few", Workers: 1}}
	w := startNative(t, p)
	c := w.connect("a")
	pid := w.answer(c)[0]
	waiting := w.connect("b")
	w.logged(0, "a ceiling of 1 workers over several services is reached")
	c.Close() // its worker is free, and gives way
	w.gone(pid)
	if got := w.answer(waiting); strings.TrimSpace(got[0]) == pid {
		t.Errorf("the worker of another service answered: %q", got)
	}
}
