package pool

// phase is how far a child has come on its way out.
type phase uint8

const (
	// present: not asked to leave, or left to itself as in Postfix.
	present phase = iota
	// retiring: asked to take no more clients, and with one in hand.
	retiring
	// stopping: sent the stop signal.
	stopping
	// killing: sent KILL.
	killing
)

// retire is the first phase of an end: no new work. Who is free, or could not
// tell that it is not, goes on to the second at once.
func (p *Pool) retire(c *child) {
	if c.phase != present {
		return
	}
	c.phase = retiring
	p.setState(c, leaving)
	p.disown(c) // nobody is succeeded by one who leaves
	if c.born {
		p.askToLeave(c)
	}
}

// askToLeave tells a child with a pid that it is retired.
func (p *Pool) askToLeave(c *child) {
	p.do(Action{Kind: Retire, PID: c.pid})
	p.finish(c)
}

// finish lets a retired child finish the client in hand, if it has one.
func (p *Pool) finish(c *child) {
	if c.isIn(byBusy) {
		p.enqueue(byDrain, c, p.now)
		return
	}
	p.stop(c)
}

// stop is the second phase: the stop signal.
func (p *Pool) stop(c *child) {
	if c.phase >= stopping || !c.born {
		return
	}
	c.phase = stopping
	c.extended = 0
	busy := c.busySince()
	p.setState(c, leaving)
	p.dequeue(work, c)
	p.dequeue(beat, c)
	p.enqueue(byStop, c, p.now)
	p.do(Action{Kind: Stop, PID: c.pid, At: busy})
}

// kill is the last phase.
func (p *Pool) kill(c *child) {
	c.phase = killing
	p.dequeue(end, c)
	p.do(Action{Kind: Tell, Note: NoteKilled, PID: c.pid})
	p.do(Action{Kind: Kill, PID: c.pid})
}

// hang ends a child that has passed one of its limits, once there is a picture
// of it.
func (p *Pool) hang(c *child, note Note) {
	p.do(Action{Kind: Snapshot, PID: c.pid})
	p.do(Action{Kind: Tell, Note: note, PID: c.pid, Generation: c.generation, Uses: c.uses, Age: p.age(c)})
	p.stop(c)
}

// terminate ends a child of a service that is removed, or was drained for long
// enough.
func (p *Pool) terminate(c *child) {
	if !p.policy.managed() {
		p.do(Action{Kind: Terminate, PID: c.pid, At: c.busySince()})
		return
	}
	p.stop(c)
}

// busySince is since when a child has its client; 0 if it has none, or does not
// tell.
func (c *child) busySince() Time {
	if !c.isIn(byBusy) {
		return 0
	}
	return c.links[work].at
}

// workOfLeaving enters what a child that leaves says of the client in hand.
func (p *Pool) workOfLeaving(c *child, state int32) {
	switch {
	case c.phase >= stopping:
	case state == StateTaken && !c.isIn(byBusy):
		p.enqueue(byBusy, c, p.now)
	case state == StateAvailable && c.isIn(byBusy):
		p.dequeue(work, c)
		if c.phase == retiring && !c.byItself {
			c.uses++
			p.stop(c)
		}
	}
}

// drain ends the pool gently. Who leaves by itself, as Postfix's children do, is
// asked by the end of its status channel, which no client in hand suffers from.
func (p *Pool) drain(span Duration) {
	if p.removed {
		return
	}
	p.drainAt = 0
	if span > 0 {
		p.drainAt = p.now + Time(span)
	}
	if p.draining {
		return
	}
	p.draining = true
	p.quit()
	if !p.policy.managed() {
		p.rotate()
		return
	}
	for _, generation := range p.unborn() {
		p.retire(p.births[generation])
	}
	for _, pid := range p.pids() {
		p.retire(p.children[pid])
	}
}

// drainDue ends those who are not done by the deadline.
func (p *Pool) drainDue() {
	p.drainAt = 0
	for _, pid := range p.pids() {
		p.terminate(p.children[pid])
	}
	p.startDeadline()
}

// fit retires those who are too many for a limit that was lowered: the free
// ones first, then the oldest. A birth under way waits for its pid.
func (p *Pool) fit() {
	if p.policy.Limit <= 0 || p.ended() || !p.policy.managed() {
		return
	}
	for p.staying > p.policy.Limit {
		c := p.firstBorn(byFree)
		if c == nil {
			c = p.firstBorn(byAge)
		}
		if c == nil {
			c = p.firstBorn(byTurn)
		}
		if c == nil {
			return // those who are being replaced will be gone soon
		}
		p.retire(c)
	}
}

// firstBorn is the first in a queue that has a pid.
func (p *Pool) firstBorn(name queueName) *child {
	for c := p.first(name); c != nil; c = c.after(name) {
		if c.born {
			return c
		}
	}
	return nil
}

// shrinking is how a pool finds out that it is larger than it needs to be.
type shrinking struct {
	at    Time // look again who is not needed
	since Time // when the count of low began
	low   int  // the fewest that were free since
	// Of an opaque pool: when a client last had to wait too long, when one
	// was last seen at all, and how often one of the surplus is retired.
	needed     Time
	lastClient Time
	step       Duration
	sampling   bool  // watch only to see whether clients come at all
	looking    bool  // one goes if the look finds nobody waiting
	asked      int32 // the one who is to go, if it has no client
}

