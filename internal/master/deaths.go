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

// inquestsMost is after how many deaths last words are looked for at one time,
// which may mean to read a log file again and again. What dies on top of them has
// none: it is a whole pool, and its workers all say the same.
const inquestsMost = 8

// mourn enters how a worker ended. BEFORE: its pool does not know yet.
func (m *Master) mourn(w *worker, d *child.Death) {
	s, f := w.service, w.service.figured()
	c, _ := s.pool.Child(w.pid)
	now := m.now()
	m.timed = false // what follows from it comes after it
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
	m.note(s, event{kind: eventDied, at: now, pid: w.pid, code: exitCode(d.Status), uses: c.Uses, span: pool.Duration(e.Age)})
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
	m.note(s, event{kind: eventStillborn, at: m.at, text: f.failure.Cause})
}

// tally counts the death that was entered last by its reason. What only the
// kernel or the log knows is asked for outside the loop: see explain and inquire.
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
	switch {
	case e.Limit != "":
		deaths.Killed++
	case e.Signal == 0:
		deaths.Failed++
	case status.Signal() != unix.SIGKILL || w.killed:
		deaths.Crashed++
	default:
		m.unexplained = append(m.unexplained, w)
	}
	m.inquire(w)
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

// inquire finds out outside the loop what a worker said last.
func (m *Master) inquire(w *worker) {
	words := m.wordsOf(w)
	if words == nil || m.inquests >= inquestsMost {
		return
	}
	m.inquests++
	words = sync.OnceValue(words) // the log may want them too
	m.words = words
	m.later.Go(func() {
		said := words()
		m.inLoop(func() {
			m.inquests--
			w.eachEntry(func(e *scoreboard.Death) { e.Words = said })
		})
	})
}

// explain finds out outside the loop how many of those who were killed by nobody
// of us the kernel has killed for want of memory. All that died in one turn, or
// while that was found out for others, are one question.
func (m *Master) explain() {
	if len(m.unexplained) == 0 || m.explaining {
		return
	}
	dead := m.unexplained
	m.unexplained, m.explaining = nil, true
	m.later.Go(func() {
		starved := m.kills.claim(len(dead))
		m.inLoop(func() {
			m.explaining = false
			m.conclude(dead[:starved], true)
			m.conclude(dead[starved:], false)
		})
	})
}

// conclude counts deaths of which it is known by now what they were.
func (m *Master) conclude(dead []*worker, starved bool) {
	for _, w := range dead {
		if !starved {
			w.service.figures.counts.Deaths.Crashed++
			continue
		}
		w.service.figures.counts.Deaths.Memory++
		w.eachEntry(func(e *scoreboard.Death) { e.OutOfMemory = true })
		m.note(w.service, event{kind: eventMemory, at: m.now(), pid: w.pid})
	}
}

// eachEntry calls f for what is kept of a worker's death, unless others have died
// since.
func (w *worker) eachEntry(f func(*scoreboard.Death)) {
	for _, e := range []*scoreboard.Death{&w.service.figures.failure, &w.service.figures.death} {
		if e.PID == w.pid && e.Generation == w.generation {
			f(e)
		}
	}
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
