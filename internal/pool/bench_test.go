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
	} {
		actions := pool.New(policy, new(pool.Generations)).Step(1, pool.Event{Kind: pool.Started})
		if watches := len(actions) == 1 && actions[0].Kind == pool.Watch; watches != policy.Sleeps() {
			t.Errorf("%v: does %v, sleeps is %v", policy, actions, policy.Sleeps())
		}
	}
}
