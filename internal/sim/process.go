package sim

import "github.com/brood-project/brood/internal/pool"

// temper is the character of a process.
type temper uint8

// The tempers. Decent ones can be believed; with one of the others a pool may
// be wrong about its clients.
const (
	honest     temper = iota // serves, reports, leaves
	slow                     // the same, taking its time
	shortly                  // serves one client and leaves
	crashing                 // ends abnormally, in the cradle or later
	stubborn                 // ignores TERM and that nobody listens
	mute                     // serves, and never reports
	lying                    // reports what comes to its mind, for others too
	hung                     // never accepts
	forking                  // has children of its own, who speak for it
	orphan                   // is such a child
	lastDecent = stubborn
)

// process is somebody with a pid.
type process struct {
	pid     int32
	gen     uint32
	service *service
	temper  temper
	channel int   // the one it was born with
	parent  int32 // of an orphan: who forked it

	known     bool // the birth was answered
	dead      bool
	code      int32
	accepting int // place in the service's idle ones, from 1; 0 if not there
	busy      bool
	started   bool
	turn      uint64 // which of its planned acts is the one to come
	uses      int
	maxUses   int
	stopped   bool // it was sent the stop signal, and is done when it is free
}

// newProcess is a child of some character.
func (w *World) newProcess(pid int32, s *service, gen uint32) *process {
	t := honest
	if w.chance.oneIn(s.wickedness) {
		t = temper(w.chance.below(int(orphan)))
		if w.chance.oneIn(2) {
			t = s.trait
		}
	}
	p := &process{pid: pid, gen: gen, service: s, temper: t, maxUses: 1 + w.chance.below(20)}
	if t == shortly {
		p.maxUses = 1
	}
	w.processes[pid] = p
	w.people++
	return p
}

// startTime is how long a process takes from its birth to its first accept.
func (w *World) startTime(p *process) pool.Duration {
	if p.temper == slow {
		return w.chance.upTo(15 * pool.Second)
	}
	return w.chance.upTo(2 * pool.Second)
}

// act plans what a process does next; what it meant to do before is off.
func (w *World) act(p *process, after pool.Duration) {
	p.turn = w.chance.next()
	w.plan(after, thing{kind: processActs, process: p, token: p.turn})
}

// happenToProcess is one thing in the life of a process.
func (w *World) happenToProcess(t *thing) {
	p := t.process
	switch t.kind {
	case birthAnswered:
		w.answerBirth(p)
		return
	case processReaped:
		w.reap(p)
		return
	}
	if p.dead {
		return
	}
	switch t.kind {
	case processActs:
		if t.token == p.turn {
			w.live(p)
		}
	case processNoticesEOF:
		if p.temper != stubborn && !p.busy && p.channel != p.service.channel {
			w.die(p, 0)
		}
	case processGetsTERM:
		switch {
		case p.temper == stubborn:
		case w.chance.oneIn(4):
			w.die(p, int32(w.chance.below(3)))
		default:
			w.die(p, -sigTERM)
		}
	case processGetsKILL:
		w.die(p, -sigKILL)
	case processGetsStop, processSpeaks:
		w.happenToNativeProcess(t)
	}
}

// live is the next act of a process: it begins to accept, is done with a
// client, or has been idle for too long.
func (w *World) live(p *process) {
	if w.misbehave(p) {
		return
	}
	switch {
	case p.busy:
		p.busy = false
		p.uses++
		if p.temper != mute {
			w.send(p, p.pid, p.gen, pool.StateAvailable)
		}
		if p.stopped || p.uses >= p.maxUses || p.channel != p.service.channel && p.temper != stubborn {
			w.die(p, 0)
			return
		}
		w.becomeIdle(p)
	case !p.started:
		p.started = true
		w.sayReady(p)
		w.becomeIdle(p)
	case p.temper == stubborn && !w.chance.oneIn(8):
		w.act(p, w.chance.upTo(120*pool.Second))
	case p.service.native.is && p.temper <= slow && p.service.policy.Idle > 0:
		w.act(p, w.chance.upTo(120*pool.Second)) // the manager will say when
	default:
		w.die(p, 0)
	}
}

// misbehave is what bad characters do instead; true if that is all.
func (w *World) misbehave(p *process) bool {
	switch p.temper {
	case crashing:
		if w.chance.oneIn(2) {
			w.die(p, []int32{1, 127, -6, -11}[w.chance.below(4)])
			return true
		}
	case hung:
		if p.started || w.chance.oneIn(4) {
			w.die(p, -sigKILL) // somebody has found it
			return true
		}
		p.started = true
		w.act(p, w.chance.upTo(1000*pool.Second))
		return true
	case lying:
		for range w.chance.below(4) {
			w.lie(p)
		}
	case forking:
		if pid := w.freePID(); pid != 0 {
			o := &process{pid: pid, gen: p.gen, service: p.service, temper: orphan, channel: p.channel, parent: p.pid}
			w.processes[pid] = o
			w.people++
			w.act(o, w.chance.upTo(10*pool.Second))
		}
	case orphan:
		w.speakForOthers(p)
		if w.chance.oneIn(2) {
			w.die(p, int32(w.chance.below(2)))
		} else {
			w.act(p, w.chance.upTo(10*pool.Second))
		}
		return true
	}
	return false
}

// lie sends a record that has nothing to do with anything.
func (w *World) lie(p *process) {
	c := &w.chance
	pid, gen, state := p.pid, p.gen, int32(c.below(2))
	switch c.below(5) {
	case 0:
		pid = int32(1 + c.below(pidsThereAre-1)) // a sibling, a stranger, nobody
	case 1:
		gen += uint32(c.below(5)) - 2
	case 2:
		state = int32(c.next())
	}
	w.send(p, pid, gen, state)
}

// speakForOthers is what a grandchild says: it is its parent, or a birth under
// way.
func (w *World) speakForOthers(p *process) {
	if w.chance.oneIn(2) {
		w.send(p, p.parent, p.gen, int32(w.chance.below(2)))
		return
	}
	w.send(p, p.pid, p.gen+uint32(w.chance.below(8)), int32(w.chance.below(2)))
}

// becomeIdle has a process accept, and leave when nobody comes for long.
func (w *World) becomeIdle(p *process) {
	s := p.service
	s.idle = append(s.idle, p)
	p.accepting = len(s.idle)
	w.act(p, pool.Second+w.chance.upTo(60*pool.Second))
	w.attend(s)
}

// accept has a process take a client.
func (w *World) accept(p *process) {
	w.stopAccepting(p)
	p.busy = true
	if p.temper != mute {
		w.send(p, p.pid, p.gen, pool.StateTaken)
	}
	if p.temper == slow {
		w.act(p, w.chance.upTo(30*pool.Second))
		return
	}
	w.act(p, w.chance.upTo(5*pool.Second))
}

func (w *World) stopAccepting(p *process) {
	if p.accepting == 0 {
		return
	}
	s := p.service
	last := s.idle[len(s.idle)-1]
	s.idle[p.accepting-1] = last
	last.accepting = p.accepting
	s.idle = s.idle[:len(s.idle)-1]
	p.accepting = 0
}

// die ends a process. Who is not known yet is reaped once it is; an orphan is
// reaped by the same manager, as the system's first process would.
func (w *World) die(p *process, code int32) {
	w.stopAccepting(p)
	p.dead, p.code = true, code
	if p.known || p.temper == orphan {
		w.plan(w.chance.upTo(pool.Second/2), thing{kind: processReaped, process: p})
	}
}
