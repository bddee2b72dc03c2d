package master

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/pool"
)

// Run is the loop. It returns the signal that asked it to end; what becomes of
// the children then is the caller's to decide. Signals stay caught.
func (m *Master) Run() os.Signal {
	defer close(m.over)
	go m.poller.run()
	go m.kills.begin()
	m.settle()
	for m.ended == nil {
		select {
		case events := <-m.poller.ready:
			m.turn()
			m.at, m.timed = m.figures.began, true // the first step is now
			m.readable(events)
			m.timed = false
			m.poller.resume <- struct{}{}
		case s := <-m.signals:
			m.turn()
			m.signalled(s)
		case p := <-m.proposed:
			m.turn()
			m.consider(p)
		case f := <-m.calls:
			m.turn()
			f()
		case <-m.timer.C:
			m.turn()
			m.ringing = 0
			m.ring()
		}
		m.settle()
		m.turned()
	}
	return m.ended
}

// turn begins a turn of the loop, turned ends it.
func (m *Master) turn() {
	m.figures.began = m.now()
	m.scarce = nil
	m.busySince.Store(int64(m.figures.began))
}

func (m *Master) turned() {
	m.explain()
	m.journal.tell()
	m.figures.turned(m.now())
	m.busySince.Store(0)
}

// readable hands a batch of readiness on.
func (m *Master) readable(events []unix.EpollEvent) {
	for i := range events {
		src := m.poller.source(&events[i])
		switch {
		case src == nil: // closed within this batch
		case src == &m.deaths:
			m.reap()
		case m.notify != nil && src == &m.notify.source:
			m.readNotify()
		case src.socket == nil:
			m.readStatus(src.service)
		case events[i].Events&unix.EPOLLHUP != 0:
			src.armed = false
			m.reopen(src.service)
		default:
			m.clientWaits(src)
		}
	}
}

// clientWaits tells the policy of a client. How many there are it asks for,
// where it needs to know; but one whose children are born for one client each
// wants the number at once.
func (m *Master) clientWaits(src *source) {
	s := src.service
	src.armed = false
	m.markDirty(s)
	ev := pool.Event{Kind: pool.ClientWaits}
	if s.plan.Policy.Single {
		ev.N = m.waitingAll(s)
	}
	s.lone, src.pressed = !src.pressed, false
	if s.plan.Policy.Opaque && s.pool != nil && s.pool.Newborn(m.now()) {
		m.remember(s)
	}
	m.step(s, ev)
	s.lone = false
}

// For the clients of a unix socket the kernel walks all of the machine's, which
// takes 0.1 ms where there are thousands. After a count that took longer than
// countCheap, no other is made for countShare times as long.
const (
	countCheap = pool.Time(50 * 1000)
	countShare = 12
)

// look counts the clients that wait, and those that a worker has, if one is named.
// Where one has come to an empty queue just now there is one, and no need to count.
func (m *Master) look(s *service, pid int32) {
	ev := pool.Event{Kind: pool.Looked, N: 1, PID: pid}
	switch {
	case s.lone:
	case s.plan.Policy.Opaque:
		if ev.N = m.waitingAll(s); (ev.N > 0 || pid != 0) && m.lookForAge(s, pid) {
			return
		}
	default:
		ev.N = m.crowd(s)
	}
	m.step(s, ev)
}

// crowd is how many clients wait at a service whose children say what they do:
// between two counts, those who were taken are known by the reports.
func (m *Master) crowd(s *service) int32 {
	began := m.now()
	if began >= m.countAfter {
		s.crowd = m.waitingAll(s)
		if took := m.now() - began; took > countCheap {
			m.countAfter = began + countShare*took
		}
	}
	return s.crowd
}

// stillborn answers a birth that came to nothing.
func (m *Master) stillborn(s *service, generation uint32, err error) {
	ev := pool.Event{Kind: pool.Stillborn, Generation: generation}
	if err != errNoClient && err != errCalledOff {
		ev.Code = m.tellStillborn(s, err)
		m.neverBorn(s, err)
	}
	m.step(s, ev)
}

// signalled does what a signal asks for.
func (m *Master) signalled(s os.Signal) {
	switch s {
	case unix.SIGHUP:
		m.reload()
	default:
		if !m.opts.Gentle {
			m.ended = s
			return
		}
		again := m.closing != nil
		if !again {
			m.farewell(s, 0)
		}
		if again || s == unix.SIGQUIT {
			m.hurry(s)
		}
	}
}

// reap buries the dead.
func (m *Master) reap() {
	child.Hush()
	for {
		d, ok := child.Reap()
		if !ok {
			return
		}
		m.freed = m.figures.began
		w := m.children[int32(d.PID)]
		if w == nil {
			continue // a stranger's orphan: it falls to pid 1
		}
		// What it said before it died comes before its death.
		m.readStatus(w.service)
		m.readNotify()
		died := pool.Event{Kind: pool.Died, PID: w.pid, Code: exitCode(d.Status), Unloaded: d.Failed != nil}
		if w.service.pool.Doubtful(m.now(), &died) {
			m.lookAfter(w)
		}
		m.mourn(w, &d)
		delete(m.children, w.pid)
		if d.Failed != nil {
			m.logNotLoaded(w.service, d.Failed)
		}
		m.dying = w
		m.step(w.service, died)
		m.dying, m.words = nil, nil
		w.forget()
	}
}

// exitCode is how a child ended, in the pool's terms.
func exitCode(w syscall.WaitStatus) int32 {
	if w.Signaled() {
		return -int32(w.Signal())
	}
	return int32(w.ExitStatus())
}

// step tells a pool what happened and does what it asks for. Events that come
// up meanwhile wait their turn.
func (m *Master) step(s *service, ev pool.Event) {
	m.queue = append(m.queue, queued{s, ev})
	if m.stepping {
		return
	}
	m.stepping = true
	for i := 0; i < len(m.queue); i++ {
		q := m.queue[i]
		if q.service.drained && q.service.pool == nil {
			continue // it came too late
		}
		if !m.timed {
			m.at = m.now()
		}
		m.timed = false
		actions := m.life(q.service).Step(m.at, q.event)
		q.service.count(&q.event, m.at)
		m.noteStep(q.service, &q.event, m.at)
		for _, a := range actions {
			m.perform(q.service, &a)
		}
		m.tellDrains(q.service)
	}
	m.queue = m.queue[:0]
	m.stepping = false
}

// settle ends a batch: sockets are watched or not as the pools have it by now,
// and the timer is set to the next ring.
func (m *Master) settle() {
	m.advance()
	if m.lateAt != 0 {
		m.tidy()
		m.bearLate()
	}
	for i := 0; i < len(m.dirty); i++ {
		s := m.dirty[i]
		s.dirty = false
		m.applyWatch(s)
		m.callGuests(s)
	}
	m.dirty = m.dirty[:0]
	if m.closing != nil && len(m.ending) == 0 {
		m.ended = m.closing
	}
	switch next := earlier(earlier(m.rings.next(), m.tidy()), m.lateAt); {
	case next == m.ringing:
	case next == 0:
		m.timer.Stop()
		m.ringing = 0
	default:
		m.timer.Reset(time.Duration(next - m.now()))
		m.ringing = next
	}
}

// ring tells every pool whose time has come.
func (m *Master) ring() {
	now := m.now()
	for {
		s := m.rings.due(now)
		if s == nil {
			return
		}
		m.step(s, pool.Event{Kind: pool.Ticked})
	}
}
