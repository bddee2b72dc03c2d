package pool

// signalled enters what a child says of itself beyond idle and busy. Whoever
// is not in the books is not believed; before its Born a child is known by its
// Generation.
func (p *Pool) signalled(ev *Event) {
	c := p.children[ev.PID]
	if c == nil {
		c = p.claimant(ev)
	}
	if c == nil || ev.Sender != 0 && ev.Sender != ev.PID || ev.Generation != 0 && ev.Generation != c.generation {
		return
	}
	c.pid = ev.PID
	switch ev.Kind {
	case Ready:
		if !c.heard && p.waits.since != 0 {
			p.waits.ready = p.now
		}
		p.hear(c)
		p.beats(c)
	case Heartbeat:
		p.beats(c)
	case Extended:
		if !p.hurried {
			c.extended = p.now + Time(ev.Span)
		}
	case Leaves:
		p.leaves(c)
	case Measured:
		if p.policy.MaxMemory > 0 && ev.Memory > p.policy.MaxMemory {
			p.wear(c, ReasonMemory)
		}
	}
}

// beats has a child that promised to speak be listened to from now on.
func (p *Pool) beats(c *child) {
	if p.policy.Heartbeat > 0 && c.phase < stopping && !p.ended() {
		p.enqueue(byBeat, c, p.now)
	}
}

// leaves has a child go that decided so itself. It is not hurried, but by the
// time that a retired one has.
func (p *Pool) leaves(c *child) {
	if !c.born || !c.state.stays() {
		return
	}
	c.byItself = true
	p.setState(c, leaving)
	p.disown(c)
	if p.policy.managed() {
		c.phase = retiring
		p.enqueue(byDrain, c, p.now)
	}
}

// speakUp has a pool that was thought opaque be one whose children tell.
func (p *Pool) speakUp() {
	if p.tells {
		return
	}
	p.tells = true
	p.crowd = 0
	p.forgetQueue()
	p.shrink = shrinking{}
}
