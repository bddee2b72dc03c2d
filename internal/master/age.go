package master

import (
	"time"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/pool"
)

// lookForAge asks outside the loop how long the oldest client of an opaque pool
// has waited, and answers the pool then. Without that, clients of whom each waits
// for a moment could not be told from one that waits all the time. False where
// nobody knows: the kernel keeps the time of TCP clients only.
func (m *Master) lookForAge(s *service) bool {
	queues := make([]listen.Queue, 0, len(s.listeners))
	for _, src := range s.listeners {
		q, ok := listen.QueueOf(src.socket)
		if !ok || !q.KeepsTime() {
			return false
		}
		queues = append(queues, q)
	}
	if m.ages == nil {
		ages, err := listen.NewSurvey()
		if err != nil {
			return false
		}
		m.ages = ages
	}
	ages := m.ages
	go func() {
		err := ages.Look(queues)
		m.inLoop(func() { m.lookedForAge(s, queues, err) })
	}()
	return true
}

// lookedForAge tells the pool what was found out; if nothing was, the number.
func (m *Master) lookedForAge(s *service, queues []listen.Queue, err error) {
	ev := pool.Event{Kind: pool.Looked}
	oldest := time.Duration(0)
	for _, q := range queues {
		ev.N += int32(q.Waiting)
		oldest = max(oldest, q.Age)
	}
	ev.Span = pool.Duration(oldest)
	if err != nil {
		ev.N, ev.Span = m.waitingAll(s), 0
	}
	m.step(s, ev)
}