// surplus is how many children could be missed, as far as is known now.
func (p *Pool) surplus() int {
	if p.policy.Idle <= 0 || p.policy.Single || p.ended() || !p.started {
		return 0
	}
	if p.opaque() {
		return p.places() - max(p.policy.Min, p.policy.Spare)
	}
	return max(0, min(p.available-p.policy.Spare, p.staying-p.policy.Min))
}

// places is how many stay, when those are gone whose successors are on their way.
func (p *Pool) places() int { return p.staying - p.turns.heirs }

// settleShrink begins or ends the time in which a surplus has to last.
func (p *Pool) settleShrink() {
	switch s := &p.shrink; {
	case p.surplus() <= 0:
		s.at, s.step, s.sampling, s.looking = 0, 0, false, false
	case s.at != 0:
	case p.opaque():
		s.step = 0
		s.at = max(s.needed, p.now) + Time(p.policy.Idle)
	default:
		p.shrinkFrom()
	}
}

// shrinkFrom begins to count how many are free all the time.
func (p *Pool) shrinkFrom() {
	s := &p.shrink
	s.since, s.low = p.now, p.available
	s.at = p.now + Time(p.policy.Idle)
}

// shrinkDue retires those who were free for all of Idle themselves, and as many
// more as were not needed all that time though each had a client now and then.
// The longest free go first.
func (p *Pool) shrinkDue() {
	s := &p.shrink
	s.at = 0
	if p.opaque() {
		p.shrinkOpaque()
		return
	}
	idle := Time(p.policy.Idle)
	unneeded := 0
	if s.since+idle <= p.now {
		unneeded = s.low - p.policy.Spare
		p.shrinkFrom()
	}
	for ; p.surplus() > 0; unneeded-- {
		c := p.first(byFree)
		if free := c.links[work].at; free > p.now || unneeded <= 0 && free+idle > p.now {
			break
		}
		if start := c.since + Time(p.policy.startSpan()); !c.born || !c.heard && start > p.now {
			p.enqueue(byFree, c, max(start-idle, p.now+1)) // it may not have started yet
			continue
		}
		p.leaveUnneeded(c)
	}
	s.at = s.since + idle
	if c := p.first(byFree); c != nil && c.links[work].at+idle > p.now {
		s.at = min(s.at, c.links[work].at+idle)
	}
}

func (p *Pool) leaveUnneeded(c *child) {
	p.do(Action{Kind: Tell, Note: NoteRetired, PID: c.pid, Generation: c.generation, Uses: c.uses, Age: p.age(c)})
	p.retire(c)
}

// shrinkOpaque has a look before one goes: nobody may be waiting. The last
// child of a pool without a floor goes when no client was seen at all.
func (p *Pool) shrinkOpaque() {
	s := &p.shrink
	idle := Time(p.policy.Idle)
	last := p.places() == 1
	switch quiet := s.lastClient + idle; {
	case last && quiet > p.now:
		s.at = quiet
	case last && !p.watching && !s.sampling:
		s.sampling = true
		s.at = p.now + idle
	default:
		s.at = p.now + idle
		c := p.leastNeeded()
		if c == nil {
			return // all have clients
		}
		s.looking, s.asked = true, c.pid
		p.do(Action{Kind: Look, PID: c.pid})
	}
}

// shrinkLooked retires one of an opaque pool if nobody waits, and if it has no
// client in hand as far as can be known: a connection may last, and none other
// come, and whoever serves it is needed. The whole surplus goes within one more
// Idle.
func (p *Pool) shrinkLooked(ev *Event) {
	s := &p.shrink
	if !s.looking {
		return
	}
	if ev.N > 0 {
		s.looking = false
		s.needed, s.step = p.now, 0
		return
	}
	if ev.PID != s.asked {
		return // the answer to another look
	}
	s.looking = false
	if s.step == 0 {
		s.step = max(p.policy.Idle/Duration(max(1, p.surplus())), Millisecond)
	}
	s.at = p.now + Time(s.step)
	c := p.children[s.asked]
	switch {
	case c == nil || c.phase != present || !c.state.stays():
		// It is gone or about to; the next look names another.
	case ev.Held > 0:
		c.held = p.now
	default:
		p.leaveFirst(c)
	}
}

// leaveFirst retires who is least needed.
func (p *Pool) leaveFirst(c *child) {
	if c.heir != nil {
		p.succeed(c.heir)
		return
	}
	p.leaveUnneeded(c)
}

// leastNeeded is who goes first in an opaque pool: who waits to be replaced, and
// need not be then, before the youngest. A successor does not go, or another would
// have to be born: where there is nobody else, the one that it succeeds does. Who
// had a client within the last Idle is left alone.
func (p *Pool) leastNeeded() *child {
	if c := p.firstBorn(byTurn); c != nil && !p.holds(c) {
		return c
	}
	var succeeded *child
	for c := p.queues[byAge].tail; c != nil; c = c.links[age].prev {
		switch {
		case !c.born || p.holds(c):
		case c.ancestor == nil:
			return c
		case succeeded == nil && !p.holds(c.ancestor):
			succeeded = c.ancestor
		}
	}
	return succeeded
}

// holds tells whether a child that does not tell was seen with a client not long
// ago.
func (p *Pool) holds(c *child) bool { return c.held != 0 && c.held+Time(p.policy.Idle) > p.now }
