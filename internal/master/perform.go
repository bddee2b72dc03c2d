package master

import (
	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// perform does one thing that a pool asked for.
func (m *Master) perform(s *service, a *pool.Action) {
	//exhaustive:enforce
	switch a.Kind {
	case pool.Watch, pool.Unwatch:
		s.watched = a.Kind == pool.Watch
		m.markDirty(s)
	case pool.Birth:
		m.birth(s, a)
	case pool.Terminate:
		m.cutOff(s, a)
		m.kill(a.PID, unix.SIGTERM)
	case pool.Kill:
		m.end(s, a.PID)
	case pool.Stop:
		m.cutOff(s, a)
		m.stop(s, a.PID)
	case pool.Retire:
		// No protocol has a word for it.
	case pool.Snapshot:
		m.picture(a.PID)
	case pool.Measure:
		m.measure(a.PID)
	case pool.Offer:
		m.tellPool(a.Pool, pool.SlotFree)
	case pool.Ask:
		m.tellPool(a.Pool, pool.Yield)
	case pool.Arm:
		m.rings.set(s, a.At)
	case pool.Wake:
		s.figured().counts.Wakeups++
		m.wake(s)
	case pool.Rotate:
		m.closeStatus(s)
		m.callOff(s)
	case pool.Look:
		m.look(s, a.PID)
	case pool.Tell:
		m.noteTold(s, a)
		m.tell(s, a)
	case pool.Gone:
		m.gone(s)
	}
}

// birth begins a child, which is born as far as the pool is concerned: if its
// program turns out not to load, it dies of that.
func (m *Master) birth(s *service, a *pool.Action) {
	switch {
	case m.scarce == s:
		m.stillborn(s, a.Generation, errCalledOff)
		return
	case len(m.late) > 0 && m.lacking(s, a):
		return
	}
	if s.plan.Policy.Opaque {
		m.remember(s)
	}
	b := m.conceive(s, a)
	err := m.equip(b)
	pid := 0
	if err == nil {
		pid, err = child.Begin(&b.spec)
	}
	if err != nil {
		b.abandon()
		if lacksFiles(err) && m.lacking(s, a) {
			return
		}
		m.stillborn(s, a.Generation, err)
		return
	}
	m.born(b, int32(pid))
}

// born enters a child. What was opened for its birth is closed once it has
// descriptors of its own.
func (m *Master) born(b *birth, pid int32) {
	s := b.service
	w := &worker{service: s, pid: pid, generation: b.generation, output: b.stream, main: -1}
	m.children[pid] = w
	if b.stream != nil {
		if err := b.stream.Born(int(pid)); err != nil {
			m.logOutputFailed(s, err)
		}
	}
	if b.stream != nil || b.guest.fd >= 0 {
		m.whenUnused(b.release)
	}
	m.step(s, pool.Event{Kind: pool.Born, Generation: b.generation, PID: pid})
}

// wake sends a wake-up to the service's first address, outside the loop: it makes
// a connection, which may take its time.
func (m *Master) wake(s *service) {
	name, wake := s.plan.Name, m.waker(s)
	go func() {
		if err := wake(); err != nil {
			m.logWakeFailed(name, err)
		}
	}()
}

// waker is what wakes a service up. It may be called from any goroutine.
func (m *Master) waker(s *service) func() error {
	endpoint, wake := s.plan.Endpoints[0], listen.Wake
	switch {
	case s.plan.Transport == plan.Pass:
		wake = listen.WakePass
	case s.plan.Protocol != plan.ProtocolPostfix:
		wake = listen.Knock
	}
	return func() error { return wake(endpoint, m.opts.WakeUID, m.opts.WakeGID) }
}

// gone forgets a service whose last child has ended, or, where that was drained,
// its pool.
func (m *Master) gone(s *service) {
	if s.pool != nil {
		s.figured().counts.Saturated += int64(s.pool.Saturated(m.at))
	}
	m.rings.set(s, 0)
	m.closeStatus(s)
	delete(m.pools, s.pool)
	if s.drained && m.services[s.plan.Key] == s {
		s.before, s.pool, s.under = s.pool.Recorder(), nil, nil
		return
	}
	s.ended = true
	m.emptyStore(s)
	s.dropGuests()
	delete(m.ending, s)
	if m.opts.Output != nil && m.services[s.plan.Key] == nil {
		m.opts.Output.Forget(s.plan.Name)
	}
}
