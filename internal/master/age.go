package master

import (
	"time"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/pool"
)

// lookForAge asks outside the loop how long the oldest client of an opaque pool
// has waited, and who was taken, and answers the pool then. Without that, clients
// of whom each waits for a moment could not be told from one that waits all the
// time. If a worker is named, it also asks how many clients that one has. False
// where nobody knows.
func (m *Master) lookForAge(s *service, pid int32) bool {
	return m.surveyOf(ask{service: s, tell: true, pid: pid})
}

// remember notes who waits at an opaque pool when somebody is born, or is still
// thought to be starting, so that it will be known whether that one has taken a
// client.
func (m *Master) remember(s *service) { m.surveyOf(ask{service: s}) }

// lookAfter finds out whom a worker of an opaque pool has served before it died.
// Of one that has died young the pool may know nothing yet, and so it is asked
// who is gone of those that waited at its birth, which takes longer.
func (m *Master) lookAfter(w *worker) {
	s := w.service
	if m.ages != nil && s.pool.Newborn(m.now()) {
		if queues, ok := queuesOf(s); ok {
			a := ask{service: s, queues: queues}
			a.err = m.ages.Look(queues)
			m.lookedForAge(&a)
			return
		}
	}
	m.step(s, pool.Event{Kind: pool.Looked, N: m.waitingAll(s)})
}

// surveyOf looks at the queues of one service outside the loop, and tells the pool
// if it is to; false if nobody can.
func (m *Master) surveyOf(a ask) bool {
	queues, ok := queuesOf(a.service)
	if !ok {
		return false
	}
	a.queues = queues
	if m.ages == nil {
		ages, err := listen.NewSurvey()
		if err != nil {
			return false
		}
		m.ages = ages
	}
	if m.looks.add(a) {
		ages := m.ages
		go m.looks.run(func(a *ask) {
			a.look(ages)
			if a.tell {
				m.inLoop(func() { m.lookedForAge(a) })
			}
		})
	}
	return true
}

// queuesOf are the questions about a service's queues; false if one cannot be
// asked about.
func queuesOf(s *service) (queues []listen.Queue, ok bool) {
	queues = make([]listen.Queue, 0, len(s.listeners))
	for _, src := range s.listeners {
		q, ok := listen.QueueOf(src.socket)
		if !ok {
			return nil, false
		}
		queues = append(queues, q)
	}
	return queues, true
}

// lookedForAge tells the pool what was found out; if nothing was, the number.
func (m *Master) lookedForAge(a *ask) {
	ev := pool.Event{Kind: pool.Looked, PID: a.pid, Held: int32(a.held)}
	oldest := time.Duration(0)
	for _, q := range a.queues {
		ev.N += int32(q.Waiting)
		ev.Took += int32(q.Taken)
		if q.KeepsTime() {
			oldest = max(oldest, q.Age)
		}
	}
	ev.Span = pool.Duration(oldest)
	if a.err != nil {
		ev.N, ev.Span, ev.Took = m.waitingAll(a.service), 0, 0
	}
	m.step(a.service, ev)
}
