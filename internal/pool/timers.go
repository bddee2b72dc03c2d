package pool

// next is the nearest point in time at which something is due; 0 if never.
func (p *Pool) next() Time {
	var next Time
	for _, t := range [...]Time{
		p.throttledTo, p.wakeAt, p.killAt, p.lookAt, p.drainAt, p.waits.look, p.shrink.at,
		p.fails.probeAt, p.ceiling.askAt, p.nextInQueues(),
	} {
		next = earlier(next, t)
	}
	return next
}

// earlier is the first of two points in time of which each may be none.
func earlier(t, u Time) Time {
	if t == 0 || u != 0 && u < t {
		return u
	}
	return t
}

// expire does what is due.
func (p *Pool) expire() {
	if due(p.wakeAt, p.now) {
		p.wakeUp()
	}
	if due(p.lookAt, p.now) {
		p.lookDue()
	}
	if due(p.killAt, p.now) {
		p.killAt = 0
		for _, pid := range p.pids() {
			p.do(Action{Kind: Tell, Note: NoteKilled, PID: pid})
			p.do(Action{Kind: Kill, PID: pid})
		}
	}
	if due(p.drainAt, p.now) {
		p.drainDue()
	}
	if due(p.waits.look, p.now) {
		p.waits.look = 0
		p.do(Action{Kind: Look})
	}
	if due(p.shrink.at, p.now) {
		p.shrinkDue()
	}
	if due(p.fails.probeAt, p.now) {
		p.probeLives()
	}
	if due(p.ceiling.askAt, p.now) {
		p.ask()
	}
	if due(p.queueAt, p.now) {
		p.expireQueues()
	}
}

// expireQueues does what is due for single children: who has used up its time
// in a queue leaves it.
func (p *Pool) expireQueues() {
	for name := range queues {
		for c := p.dueIn(name); c != nil; {
			p.expireIn(name, c)
			next := p.dueIn(name)
			if next == c {
				panic("pool: nothing became of a child whose time was over")
			}
			c = next
		}
	}
}

// expireIn does what is due for the head of a queue.
func (p *Pool) expireIn(name queueName, c *child) {
	switch name {
	case byStop:
		if !p.extend(name, c) {
			p.kill(c)
		}
	case byDrain:
		p.stop(c)
	case byStart:
		p.startDue(c)
	case byBeat:
		p.hangIn(name, c, NoteSilent)
	case byBusy:
		p.hangIn(name, c, NoteBusy)
	case byHeir:
		p.succeed(c)
	case byAge:
		p.wear(c, ReasonAge)
	}
}

// hangIn ends a child that has passed its limit in a queue. One whose pid is not
// known yet cannot be ended.
func (p *Pool) hangIn(name queueName, c *child, note Note) {
	if !c.born {
		p.enqueue(name, c, p.now)
		return
	}
	p.hang(c, note)
}

// extend puts a child that has asked for more time back in its queue; false if
// it has not, or has had it.
func (p *Pool) extend(name queueName, c *child) bool {
	if c.extended <= p.now {
		return false
	}
	p.enqueue(name, c, c.extended-Time(p.spans[name]))
	return true
}

// startDue ends a child that does not start. Of an opaque one without Ready
// nothing can be said, but that it is not on its way any more.
func (p *Pool) startDue(c *child) {
	switch {
	case !p.policy.Ready:
		p.hear(c)
	case !p.extend(byStart, c):
		p.hang(c, NoteStartTimeout)
		p.throttle(c, 0)
	}
}

// startDeadline gives those who were sent TERM their time. A deadline that runs
// already stands.
func (p *Pool) startDeadline() {
	if p.killAt == 0 && p.policy.KillAfter > 0 && !p.policy.managed() {
		p.killAt = p.now + Time(p.policy.KillAfter)
	}
}

func due(t, now Time) bool { return t != 0 && t <= now }

// wakeStart begins the wake-ups of the policy, with one at once.
func (p *Pool) wakeStart() {
	p.wakeAt, p.wakeOnBirth = 0, false
	switch {
	case p.policy.Wakeup <= 0:
	case p.policy.WakeupOnUse:
		p.wakeOnBirth = true
	default:
		p.wakeAt = p.now
	}
}

// wakeUp sends a wake-up and arms the next one. While the service is throttled
// there is nobody to wake.
func (p *Pool) wakeUp() {
	if p.throttledTo == 0 {
		p.do(Action{Kind: Wake})
	}
	p.wakeAt = p.now + Time(p.policy.Wakeup)
}

