package pool_test

import (
	"testing"

	"github.com/brood-project/brood/internal/pool"
)

// grown is a pool of n busy children, with pids from 1 and generations from 0.
func grown(b *testing.B, policy pool.Policy, n int) *pool.Pool {
	b.Helper()
	p := pool.New(policy, new(pool.Generations))
	p.Step(1, pool.Event{Kind: pool.Started})
	for i := range n {
		pid := int32(i + 1)
		p.Step(1, pool.Event{Kind: pool.ClientWaits})
		p.Step(1, pool.Event{Kind: pool.Born, PID: pid, Generation: uint32(i + 1)})
		p.Step(1, pool.Event{Kind: pool.Reported, PID: pid, Sender: pid, Generation: uint32(i + 1), State: pool.StateTaken})
	}
	return p
}

// BenchmarkStep is the steady state: a child is done with a client and takes
// the next. One operation is both records.
func BenchmarkStep(b *testing.B) {
	policy := pool.Policy{Limit: 100_000, Throttle: 60 * pool.Second}
	for _, size := range []struct {
		name string
		n    int
	}{{"1", 1}, {"100", 100}, {"10000", 10_000}} {
		b.Run(size.name, func(b *testing.B) {
			p := grown(b, policy, size.n)
			now := pool.Time(1)
			pid := int32(0)
			b.ReportAllocs()
			for b.Loop() {
				now++
				pid = pid%int32(size.n) + 1
				ev := pool.Event{Kind: pool.Reported, PID: pid, Sender: pid, Generation: uint32(pid), State: pool.StateAvailable}
				p.Step(now, ev)
				ev.State = pool.StateTaken
				p.Step(now, ev)
			}
		})
	}
}

// BenchmarkLife is a whole life: a client waits, a child is born, takes it and
// ends; beside it n others are busy.
func BenchmarkLife(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"0", 0}, {"10000", 10_000}} {
		b.Run(size.name, func(b *testing.B) {
			p := grown(b, pool.Policy{Limit: 100_000, Throttle: 60 * pool.Second, Stress: true}, size.n)
			now, pid, gen := pool.Time(1), int32(size.n+1), uint32(size.n+1)
			b.ReportAllocs()
			for b.Loop() {
				now++
				p.Step(now, pool.Event{Kind: pool.ClientWaits})
				p.Step(now, pool.Event{Kind: pool.Born, PID: pid, Generation: gen})
				p.Step(now, pool.Event{Kind: pool.Reported, PID: pid, Sender: pid, Generation: gen, State: pool.StateTaken})
				p.Step(now, pool.Event{Kind: pool.Died, PID: pid})
				gen++
			}
		})
	}
}

// BenchmarkTimers is a limit of one under load: every client begins a wait
// that ends before the ring.
func BenchmarkTimers(b *testing.B) {
	p := grown(b, pool.Policy{Limit: 1, Wakeup: 300 * pool.Second}, 1)
	now := pool.Time(1)
	ev := pool.Event{Kind: pool.Reported, PID: 1, Sender: 1, Generation: 1}
	b.ReportAllocs()
	for b.Loop() {
		now += pool.Time(pool.Second)
		ev.State = pool.StateAvailable
		p.Step(now, ev)
		ev.State = pool.StateTaken
		p.Step(now, ev)
		p.Step(now, pool.Event{Kind: pool.Ticked})
	}
}

// TestSteadyStateAllocates holds the steady state to no allocation at all.
func TestSteadyStateAllocates(t *testing.T) {
	p := pool.New(pool.Policy{Limit: 5}, new(pool.Generations))
	p.Step(1, pool.Event{Kind: pool.Started})
	p.Step(1, pool.Event{Kind: pool.ClientWaits})
	p.Step(1, pool.Event{Kind: pool.Born, PID: 1, Generation: 1})
	gen := uint32(2)
	live := func() {
		ev := pool.Event{Kind: pool.Reported, PID: 1, Sender: 1, Generation: 1, State: pool.StateTaken}
		p.Step(2, ev)
		p.Step(2, pool.Event{Kind: pool.ClientWaits})
		p.Step(2, pool.Event{Kind: pool.Born, PID: 2, Generation: gen})
		p.Step(2, pool.Event{Kind: pool.Died, PID: 2})
		ev.State = pool.StateAvailable
		p.Step(2, ev)
		gen++
	}
	for range 100 {
		live() // the recorder and the books reach their size
	}
	if n := testing.AllocsPerRun(1000, live); n != 0 {
		t.Errorf("%.1f allocations in the steady state, want none", n)
	}
}

