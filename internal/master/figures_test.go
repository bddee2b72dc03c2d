package master

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
	"github.com/brood-project/brood/masterproto"
)

func init() {
	roles["obey"] = func() { serveOrders(postfixTeller()) }
	roles["obey-native"] = func() {
		notify("READY=1\nX_BROOD_STATE=idle")
		serveOrders(3, func(busy bool) { notify("X_BROOD_STATE=" + map[bool]string{true: "busy", false: "idle"}[busy]) })
	}
}

// postfixTeller is where a child of Postfix's protocol finds its socket, and how
// it says whether it is busy. It ends with the status channel.
func postfixTeller() (fd uintptr, tell func(busy bool)) {
	status := os.NewFile(masterproto.FDStatus, "status")
	go func() {
		_, _ = status.Read(make([]byte, 1))
		os.Exit(0)
	}()
	generation, _ := masterproto.ParseGeneration(os.Getenv(masterproto.EnvGeneration))
	return masterproto.FDListen, func(busy bool) {
		st := masterproto.Status{PID: int32(os.Getpid()), Generation: generation, State: masterproto.Available}
		if busy {
			st.State = masterproto.Taken
		}
		_, _ = status.Write(masterproto.AppendStatus(nil, st))
	}
}

// serveOrders tells each client its pid, and does what the client writes: "exit N",
// "signal N", "eat GROUP" (memory, within a control group); the end of what
// it writes ends it.
func serveOrders(fd uintptr, tell func(busy bool)) {
	l, err := net.FileListener(os.NewFile(fd, "listener"))
	if err != nil {
		os.Exit(3)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(4)
		}
		tell(true)
		fmt.Fprintln(c, os.Getpid())
		for orders := bufio.NewScanner(c); orders.Scan(); {
			verb, object, _ := strings.Cut(orders.Text(), " ")
			n, _ := strconv.Atoi(object)
			switch verb {
			case "exit":
				fmt.Fprintln(os.Stderr, "told to leave with", n)
				os.Exit(n)
			case "signal":
				_ = syscall.Kill(os.Getpid(), syscall.Signal(n))
				select {}
			case "eat":
				_ = os.WriteFile(object+"/cgroup.procs", []byte(strconv.Itoa(os.Getpid())), 0)
				eatMemory()
			}
		}
		c.Close()
		tell(false)
	}
}

// eatMemory takes memory until somebody stops it, but no more than a machine has
// to spare.
func eatMemory() {
	for range 200 {
		b, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			os.Exit(6)
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	}
	os.Exit(6)
}

// picture is what an operator would be shown.
func (w *world) picture(what PictureOptions) *scoreboard.Picture {
	w.t.Helper()
	var p *scoreboard.Picture
	w.eventually("a picture that is not an old one", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
		defer cancel()
		var err error
		if p, err = w.m.Picture(ctx, what); err != nil {
			w.t.Fatal(err)
		}
		return p.Stale == 0 // the machine may be slow
	})
	return p
}

// scores is one service in it.
func (w *world) scores(name string) scoreboard.Service {
	w.t.Helper()
	p := w.picture(PictureOptions{Service: name, Workers: true})
	if len(p.Services) != 1 {
		w.t.Fatalf("%d services are called %q", len(p.Services), name)
	}
	return p.Services[0]
}

// scored waits until the scores of a service are as they should be.
func (w *world) scored(name, what string, ok func(*scoreboard.Service) bool) scoreboard.Service {
	w.t.Helper()
	var last scoreboard.Service
	defer func() {
		if w.t.Failed() {
			w.t.Logf("the last scores: %+v", last)
		}
	}()
	w.eventually(what, func() bool {
		last = w.scores(name)
		return ok(&last)
	})
	return last
}

// order has the worker of a connection do something.
func (w *world) order(c net.Conn, order string) {
	w.t.Helper()
	if _, err := fmt.Fprintln(c, order); err != nil {
		w.t.Fatal(err)
	}
}

