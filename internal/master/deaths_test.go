package master

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// fate is what a death should look like.
type fate struct {
	deaths  scoreboard.Deaths
	failure bool
	want    scoreboard.Death // without times, pid, generation, words and place
}

// check holds the scores of a service with one death against its fate.
func (f *fate) check(t *testing.T, sv *scoreboard.Service, pid int) {
	t.Helper()
	if sv.Counts.Deaths != f.deaths {
		t.Errorf("deaths %+v, want %+v", sv.Counts.Deaths, f.deaths)
	}
	if (sv.Failure != nil) != f.failure {
		t.Errorf("failure %+v", sv.Failure)
	}
	if sv.Death == nil {
		t.Fatal("nobody has died")
	}
	got := *sv.Death
	if got.At < sv.Death.Age || got.Age <= 0 || int(got.PID) != pid || got.Generation == 0 {
		t.Errorf("the death of %d: %+v", pid, got)
	}
	got.At, got.Age, got.PID, got.Generation, got.Words, got.Place = 0, 0, 0, 0, nil, ""
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", f.want) {
		t.Errorf("death %+v\n want %+v", got, f.want)
	}
}

func TestDeathsByReason(t *testing.T) {
	done, failed, crashed := scoreboard.Deaths{Done: 1}, scoreboard.Deaths{Failed: 1}, scoreboard.Deaths{Crashed: 1}
	for _, c := range []struct {
		order string
		fate  fate
	}{
		{"exit 0", fate{done, false, scoreboard.Death{Busy: true}}},
		{"exit 7", fate{failed, true, scoreboard.Death{Busy: true, Exit: 7}}},
		{"signal 1", fate{crashed, true, scoreboard.Death{Busy: true, Signal: 1}}},
		{"signal 9", fate{crashed, true, scoreboard.Death{Busy: true, Signal: 9}}},
		{"signal 15", fate{crashed, true, scoreboard.Death{Busy: true, Signal: 15}}},
	} {
		t.Run(c.order, func(t *testing.T) {
			w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
			one := w.served(w.connect("s"))
			w.order(one, c.order)
			sv := w.scored("s", "the death", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Total() == 1 })
			c.fate.check(t, &sv, one.pid)
			if sv.Counts.Births != 1 || sv.Living() != 0 {
				t.Errorf("one was born and died, it says %+v", sv)
			}
		})
	}
}

// TestDeathAfterUses: what was served before counts, and a worker that is free is
// told as such.
func TestDeathAfterUses(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	for range 3 {
		w.served(w.connect("s")).Close()
	}
	sv := w.scored("s", "it is free", func(sv *scoreboard.Service) bool { return sv.Job.Count == 3 && sv.Idle == 1 })
	pid := int(sv.Workers[0].PID)
	_ = syscall.Kill(pid, syscall.SIGHUP)
	sv = w.scored("s", "it is dead", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Total() == 1 })
	if d := sv.Death; d.Uses != 3 || d.Busy || d.Signal != 1 {
		t.Errorf("%+v", d)
	}
}

// TestDeathsByLimits: each of the limits that end a worker.
func TestDeathsByLimits(t *testing.T) {
	const short = 100 * pool.Millisecond
	for _, c := range []struct {
		limit, role string
		policy      pool.Policy
		begin       func(w *world)
	}{
		{"start.timeout", "never-ready", pool.Policy{Limit: 1, Ready: true, StartTimeout: short}, func(w *world) { w.connect("s") }},
		{"heartbeat", "no-heartbeat", pool.Policy{Limit: 1, Ready: true, Heartbeat: short}, func(w *world) { w.connect("s") }},
		{"busy", "obey-native", pool.Policy{Limit: 1, Ready: true, Busy: short}, func(w *world) { w.answer(w.connect("s")) }},
	} {
		t.Run(c.limit, func(t *testing.T) {
			c.policy.Throttle = 600 * pool.Second
			w := startNative(t, planOf(systemdOf(t, "s", c.role, c.policy)))
			c.begin(w)
			sv := w.scored("s", "the death", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Killed >= 1 })
			d := sv.Failure
			if d == nil || d.Limit != c.limit || d.Signal != int(unix.SIGTERM) || !d.Asked || d.OutOfMemory {
				t.Errorf("%+v", d)
			}
			if !strings.Contains(d.Place, "state ") || !strings.Contains(d.Place, "descriptors") {
				t.Errorf("it hung at %q", d.Place)
			}
			if n := sv.Counts.Deaths.Total(); n != sv.Counts.Deaths.Killed {
				t.Errorf("%+v", sv.Counts.Deaths)
			}
		})
	}
}

