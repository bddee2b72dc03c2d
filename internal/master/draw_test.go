package master

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// TestAFullPoolSaysWhoWaits, at unix and TCP sockets alike.
func TestAFullPoolSaysWhoWaits(t *testing.T) {
	onUnix := serviceOf(t, "unix", "obey", pool.Policy{Limit: 1})
	onTCP := serviceOf(t, "tcp", "obey", pool.Policy{Limit: 1})
	port := freePort(t)
	onTCP.Endpoints = []plan.Endpoint{{Network: plan.NetTCP, Addr: "127.0.0.1", Port: port, Backlog: 50}}
	w := start(t, onUnix, onTCP)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	w.served(w.connect("unix"))
	w.served(dial())
	const crowd = 7
	came := time.Now()
	for range crowd {
		w.connect("unix")
		dial()
	}
	for name, backlog := range map[string]int{"unix": 100, "tcp": 50} {
		w.scored(name, "the crowd is counted", func(sv *scoreboard.Service) bool {
			return sv.Queue == crowd && sv.Listen[0].Queue == crowd && sv.Listen[0].QueueMax == backlog
		})
		sv := w.scored(name, "the queue gets older", func(sv *scoreboard.Service) bool { return sv.QueueAge >= int64(20*time.Millisecond) })
		if sv.QueueAge > int64(time.Since(came)+20*time.Millisecond) || sv.Busy != 1 || sv.Living() != 1 {
			t.Errorf("%s: %v after the crowd came: %+v", name, time.Since(came), sv)
		}
	}
	p := w.picture(PictureOptions{})
	if p.Workers != 2 || len(p.Services) != 2 || p.Services[0].Name != "unix" || p.Services[1].Listen[0].Address != fmt.Sprintf("tcp://127.0.0.1:%d", port) {
		t.Errorf("%+v", p)
	}
}

// TestAClientThatWasSeenIsTimed: one for whom nobody could be born waits from the
// moment at which the loop was told of it.
func TestAClientThatWasSeenIsTimed(t *testing.T) {
	w := start(t, serviceOf(t, "s", "crash", pool.Policy{Limit: 1, Throttle: 600 * pool.Second}))
	w.connect("s")
	w.logged(0, "throttling")
	const later = 40 * time.Millisecond
	<-time.After(later)
	// The first look at the queue tells only who is there.
	if sv := w.scores("s"); sv.QueueAge < int64(later) || sv.Queue != 1 || sv.Wait.Count != 0 {
		t.Errorf("the client was seen at least %v ago: %+v", later, sv)
	}
}

// TestPictureWithoutDescriptors: a thousand clients wait, no descriptor is free,
// and the answer comes nevertheless.
func TestPictureWithoutDescriptors(t *testing.T) {
	const crowd = 1000
	s := serviceOf(t, "s", "obey", pool.Policy{Limit: 1})
	dir := t.TempDir()
	s.Endpoints = []plan.Endpoint{{Network: plan.NetUnix, Path: filepath.Join(dir, "s"), Mode: 0o600, UID: -1, GID: -1, Backlog: crowd}}
	w := start(t, s)
	w.dir = dir
	for range crowd + 1 {
		w.connect("s")
	}
	w.scored("s", "the worker has its client", func(sv *scoreboard.Service) bool { return sv.Busy == 1 })
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	if fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		unix.Close(fd)
		t.Fatal("a descriptor is free")
	}
	began := time.Now()
	p := w.picture(PictureOptions{Workers: true, Memory: true})
	took := time.Since(began)
	if sv := p.Services[0]; sv.Queue != crowd || sv.Busy != 1 || len(sv.Workers) != 1 {
		t.Errorf("%+v", sv)
	}
	if p.Memory != 0 || p.Unmeasured != 1 {
		t.Errorf("memory %d, %d workers not measured: nothing could be opened", p.Memory, p.Unmeasured)
	}
	t.Logf("%v among %d clients without a descriptor", took, crowd)
}

// TestMemoryAndCPU of the daemon and of those who live.
func TestMemoryAndCPU(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	w.served(w.connect("s"))
	p := w.picture(PictureOptions{Workers: true, Memory: true})
	sv := p.Services[0]
	if p.Memory < 1<<20 || p.CPU <= 0 || p.Unmeasured != 0 || sv.Memory < 1<<18 || sv.Workers[0].Memory != sv.Memory || sv.CPU < sv.Workers[0].CPU {
		t.Errorf("daemon %d bytes and %d ns, %d not measured, service %+v", p.Memory, p.CPU, p.Unmeasured, sv)
	}
	if sv = w.scores("s"); sv.Memory != 0 || sv.Workers[0].Memory != 0 {
		t.Errorf("nobody has asked for memory: %+v", sv)
	}
	if p = w.picture(PictureOptions{Memory: true}); p.Services[0].Workers != nil || p.Services[0].Memory == 0 {
		t.Errorf("nobody has asked for workers: %+v", p.Services[0])
	}
}