// TestScoresAgreeWithCounts: what the scoreboard says is what was counted from
// outside.
func TestScoresAgreeWithCounts(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 3}))
	if sv := w.scores("s"); sv.Counts != (scoreboard.Counts{}) || sv.Death != nil || sv.Workers != nil {
		t.Errorf("nothing has happened, and it says %+v", sv)
	}
	const rounds, together = 4, 3
	pids := map[int]bool{}
	began := time.Now()
	for round := range rounds {
		var all []client
		for range together {
			all = append(all, w.served(w.connect("s")))
		}
		for _, c := range all {
			pids[c.pid] = true
			c.Close()
		}
		// That they were taken may still be on its way: all were free before, too.
		w.scored("s", "all are free", func(sv *scoreboard.Service) bool {
			return sv.Idle == together && sv.Job.Count == uint64((round+1)*together)
		})
	}
	took := time.Since(began)
	sv := w.scores("s")
	if got := sv.Counts; got.Births != uint64(len(pids)) || got.Clients != rounds*together || got.Deaths.Total() != 0 || got.Stillbirths != 0 {
		t.Errorf("%d children took %d clients; it says %+v", len(pids), rounds*together, got)
	}
	if sv.Job.Count != rounds*together || sv.Job.Sum <= 0 || sv.Job.Sum > int64(took)*together {
		t.Errorf("%d jobs within %v, it says %+v", rounds*together, took, sv.Job)
	}
	if sv.Wait.Count < uint64(len(pids)) || sv.Wait.Count > rounds*together || sv.Wait.Sum <= 0 || sv.Wait.Sum > int64(took) {
		t.Errorf("%d children were born for clients, it says %+v", len(pids), sv.Wait)
	}
	if len(sv.Workers) != len(pids) || sv.Living() != len(pids) {
		t.Errorf("%d children live, it says %+v", len(pids), sv.Workers)
	}
	for i, worker := range sv.Workers {
		if !pids[int(worker.PID)] || worker.State != "idle" || i > 0 && worker.Since < sv.Workers[i-1].Since {
			t.Errorf("the children are %v, it says %+v", pids, sv.Workers)
		}
	}
	if sv.Counts.Saturated <= 0 || sv.Counts.Saturated > int64(took) {
		t.Errorf("all were busy for a while within %v, it says %v", took, time.Duration(sv.Counts.Saturated))
	}
}

// TestCountsSurviveReloads, and drains.
func TestCountsSurviveReloads(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 3}))
	w.served(w.connect("s")).Close()
	w.scored("s", "it is done", func(sv *scoreboard.Service) bool { return sv.Job.Count == 1 })
	w.propose(serviceOf(t, "s", "obey", pool.Policy{Limit: 3}))
	sv := w.scored("s", "the old child has gone", func(sv *scoreboard.Service) bool { return sv.Counts.Deaths.Total() == 1 })
	if sv.Counts.Births != 1 || sv.Counts.Clients != 1 || sv.Counts.Deaths.Asked != 1 || sv.Death == nil || !sv.Death.Asked || sv.Failure != nil {
		t.Errorf("after a reload: %+v, death %+v, failure %+v", sv.Counts, sv.Death, sv.Failure)
	}
	if p := w.picture(PictureOptions{}); p.Reload == nil || p.Reload.Refused != nil || p.Reload.At < p.Started {
		t.Errorf("of the reload it says %+v", p.Reload)
	}
	w.served(w.connect("s")).Close()
	w.scored("s", "the new one is counted on top", func(sv *scoreboard.Service) bool {
		return sv.Counts.Births == 2 && sv.Counts.Clients == 2 && sv.Job.Count == 2
	})
}