// TestDeathByStopTimeout: a stop signal that is ignored.
func TestDeathByStopTimeout(t *testing.T) {
	p := nativeOf(t, "s", "stubborn-native", plan.ProtocolSystemd, pool.Policy{
		Limit: 1, Opaque: true, Stop: pool.Stopping{Signal: int32(unix.SIGTERM), Timeout: 50 * pool.Millisecond},
	})
	w := startNative(t, planOf(p))
	w.answer(w.connect("s")) // it ignores the signal by now
	var s *service
	w.call(func() { s = w.m.services["s"] })
	w.propose()
	var d scoreboard.Death
	w.eventually("it is killed", func() bool {
		w.call(func() { d = s.figures.death })
		return d.At != 0
	})
	if d.Limit != "stop.timeout" || d.Signal != int(unix.SIGKILL) || d.OutOfMemory {
		t.Errorf("%+v", d)
	}
}

func init() {
	roles["stubborn-native"] = func() {
		signal.Ignore(unix.SIGTERM)
		muteWorker()
	}
}

// TestLastWordsOfDeaths: they are asked for once, for the log and for the scores.
func TestLastWordsOfDeaths(t *testing.T) {
	s := systemdOf(t, "s", "crash-loudly", pool.Policy{Limit: 1, Throttle: 600 * pool.Second})
	w := startNative(t, planOf(s))
	w.connect("s")
	sv := w.scored("s", "the words", func(sv *scoreboard.Service) bool { return sv.Failure != nil && sv.Failure.Words != nil })
	if words := sv.Failure.Words; !slices.Equal(words, []string{"the database is gone"}) || sv.Failure.Exit != 9 {
		t.Errorf("%+v", sv.Failure)
	}
	w.logged(0, "last words: the database is gone")
}

// TestLastWordsFromTheLog of a mail system.
func TestLastWordsFromTheLog(t *testing.T) {
	asked := make(chan int, 10)
	p := start(t, serviceOf(t, "s", "crash", pool.Policy{Limit: 1, Throttle: 600 * pool.Second}))
	p.call(func() {
		p.m.opts.LastWords = func(pid int, died time.Time) string {
			asked <- pid
			return "fatal: nothing works"
		}
	})
	p.connect("s")
	sv := p.scored("s", "the words", func(sv *scoreboard.Service) bool { return sv.Failure != nil && sv.Failure.Words != nil })
	if words := sv.Failure.Words; !slices.Equal(words, []string{"fatal: nothing works"}) || !slices.Equal(sv.Death.Words, words) {
		t.Errorf("%+v", sv.Failure)
	}
	p.logged(0, "last words: fatal: nothing works")
	if pid := <-asked; pid != int(sv.Death.PID) || len(asked) != 0 {
		t.Errorf("asked %d times more", len(asked))
	}
}

// TestBirthsThatFail: with a process that could not execute its program, and with
// none at all.
func TestBirthsThatFail(t *testing.T) {
	missing := serviceOf(t, "missing", "obey", pool.Policy{Limit: 1, Throttle: 600 * pool.Second})
	missing.Command.Path = "/no/such/program"
	nowhere := serviceOf(t, "nowhere", "obey", pool.Policy{Limit: 1, Throttle: 600 * pool.Second})
	nowhere.Command.Dir = "/no/such/directory"
	w := start(t, missing, nowhere)
	for name, object := range map[string]string{"missing": "/no/such/program", "nowhere": "/no/such/directory"} {
		w.connect(name)
		sv := w.scored(name, "the failure", func(sv *scoreboard.Service) bool { return sv.Failure != nil })
		got := sv.Failure
		if !strings.HasPrefix(got.Cause, "cannot ") || !strings.HasSuffix(got.Cause, object+": no such file or directory") || got.PID != 0 || got.Exit != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if c := sv.Counts; c.Stillbirths != 1 || c.Births != 1 || c.Deaths.Total() != 1 || c.Deaths.Failed != 1 || sv.Failures == 0 && sv.ThrottledUntil == 0 {
			t.Errorf("%s: %+v", name, sv)
		}
	}
}