// considerStress begins or prolongs a period of stress when the births to come
// are the last ones that the limit allows.
func (p *Pool) considerStress(births int) {
	if !p.policy.Stress || p.policy.Limit <= 1 || p.total()+births < p.policy.Limit {
		return
	}
	if p.now >= p.stressTo {
		p.do(Action{Kind: Tell, Note: NoteStress})
		if !p.policy.StressKeep {
			p.rotate()
		}
	}
	p.stressTo = p.now + Time(stressMemory)
}

// settleFull tells when the limit is reached and nobody is free. Where that is
// nothing unusual, it is told when it lasts while clients wait.
func (p *Pool) settleFull() {
	if !p.full() || p.available > 0 || p.ended() || p.throttledTo != 0 {
		p.fullSince = 0
		return
	}
	if p.fullSince != 0 || p.now < p.quietTo {
		return
	}
	p.fullSince = p.now
	if p.fullIsUsual() {
		p.lookBy(p.now + Time(fullPatience))
		return
	}
	p.tellLimit()
}

// fullIsUsual tells whether a full pool says nothing by itself: a service whose
// limit is one is full whenever it works, and any is full for a moment after a
// reload, until those who have nothing to do are gone.
func (p *Pool) fullIsUsual() bool { return p.policy.Limit == 1 || p.departing > 0 }

func (p *Pool) tellLimit() {
	p.quietTo = p.now + Time(stressMemory)
	p.do(Action{Kind: Tell, Note: NoteLimit, N: int32(p.policy.Limit)})
}

// startPatience arranges for a look at the clients once a newborn child has
// had the time to take one.
func (p *Pool) startPatience(c *child) {
	if patience := p.policy.patience(); patience > 0 && c.state == available && !c.heard {
		p.lookBy(p.now + Time(patience))
	}
}

// lookBy arms the look at the clients; one that is armed for earlier will do.
func (p *Pool) lookBy(t Time) {
	if p.lookAt == 0 || t < p.lookAt {
		p.lookAt = t
	}
}

// lookDue asks who waits, if by now the answer could matter; and otherwise
// arms the look again for the time when it could.
func (p *Pool) lookDue() {
	p.lookAt = 0
	ask := false
	if p.fullSince != 0 && p.now >= p.quietTo {
		if t := p.fullSince + Time(fullPatience); t <= p.now {
			ask = true
			p.lookBy(p.now + (p.now - p.fullSince)) // ever more rarely
		} else {
			p.lookBy(t)
		}
	}
	if patience := p.policy.patience(); patience > 0 && p.unheard > 0 {
		ask = p.doubtNewborns(Time(patience)) || ask
	}
	if ask {
		p.do(Action{Kind: Look})
	}
}

// doubtNewborns tells whether any of those who were not heard of has had its
// time, and arranges for the next look. A pool that keeps spares looks ever more
// rarely: nobody may come for them for long.
func (p *Pool) doubtNewborns(patience Time) (ask bool) {
	for _, c := range p.children {
		switch t := c.since + patience; {
		case c.state != available || c.heard:
		case t > p.now:
			p.lookBy(t)
		case p.policy.Patience > 0:
			ask = true
			p.lookBy(p.now + patience) // nobody may wait yet
		default:
			ask = true
			p.lookBy(p.now + max(patience, p.now-c.since))
		}
	}
	return ask
}

// looked learns how many clients wait, and how long the oldest has.
func (p *Pool) looked(ev *Event) {
	waiting := int(ev.N)
	if p.ended() {
		return
	}
	p.shrinkLooked(ev)
	if p.opaque() {
		if waiting < p.fails.waiting || ev.Took > 0 {
			p.fails.fruitless = 0 // somebody takes clients
		}
		p.fails.waiting = waiting
		if waiting == 0 || ev.Took > 0 {
			p.credit()
		}
		p.queueSeen(ev)
		return
	}
	p.counted(waiting)
	if waiting > 0 {
		p.lookedInVain()
	}
}

// lookedInVain finds clients waiting. The children that should have taken them
// long ago are counted on no more, or ended, as the policy has it.
func (p *Pool) lookedInVain() {
	if p.fullSince != 0 && p.now >= p.quietTo && due(p.fullSince+Time(fullPatience), p.now) {
		p.tellLimit()
	}
	patience := p.policy.patience()
	if patience <= 0 || p.unheard == 0 {
		return
	}
	for _, pid := range p.pids() {
		c := p.children[pid]
		switch {
		case c.state != available || c.heard || !due(c.since+Time(patience), p.now):
		case p.policy.Patience <= 0:
			if c.extended <= p.now {
				p.hang(c, NoteStartTimeout)
				p.throttle(c, 0)
			}
		default:
			p.setState(c, deaf)
			p.do(Action{Kind: Tell, Note: NoteDeaf, PID: pid, Generation: c.generation, Age: p.age(c)})
		}
	}
}