// TestALoopThatHangsIsSaid: the last picture is told as what it is, in time.
func TestALoopThatHangsIsSaid(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	hang := func() (release func()) {
		hangs, over := make(chan struct{}), make(chan struct{})
		go w.m.Call(context.Background(), func() { close(hangs); <-over }) //nolint:errcheck // it is never cut off
		<-hangs
		return func() { close(over) }
	}
	ask := func(service string) (stale int64, services int) {
		p, err := w.m.Picture(context.Background(), PictureOptions{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return p.Stale, len(p.Services)
	}
	release := hang()
	if stale, _ := ask(""); stale < int64(drawMost) {
		t.Errorf("a loop that hangs, and it is told that it has not answered for %v", time.Duration(stale))
	}
	release()
	kept := w.picture(PictureOptions{})
	release = hang()
	stale, services := ask("")
	if stale < int64(drawMost) || services != 1 || len(kept.Services) != 1 {
		t.Errorf("not answered for %v, %d services are told", time.Duration(stale), services)
	}
	if _, services := ask("other"); services != 0 {
		t.Errorf("%d services are called other", services)
	}
	release()
	if p := w.picture(PictureOptions{}); p.Stale != 0 || p.Loop.Slowest < int64(drawMost) {
		t.Errorf("the loop goes on: %+v", p.Loop)
	}
}

func TestPictureOfNobody(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	w.picture(PictureOptions{}) // it runs
	_, err := w.m.Picture(context.Background(), PictureOptions{Service: "other"})
	if err == nil {
		t.Error("a service that does not exist is told")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.m.Picture(ctx, PictureOptions{}); err == nil {
		t.Error("nobody waits any more, and there is an answer")
	}
}

// TestAPictureIsNotChanged: what happens later is in the next one.
func TestAPictureIsNotChanged(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	c := w.served(w.connect("s"))
	before := w.scored("s", "it has said that it is busy", func(sv *scoreboard.Service) bool { return sv.Busy == 1 })
	w.order(c, "exit 7")
	w.scored("s", "the death", func(sv *scoreboard.Service) bool { return sv.Death != nil })
	if before.Death != nil || before.Busy != 1 || len(before.Workers) != 1 || before.Counts.Deaths.Total() != 0 {
		t.Errorf("%+v", before)
	}
}

// BenchmarkPicture of thousands of services: what it costs the loop, and all.
func BenchmarkPicture(b *testing.B) {
	for _, lives := range []bool{false, true} {
		b.Run(fmt.Sprintf("5000 services, lives=%v", lives), func(b *testing.B) {
			m := crowdOf(b, 5000, lives)
			b.Run("loop", func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				var used int64
				for b.Loop() {
					d := &drawing{room: make([]scoreboard.Service, 5000)}
					before := threadTime(b)
					m.draw(d)
					used += threadTime(b) - before
				}
				// What the machine does meanwhile is not in it.
				b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
			})
			b.Run("all", func(b *testing.B) {
				for b.Loop() {
					d := &drawing{}
					m.draw(d)
					m.complete(context.Background(), d)
				}
			})
		})
	}
}

// threadTime is the processor time of the thread.
func threadTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// crowdOf is a Master of many services whose loop does not run.
func crowdOf(b *testing.B, count int, lives bool) *Master {
	b.Helper()
	dir := b.TempDir()
	p := &plan.Plan{}
	for i := range count {
		name := fmt.Sprint(i)
		p.Services = append(p.Services, &plan.Service{
			Name: name, Key: name, Protocol: plan.ProtocolPostfix, Policy: &pool.Policy{Limit: 9},
			Endpoints: []plan.Endpoint{{Network: plan.NetUnix, Path: filepath.Join(dir, name), Mode: 0o600, UID: -1, GID: -1}},
		})
	}
	m, err := New(Options{First: p})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		m.closeShared()
		change, _ := m.sockets.Prepare(nil)
		retired, _ := change.CommitAndKeep()
		listen.RemoveAll(retired)
	})
	if lives {
		for i, s := range p.Services {
			s := m.services[s.Key]
			m.life(s).Step(m.now(), pool.Event{Kind: pool.ClientWaits})
			m.step(s, pool.Event{Kind: pool.Born, Generation: uint32(i + 1), PID: int32(i + 1)})
		}
	}
	return m
}