// TestFailureOfAnotherCommand: the failure of a command that is replaced is told
// no more, and holds nothing back. A reload of Postfix keeps a throttle, and the
// outcome says so.
func TestFailureOfAnotherCommand(t *testing.T) {
	s := nativeOf(t, "s", "obey", plan.ProtocolNone, pool.Policy{Limit: 1, Backoff: pool.Backoff{First: 600 * pool.Second}})
	s.Command.Path = "/no/such/program"
	mail := serviceOf(t, "mail", "obey", pool.Policy{Limit: 1, Throttle: 600 * pool.Second})
	mail.Command.Path = "/no/such/program"
	w := start(t, s, mail)
	w.connect("s")
	w.connect("mail")
	failed := func(sv *scoreboard.Service) bool { return sv.Failure != nil }
	w.scored("s", "the failure", failed)
	w.scored("mail", "the failure", failed)
	mended, same := copyOf(s), *mail
	mended.Command.Path = "/bin/true"
	w.configure(mended, &same)
	done, err := w.m.Reload(within(t), operator, "")
	w.do(err)
	if len(done.Throttled) != 1 || done.Throttled[0] != "mail" {
		t.Errorf("throttled: %v", done.Throttled)
	}
	w.scored("s", "no failure", func(sv *scoreboard.Service) bool { return sv.Failure == nil })
	w.scored("mail", "the failure", failed)
}

// TestCPUOfTheDead: what the dead have used stays with the service.
func TestCPUOfTheDead(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	one := w.served(w.connect("s"))
	w.order(one, "exit 0")
	w.scored("s", "the death", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Done == 1 })
	if sv := w.picture(PictureOptions{Service: "s", Memory: true}).Services[0]; sv.CPU <= 0 || sv.CPU > int64(time.Minute) {
		t.Errorf("it says %v", time.Duration(sv.CPU))
	}
	if sv := w.scores("s"); sv.CPU != 0 {
		t.Errorf("nobody has asked, it says %v", time.Duration(sv.CPU))
	}
}

// limitedGroup is a control group with little memory, and the file in which the
// kernel counts the kills in it; "" where none can be made.
func limitedGroup(t *testing.T) (dir, kills string) {
	t.Helper()
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	var v2 string
	for line := range strings.Lines(string(groups)) {
		if path, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			v2 = path
		}
	}
	name := fmt.Sprintf("brood-test-%d", os.Getpid())
	for _, g := range []struct{ dir, limit, kills string }{
		{"/sys/fs/cgroup" + v2, "memory.max", "memory.events"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"},
	} {
		dir := filepath.Join(g.dir, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		kills := filepath.Join(dir, g.kills)
		if _, err := readKills(kills); err == nil && os.WriteFile(filepath.Join(dir, g.limit), []byte("33554432"), 0) == nil {
			return dir, kills
		}
	}
	return "", ""
}

// TestDeathForWantOfMemory has the kernel kill a child for real, and another be
// killed by the same signal.
func TestDeathForWantOfMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	group, kills := limitedGroup(t)
	if group == "" {
		t.Log("no control group can be made here; the count is a file of the test")
		kills = filepath.Join(t.TempDir(), "memory.events")
		writeKills(t, kills, 3)
	}
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	w.m.kills.mu.Lock()
	w.m.kills.file = kills
	w.m.kills.mu.Unlock()
	w.m.kills.begin()

	one := w.served(w.connect("s"))
	w.order(one, "signal 9")
	sv := w.scored("s", "the murder", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Crashed == 1 })
	if sv.Death.OutOfMemory {
		t.Errorf("%+v", sv.Death)
	}
	one = w.served(w.connect("s"))
	if group == "" {
		writeKills(t, kills, 4)
		w.order(one, "signal 9")
	} else {
		w.order(one, "eat "+group)
	}
	sv = w.scored("s", "the kernel's kill", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Memory == 1 })
	if d := sv.Failure; !d.OutOfMemory || d.Signal != 9 || int(d.PID) != one.pid || sv.Counts.Deaths.Total() != 2 {
		t.Errorf("%+v", d)
	}
	one = w.served(w.connect("s"))
	w.order(one, "signal 9")
	w.scored("s", "another murder", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Crashed == 2 })
}

