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
		m.kill(a.PID, unix.SIGTERM)
	case pool.Kill:
		m.kill(a.PID, unix.SIGKILL)
	case pool.Arm:
		m.rings.set(s, a.At)
	case pool.Wake:
		m.wake(s)
	case pool.Rotate:
		m.closeStatus(s)
	case pool.Look:
		m.step(s, pool.Event{Kind: pool.Looked, N: m.waitingAll(s)})
	case pool.Tell:
		m.tell(s, a)
	case pool.Gone:
		m.gone(s)
	}
}

// birth begins a child, which is born as far as the pool is concerned: if its
// program turns out not to load, it dies of that.
func (m *Master) birth(s *service, a *pool.Action) {
	err := m.openStatus(s)
	pid := 0
	if err == nil {
		pid, err = child.Begin(m.spec(s, a))
	}
	if err != nil {
		m.step(s, pool.Event{Kind: pool.Stillborn, Generation: a.Generation, Code: m.tellStillborn(s, err)})
		return
	}
	m.children[int32(pid)] = s
	m.step(s, pool.Event{Kind: pool.Born, Generation: a.Generation, PID: int32(pid)})
}

// kill signals a child. It may be gone already, which its death will tell.
func (m *Master) kill(pid int32, sig unix.Signal) {
	if err := child.Signal(int(pid), sig); err != nil && err != unix.ESRCH {
		m.logSignalFailed(pid, sig, err)
	}
}

// wake sends a wake-up to each of the service's addresses, outside the loop: it
// makes a connection, which may take its time.
func (m *Master) wake(s *service) {
	endpoint, name, wake := s.plan.Endpoints[0], s.plan.Name, listen.Wake
	if s.plan.Transport == plan.Pass {
		wake = listen.WakePass
	}
	go func() {
		if err := wake(endpoint, m.opts.WakeUID, m.opts.WakeGID); err != nil {
			m.logWakeFailed(name, err)
		}
	}()
}

// gone forgets a service whose last child has ended.
func (m *Master) gone(s *service) {
	m.rings.set(s, 0)
	m.closeStatus(s)
	delete(m.ending, s)
}
