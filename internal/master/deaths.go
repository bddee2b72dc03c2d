package master

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// limit is which of our limits a worker has passed.
type limit uint8

const (
	noLimit limit = iota
	limitStart
	limitHeartbeat
	limitBusy
	limitStop
)

// String is the limit's key in brood.toml.
func (l limit) String() string {
	return [...]string{"", "start.timeout", "heartbeat", "busy", "stop.timeout"}[l]
}

// passed notes the first limit that a worker passes: others may follow from it.
func (w *worker) passed(l limit) {
	if w != nil && w.limit == noLimit {
		w.limit = l
	}
}

// inquestsMost is how many deaths are looked into at one time. What comes on top
// is counted and told without last words: they are all alike then.
const inquestsMost = 64

// mourn enters how a worker ended. BEFORE: its pool does not know yet.
func (m *Master) mourn(w *worker, d *child.Death) {
	s, f := w.service, w.service.figured()
	c, _ := s.pool.Child(w.pid)
	now := m.now()
	f.cpu += d.Usage.Utime.Nano() + d.Usage.Stime.Nano()
	f.death = scoreboard.Death{
		At: int64(now), PID: w.pid, Generation: w.generation, Limit: w.limit.String(),
		Asked: c.Asked, Busy: c.Busy != 0, Age: int64(now - c.Since), Uses: c.Uses,
	}
	if w.look != nil {
		f.death.Place = w.look.place
	}
	e := &f.death
	if d.Status.Signaled() {
		e.Signal, e.Core = int(d.Status.Signal()), d.Status.CoreDump()
	} else {
		e.Exit = d.Status.ExitStatus()
	}
	if s.plan.Policy.Single {
		f.job.Add(e.Age)
	}
	if d.Failed != nil {
		m.unloaded(s, d.Failed)
		return
	}
	m.tally(w, d.Status)
	m.journal.add(event{kind: eventDied, at: now, name: s.plan.Name, pid: w.pid, code: exitCode(d.Status), uses: c.Uses, span: pool.Duration(e.Age)})
}

// unloaded enters the end of a process that never executed its program. It was
// a birth that came to nothing.
func (m *Master) unloaded(s *service, why error) {
	f := s.figures
	f.counts.Deaths.Failed++
	at, age := f.death.At, f.death.Age
	m.neverBorn(s, why)
	f.failure.At, f.failure.Age = at, age
	f.death = f.failure
}

// neverBorn enters a birth that came to nothing.
func (m *Master) neverBorn(s *service, why error) {
	f := s.figured()
	f.counts.Stillbirths++
	f.failure = scoreboard.Death{At: int64(m.at), Cause: why.Error()}
	m.journal.add(event{kind: eventStillborn, at: m.at, name: s.plan.Name, text: f.failure.Cause})
}

// tally counts the death that was entered last by its reason. What only the
// kernel or the log knows is asked for outside the loop.
func (m *Master) tally(w *worker, status syscall.WaitStatus) {
	s, f := w.service, w.service.figures
	e, deaths := &f.death, &f.counts.Deaths
	if !failedTo(e, s.plan.Policy.Stop.Signal) {
		if e.Asked {
			deaths.Asked++
		} else {
			deaths.Done++
		}
		return
	}
	f.failure = *e
	var starved func() bool
	switch {
	case e.Limit != "":
		deaths.Killed++
	case e.Signal == 0:
		deaths.Failed++
	case status.Signal() != unix.SIGKILL || w.killed || m.inquests >= inquestsMost:
		deaths.Crashed++
	default:
		starved = m.kills.claim
	}
	if m.inquests < inquestsMost {
		m.inquire(w, starved)
	}
}

// failedTo tells whether a death was a failure: neither of the worker's own
// accord and in order, nor as we had asked for.
func failedTo(e *scoreboard.Death, stop int32) bool {
	switch {
	case e.Limit != "":
		return true
	case e.Signal == 0:
		return e.Exit != 0
	case !e.Asked:
		return true
	}
	return e.Signal != int(unix.SIGTERM) && e.Signal != int(unix.SIGKILL) && e.Signal != int(stop)
}

// inquire finds out outside the loop what a worker said last and, where starved
// is given, whether the kernel has killed it for want of memory.
func (m *Master) inquire(w *worker, starved func() bool) {
	words := m.wordsOf(w)
	if words == nil && starved == nil {
		return
	}
	m.inquests++
	if words != nil {
		words = sync.OnceValue(words) // the log may want them too
		m.words = words
	}
	m.later.Go(func() {
		verdict := starved != nil && starved()
		var said []string
		if words != nil {
			said = words()
		}
		m.inLoop(func() { m.conclude(w, said, starved != nil, verdict) })
	})
}

// wordsOf finds what a worker that has just died said last; nil where nobody
// knows.
func (m *Master) wordsOf(w *worker) func() []string {
	switch {
	case w.output != nil:
		return w.output.LastWords
	case w.service.plan.Wishes != nil || m.opts.LastWords == nil:
		return nil
	}
	died, pid := time.Now(), int(w.pid)
	return func() []string {
		if words := m.opts.LastWords(pid, died); words != "" {
			return []string{words}
		}
		return nil
	}
}

// conclude enters what was found out about a death.
func (m *Master) conclude(w *worker, words []string, counted, starved bool) {
	m.inquests--
	f := w.service.figures
	switch {
	case starved:
		f.counts.Deaths.Memory++
		m.journal.add(event{kind: eventMemory, at: m.now(), name: w.service.plan.Name, pid: w.pid})
	case counted:
		f.counts.Deaths.Crashed++
	}
	for _, e := range []*scoreboard.Death{&f.failure, &f.death} {
		if e.PID == w.pid && e.Generation == w.generation {
			e.Words, e.OutOfMemory = words, starved
		}
	}
}
