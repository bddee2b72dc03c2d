package sim

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// tell tells a pool what happened, has the oracle judge, and does what it
// asks for.
func (w *World) tell(s *service, ev pool.Event) {
	if w.failure != nil {
		return
	}
	w.events++
	now := w.clock()
	did, wrong := stepBoth(s.pool, s.oracle, now, ev)
	s.record.add(now, ev, did)
	if wrong != "" {
		w.fail(s, wrong)
		return
	}
	ring := false
	for i := range did {
		ring = did[i].Kind == pool.Arm || ring
		w.perform(s, did[i])
	}
	if ring {
		w.planRing(s)
	}
	w.checkCeilings(s)
	w.checkFloor(s)
	w.attend(s)
}

// stepBoth is one step of a pool and of its oracle; a panic is an objection.
func stepBoth(p *pool.Pool, o judge, now pool.Time, ev pool.Event) (did []pool.Action, wrong string) {
	defer func() {
		if r := recover(); r != nil {
			wrong = fmt.Sprintf("panic: %v", r)
		}
	}()
	did = p.Step(now, ev)
	return did, o.Step(now, ev, did)
}

// perform does one thing that a pool asked for. What it leads to is told
// later, never at once: a step does not begin in another.
func (w *World) perform(s *service, a pool.Action) {
	switch a.Kind {
	case pool.Watch, pool.Unwatch:
		s.watching = a.Kind == pool.Watch
	case pool.Birth:
		s.births++
		w.tally.Births++
		w.plan(w.chance.upTo(pool.Second), thing{kind: childForks, service: s, token: s.life, gen: a.Generation, channel: s.channel})
	case pool.Terminate, pool.Kill:
		kind := processGetsTERM
		if a.Kind == pool.Kill {
			kind = processGetsKILL
			w.tally.Kills++
		}
		if p := w.processes[a.PID]; p != nil {
			w.plan(w.chance.upTo(pool.Second/10), thing{kind: kind, process: p})
		}
	case pool.Arm:
		s.armed = a.At
	case pool.Wake:
		s.waiting = append(s.waiting, w.now)
	case pool.Rotate:
		s.channel++
		w.closeChannel(s)
	case pool.Look:
		if a.PID != 0 {
			s.native.asked = a.PID
		}
		w.planFor(s, w.chance.upTo(pool.Second/10), lookAnswered)
	case pool.Gone:
		w.gone(s)
	case pool.Retire, pool.Stop, pool.Snapshot, pool.Measure, pool.Offer, pool.Ask:
		w.performNative(s, &a)
	case pool.Tell:
		w.count(a.Note)
		if a.Note == pool.NoteDeaf {
			s.moved++
		}
	}
}

// count keeps the tally of what was told.
func (w *World) count(note pool.Note) {
	switch note {
	case pool.NoteThrottled:
		w.tally.Throttles++
	case pool.NoteStress:
		w.tally.Stress++
	case pool.NoteDeaf:
		w.tally.Deaf++
	case pool.NoteForged:
		w.tally.Forged++
	case pool.NoteLimit:
		w.tally.Limits++
	case pool.NoteStartTimeout, pool.NoteSilent, pool.NoteBusy:
		w.tally.Hung++
	case pool.NoteGaveUp:
		w.tally.GaveUpBirths++
	case pool.NoteRetired:
		w.tally.Retired++
	case pool.NoteReplaced:
		w.tally.Replaced++
	case pool.NoteCeiling:
		w.tally.Ceilings++
	}
}

// planRing has the clock ring when the pool wants it, or somewhat later.
func (w *World) planRing(s *service) {
	if s.armed == 0 {
		return
	}
	s.ring = w.chance.next()
	late := pool.Duration(0)
	if w.chance.oneIn(8) {
		late = w.chance.upTo(2 * pool.Second)
	}
	after := pool.Duration(int64(s.armed) - w.now - w.skew - second)
	w.plan(max(after, 0)+late, thing{kind: ringComes, service: s, token: s.ring})
}

// closeChannel has every child of before notice, some time, that nobody
// listens.
func (w *World) closeChannel(s *service) {
	for _, p := range w.processes {
		if p != nil && p.service == s && !p.dead {
			w.plan(w.chance.upTo(2*pool.Second), thing{kind: processNoticesEOF, process: p})
		}
	}
}

// fork makes the child that a pool asked for, or does not.
func (w *World) fork(s *service, gen uint32, channel int) {
	pid := w.freePID()
	if pid == 0 || w.noForks || w.chance.oneIn(100) {
		w.plan(w.chance.upTo(pool.Second), thing{kind: birthFailed, service: s, token: s.life, gen: gen})
		return
	}
	if s.policy.Single && len(s.waiting) == 0 {
		s.births--
		w.tell(s, pool.Event{Kind: pool.Stillborn, Generation: gen})
		return
	}
	p := w.newProcess(pid, s, gen)
	p.channel = channel
	if channel != s.channel {
		w.plan(w.chance.upTo(2*pool.Second), thing{kind: processNoticesEOF, process: p})
	}
	w.plan(w.chance.upTo(3*pool.Second), thing{kind: birthAnswered, process: p})
	if s.policy.Single {
		w.takeAtBirth(p)
		return
	}
	w.act(p, w.startTime(p))
}

// freePID is the next pid that nobody has; 0 if there is none.
func (w *World) freePID() int32 {
	for range pidsThereAre {
		w.lastPID++
		if w.lastPID >= pidsThereAre {
			w.lastPID = 1
			w.tally.Reused++
		}
		if w.processes[w.lastPID] == nil {
			return w.lastPID
		}
	}
	return 0
}

// answerBirth tells the pool of a child, which may have lived and died by now.
func (w *World) answerBirth(p *process) {
	p.known = true
	p.service.births--
	p.service.members++
	w.tell(p.service, pool.Event{Kind: pool.Born, PID: p.pid, Generation: p.gen})
	if p.dead {
		w.plan(w.chance.upTo(pool.Second/10), thing{kind: processReaped, process: p})
	}
}

// reap takes a dead process out of the world. From here on its pid is free.
func (w *World) reap(p *process) {
	w.processes[p.pid] = nil
	w.people--
	if p.service.life == 0 {
		return
	}
	if p.known {
		p.service.members--
	}
	w.tell(p.service, pool.Event{Kind: pool.Died, PID: p.pid, Code: p.code})
}

// send writes a record to the channel that the process was born with. What is
// written after a rotation is lost; what was written before may be read.
func (w *World) send(p *process, pid int32, gen uint32, state int32) {
	s := p.service
	if p.channel != s.channel && !w.chance.oneIn(4) || s.life == 0 || s.native.silent {
		return
	}
	s.readAt = max(s.readAt, w.now+int64(w.chance.upTo(pool.Second/2)))
	sender := p.pid
	if pid == p.pid && w.chance.oneIn(16) {
		sender = 0 // the kernel did not say
	}
	w.plan(pool.Duration(s.readAt-w.now), thing{
		kind: recordRead, service: s, token: s.life, pid: pid, sender: sender, gen: gen, state: state,
	})
}