func writeKills(t *testing.T, file string, n int) {
	t.Helper()
	if err := os.WriteFile(file, fmt.Appendf(nil, "low 0\noom %d\noom_kill %d\noom_group_kill 0\n", n, n), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKillsAreClaimedOnce: two kills that are counted at once are those of two
// deaths, and not of a third that comes later.
func TestKillsAreClaimedOnce(t *testing.T) {
	k := kernelKills{file: filepath.Join(t.TempDir(), "memory.events")}
	claim := func(what string, deaths, want int) {
		t.Helper()
		if got := k.claim(deaths); got != want {
			t.Errorf("%s: %d of %d deaths, want %d", what, got, deaths, want)
		}
	}
	writeKills(t, k.file, 5)
	k.begin()
	claim("kills from before", 1, 0)
	writeKills(t, k.file, 7)
	claim("the first of two", 1, 1)
	claim("the second, and a murder", 2, 1)
	claim("another murder", 1, 0)
	writeKills(t, k.file, 10)
	claim("two of three", 2, 2)
	k.at = k.at.Add(-claimSpan - time.Second)
	claim("the kill of another, long ago", 1, 0)
	_ = os.Remove(k.file)
	claim("nobody counts any more", 1, 0)
}

// TestKillsFile: the count closest to the workers.
func TestKillsFile(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"mail/memory.events", "memory/old/memory.oom_control"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeKills(t, filepath.Join(root, file), 1)
	}
	for groups, want := range map[string]string{
		"0::/mail\n":                      root + "/mail/memory.events",
		"0::/\n":                          "/proc/vmstat",
		"":                                "/proc/vmstat",
		"9:cpu:/x\n4:memory:/old\n0::/\n": root + "/memory/old/memory.oom_control",
		"4:memory:/gone\n":                "/proc/vmstat",
		"rubbish":                         "/proc/vmstat",
	} {
		if got := killsFile(root, groups); got != want {
			t.Errorf("%q: %s, want %s", groups, got, want)
		}
	}
	if _, err := readKills("/proc/vmstat"); err != nil {
		t.Error(err)
	}
}

// TestTheFirstWorkersAreTimed: the timers of a pool that begins with births are
// those of its last step.
func TestTheFirstWorkersAreTimed(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "s", "never-ready", pool.Policy{
		Limit: 1, Min: 1, Ready: true, StartTimeout: 100 * pool.Millisecond, MaxAge: 3600 * pool.Second, Throttle: 600 * pool.Second,
	})))
	w.scored("s", "it is ended", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Killed == 1 })
}

// TestAWholePoolDiesWithoutLooks at the queue, each of which is a walk over all
// sockets of the machine: only an end that may be a failure wants one, and the
// first failure holds back births.
func TestAWholePoolDiesWithoutLooks(t *testing.T) {
	const workers = 12
	for _, c := range []struct {
		name  string
		life  pool.Duration // that counts as a success
		looks int
	}{{"grown", 1, 0}, {"young", 3600 * pool.Second, 1}} {
		t.Run(c.name, func(t *testing.T) {
			policy := pool.Policy{
				Limit: workers, Min: workers, Ramp: workers, Opaque: true, Wait: pool.Second,
				Backoff: pool.Backoff{First: 3600 * pool.Second, Stable: c.life},
			}
			w := startNative(t, planOf(nativeOf(t, "web", "silent", plan.ProtocolNone, policy)))
			w.eventually("all are there", func() bool { return w.view("web").Available == workers })
			w.call(func() {
				for pid := range w.m.children {
					w.m.kill(pid, syscall.SIGKILL)
				}
			})
			w.scored("web", "all have died", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Crashed == workers })
			entries, err := w.m.Recorder(context.Background(), "web")
			if err != nil {
				t.Fatal(err)
			}
			looks, deaths := 0, 0
			for _, e := range entries {
				switch {
				case strings.Contains(e.What, "at its sockets"):
					looks++
				case strings.Contains(e.What, "ended: killed"):
					deaths++
				}
			}
			if looks > c.looks || deaths != workers {
				t.Errorf("%d looks for %d deaths, want %d for %d", looks, deaths, c.looks, workers)
			}
		})
	}
}
