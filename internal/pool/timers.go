package pool

// next is the nearest point in time at which something is due; 0 if never.
func (p *Pool) next() Time {
	var next Time
	for _, t := range [...]Time{p.throttledTo, p.wakeAt, p.killAt, p.lookAt} {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	return next
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
}

// startDeadline gives those who were sent TERM their time. A deadline that runs
// already stands.
func (p *Pool) startDeadline() {
	if p.killAt == 0 && p.policy.KillAfter > 0 {
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
		p.rotate()
	}
	p.stressTo = p.now + Time(stressMemory)
}

// settleFull tells when the limit is reached and nobody is free. Where that is
// nothing unusual, it is told when it lasts while clients wait.
func (p *Pool) settleFull() {
	if !p.full() || p.available > 0 || p.removed || p.throttledTo != 0 {
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
	if p.policy.Patience > 0 && c.state == available && !c.heard {
		p.lookBy(p.now + Time(p.policy.Patience))
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
	if p.policy.Patience > 0 && p.unheard > 0 {
		for _, c := range p.children {
			switch t := c.since + Time(p.policy.Patience); {
			case c.state != available || c.heard:
			case t <= p.now:
				ask = true
				p.lookBy(p.now + Time(p.policy.Patience)) // nobody may wait yet
			default:
				p.lookBy(t)
			}
		}
	}
	if ask {
		p.do(Action{Kind: Look})
	}
}

// looked learns how many clients wait. If any does, the children that should
// have taken it long ago are counted on no more.
func (p *Pool) looked(waiting int) {
	if waiting == 0 || p.removed {
		return
	}
	if p.fullSince != 0 && p.now >= p.quietTo && due(p.fullSince+Time(fullPatience), p.now) {
		p.tellLimit()
	}
	if p.policy.Patience <= 0 || p.unheard == 0 {
		return
	}
	for _, pid := range p.pids() {
		c := p.children[pid]
		if c.state == available && !c.heard && due(c.since+Time(p.policy.Patience), p.now) {
			p.setState(c, deaf)
			p.do(Action{Kind: Tell, Note: NoteDeaf, PID: pid, Generation: c.generation, Age: p.age(c)})
		}
	}
}