// TestThrottlesStressesAndWakeupsAreCounted.
func TestThrottlesStressesAndWakeupsAreCounted(t *testing.T) {
	w := start(t,
		serviceOf(t, "crash", "crash", pool.Policy{Limit: 3, Throttle: 600 * pool.Second}),
		serviceOf(t, "full", "obey", pool.Policy{Limit: 2, Stress: true}),
		serviceOf(t, "woken", "obey", pool.Policy{Limit: 2, Wakeup: 600 * pool.Second}))
	w.connect("crash")
	sv := w.scored("crash", "the throttle", func(sv *scoreboard.Service) bool { return sv.Counts.Throttles == 1 })
	if sv.ThrottledUntil <= time.Now().UnixNano() || sv.Counts.Deaths.Failed != 1 || sv.Queue != 1 {
		t.Errorf("a throttled service: %+v", sv)
	}
	w.served(w.connect("full"))
	w.connect("full")
	sv = w.scored("full", "the stress", func(sv *scoreboard.Service) bool { return sv.Counts.Stresses == 1 })
	if sv.StressUntil <= time.Now().UnixNano() {
		t.Errorf("a service under stress: %+v", sv)
	}
	w.scored("woken", "the wake-up", func(sv *scoreboard.Service) bool { return sv.Counts.Wakeups == 1 })
}

// TestInetdIsCountedByItsBirths: each worker has one client, from birth to death.
func TestInetdIsCountedByItsBirths(t *testing.T) {
	s := nativeOf(t, "echo", "inetd", plan.ProtocolInetd, pool.Policy{Limit: 2, Single: true})
	w := startNative(t, planOf(s))
	c := w.connect("echo")
	w.answer(c)
	if sv := w.scores("echo"); sv.Counts.Clients != 1 || sv.Wait.Count != 1 || sv.Busy != 1 || sv.Workers[0].Busy == 0 {
		t.Errorf("with one client: %+v", sv)
	}
	c.Close()
	w.scored("echo", "the job is counted", func(sv *scoreboard.Service) bool {
		return sv.Job.Count == 1 && sv.Counts.Deaths.Done == 1
	})
}

// TestTheLoopIsCounted: every turn, and a slow one.
func TestTheLoopIsCounted(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	before := w.picture(PictureOptions{}).Loop
	const pause = 30 * time.Millisecond
	w.call(func() {
		for began := time.Now(); time.Since(began) < pause; {
		}
	})
	after := w.picture(PictureOptions{}).Loop
	if after.Turns < before.Turns+2 || after.Slowest < int64(pause) || after.Busy-before.Busy < int64(pause) || after.Turn.Count != after.Turns {
		t.Errorf("before a slow turn %+v, after it %+v", before, after)
	}
}

// statusPath is a Master whose loop does not run, with one child that is none.
func statusPath(t testing.TB) (m *Master, s *service, records [2][]byte) {
	t.Helper()
	m, err := New(Options{First: &plan.Plan{Services: []*plan.Service{{
		Name: "s", Key: "s", Protocol: plan.ProtocolPostfix, Policy: &pool.Policy{Limit: 9},
		Endpoints: []plan.Endpoint{{Network: plan.NetUnix, Path: t.TempDir() + "/s", Mode: 0o600, UID: -1, GID: -1}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.closeShared)
	s = m.services["s"]
	m.at = m.now()
	m.life(s).Step(m.at, pool.Event{Kind: pool.ClientWaits})
	m.step(s, pool.Event{Kind: pool.Born, Generation: 1, PID: 11})
	for i, state := range []masterproto.State{masterproto.Taken, masterproto.Available} {
		records[i] = masterproto.AppendStatus(nil, masterproto.Status{PID: 11, Generation: 1, State: state})
	}
	return m, s, records
}

func TestRecordsAllocateNothing(t *testing.T) {
	m, s, records := statusPath(t)
	both := func() {
		m.turn()
		m.report(s, records[0], 11)
		m.report(s, records[1], 11)
		m.turned()
	}
	for range 100 {
		both() // the flight recorder grows to its length
	}
	if n := testing.AllocsPerRun(1000, both); n != 0 {
		t.Errorf("%v allocations for two records", n)
	}
	if s.figures.counts.Clients != 1101 || s.figures.job.Count != 1101 {
		t.Errorf("1101 clients, it says %d and %d", s.figures.counts.Clients, s.figures.job.Count)
	}
}

func BenchmarkRecord(b *testing.B) {
	m, s, records := statusPath(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.report(s, records[i&1], 11)
	}
}