// TestSleepersOnlyWatch holds Policy.Sleeps to what a pool does: whoever relies
// on it makes no pool until a client comes.
func TestSleepersOnlyWatch(t *testing.T) {
	for _, policy := range []pool.Policy{
		{},
		{Limit: 1},
		{Limit: 9, Stress: true, Ramp: 4, Throttle: pool.Second},
		{Wakeup: pool.Second},
		{Wakeup: pool.Second, WakeupOnUse: true},
		{Patience: pool.Second, KillAfter: pool.Second},
		{Limit: 9, Opaque: true, Wait: pool.Second, Idle: pool.Second, Stop: pool.Stopping{Timeout: pool.Second}},
		{Limit: 9, Min: 1},
		{Limit: 9, Spare: 1},
	} {
		actions := pool.New(policy, new(pool.Generations)).Step(1, pool.Event{Kind: pool.Started})
		if watches := len(actions) == 1 && actions[0].Kind == pool.Watch; watches != policy.Sleeps() {
			t.Errorf("%v: does %v, sleeps is %v", policy, actions, policy.Sleeps())
		}
	}
}

// native is a policy with a limit on everything.
var native = pool.Policy{
	Limit: 100_000, Ramp: 100_000, Ready: true, StartTimeout: 10 * pool.Second, Idle: 60 * pool.Second,
	Heartbeat: 30 * pool.Second, Busy: 300 * pool.Second, MaxAge: 3600 * pool.Second, MaxUse: 1 << 30,
	Stop: pool.Stopping{Drain: 60 * pool.Second, Timeout: 30 * pool.Second},
}

// nativePool is a pool of n busy workers that beat.
func nativePool(tb testing.TB, n int) *pool.Pool {
	tb.Helper()
	p := pool.New(native, new(pool.Generations))
	p.Step(1, pool.Event{Kind: pool.Started})
	for i := range n {
		pid, gen := int32(i+1), uint32(i+1)
		p.Step(1, pool.Event{Kind: pool.ClientWaits, N: 1})
		p.Step(1, pool.Event{Kind: pool.Born, PID: pid, Generation: gen})
		p.Step(1, pool.Event{Kind: pool.Ready, PID: pid})
		p.Step(1, pool.Event{Kind: pool.Reported, PID: pid, Generation: gen, State: pool.StateTaken})
	}
	return p
}

// nativeTurn is one worker's client and heartbeat: three events.
func nativeTurn(p *pool.Pool, now pool.Time, pid int32) (rings int) {
	ev := pool.Event{Kind: pool.Reported, PID: pid, Generation: uint32(pid), State: pool.StateAvailable}
	for _, kind := range []pool.EventKind{pool.Reported, pool.Heartbeat, pool.Reported} {
		ev.Kind = kind
		for _, a := range p.Step(now, ev) {
			if a.Kind == pool.Arm {
				rings++
			}
		}
		ev.State = pool.StateTaken
	}
	return rings
}

// BenchmarkNative is the steady state with every limit in force.
func BenchmarkNative(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"1", 1}, {"10000", 10_000}} {
		b.Run(size.name, func(b *testing.B) {
			p := nativePool(b, size.n)
			now, pid := pool.Time(1), int32(0)
			b.ReportAllocs()
			for b.Loop() {
				now += pool.Time(pool.Second / pool.Duration(size.n))
				pid = pid%int32(size.n) + 1
				nativeTurn(p, now, pid)
			}
		})
	}
}

// TestManyTimers holds ten thousand workers with every limit in force to no
// allocation, and to few changes of the one ring that the caller keeps.
func TestManyTimers(t *testing.T) {
	const workers = 10_000
	p := nativePool(t, workers)
	now, pid, rings := pool.Time(1), int32(0), 0
	turn := func() {
		now += pool.Time(pool.Second) / workers
		pid = pid%workers + 1
		rings += nativeTurn(p, now, pid)
	}
	for range 2 * workers {
		turn()
	}
	rings = 0
	if n := testing.AllocsPerRun(workers, turn); n != 0 {
		t.Errorf("%.1f allocations in the steady state, want none", n)
	}
	if rings > workers/100 {
		t.Errorf("%d changes of the ring in %d turns", rings, workers)
	}
}
