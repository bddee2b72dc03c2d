package pool

// fails is what failures have led to.
type fails struct {
	inARow    int
	last      Time // of the last failure that counted
	wait      Duration
	gaveUp    bool
	fruitless int // normal ends of children that nobody heard of, since the last that was
	waiting   int // clients of an opaque pool, as counted last

	// halfOpen: one probe may be born, and no more until it is well.
	halfOpen bool
	probe    *child
	probeAt  Time // by then it is well even if nobody has heard of it
}

// failed tells whether an end counts as a failure.
func (p *Pool) failed(c *child, ev *Event) bool {
	switch {
	case !p.suspect(c, ev):
		return false
	case p.policy.Single || ev.Code != 0:
		return true
	}
	p.fails.fruitless++
	return p.fails.fruitless >= fruitlessMost
}

// suspect tells whether an end may be a failure: nobody asked for it, and the
// child would not fare better when it is born again. One that is born for a
// single client may have failed because of that client, unless it never ran. A
// normal end of one so young that nobody has heard of it is one only among many.
func (p *Pool) suspect(c *child, ev *Event) bool {
	b := &p.policy.Backoff
	switch {
	case p.ended() || c.phase >= stopping:
		return false
	case p.policy.Single:
		return ev.Unloaded
	case c.uses > 0 || p.opaque() && p.lived(c):
		return false
	case b.First > 0 && b.stable() > 0 && p.age(c) >= b.stable():
		return false
	}
	return ev.Code != 0 || b.First > 0 && !c.heard && p.age(c) < cradleSpan
}

// Doubtful tells whether Died, which is about to be told, may be held against the
// pool, and a Looked before it could show that the child has served. Before any
// other a look is of no use: that of a whole pool, of which the first failure
// holds back births, needs one. Ages are those of the last step, so that it errs
// towards a look.
func (p *Pool) Doubtful(now Time, died *Event) bool {
	c := p.children[died.PID]
	held := p.fails.gaveUp || p.throttledTo != 0 && !due(p.throttledTo, now)
	return c != nil && p.opaque() && !held && !died.Unloaded && p.suspect(c, died)
}

// ran has a child of a Single pool be well: its program could be executed, and
// more is not asked of it.
func (p *Pool) ran(c *child) {
	p.served(c)
	if p.fails.probe == c {
		p.probeIsWell()
	}
}

// lived tells whether a child of an opaque pool has served, as far as can be
// known: clients were taken while nobody else was there, or clients were taken
// and it is older than any start may take.
func (p *Pool) lived(c *child) bool {
	return c.proven || c.heard && p.age(c) >= p.policy.startSpan()
}

// throttle forbids births for a while, if that is not so already.
func (p *Pool) throttle(c *child, code int32) {
	if p.throttledTo != 0 || p.ended() || p.fails.gaveUp {
		return
	}
	wait := p.countFailure()
	if wait <= 0 {
		return
	}
	a := Action{Kind: Tell, Note: NoteThrottled, PID: c.pid, Generation: c.generation, Code: code, Uses: c.uses, Age: p.age(c)}
	p.crowd = 0
	p.forgetQueue()
	if tries := p.policy.Backoff.Tries; tries > 0 && p.policy.Backoff.First > 0 && p.fails.inARow >= tries {
		p.fails.gaveUp = true
		a.Note, a.N = NoteGaveUp, int32(p.fails.inARow)
		p.do(a)
		return
	}
	p.throttledTo = p.now + Time(wait)
	a.At = p.throttledTo
	p.do(a)
}

// countFailure counts one more failure, and is how long to wait for it.
func (p *Pool) countFailure() Duration {
	b, f := &p.policy.Backoff, &p.fails
	if b.First <= 0 {
		if p.policy.Throttle <= 0 && (p.policy.Min > 0 || p.policy.Spare > 0) {
			return floorThrottle
		}
		return p.policy.Throttle
	}
	if f.inARow > 0 && b.stable() > 0 && p.now >= f.last+Time(f.wait)+Time(b.stable()) {
		f.inARow = 0
	}
	f.inARow++
	f.last = p.now
	f.wait = b.wait(f.inARow)
	f.halfOpen, f.probe, f.probeAt = false, nil, 0
	return f.wait
}

// release allows births again; after a Backoff, one.
func (p *Pool) release() {
	if p.throttledTo == 0 {
		return
	}
	p.throttledTo = 0
	p.fails.halfOpen = p.policy.Backoff.First > 0
	p.do(Action{Kind: Tell, Note: NoteReleased})
}

// pardon forgets all failures.
func (p *Pool) pardon() {
	if p.fails.gaveUp && !p.ended() {
		p.do(Action{Kind: Tell, Note: NoteReleased})
	}
	p.release()
	p.forgive()
}

// forgive forgets the failures, but not a wait that they have led to.
func (p *Pool) forgive() { p.fails = fails{wait: p.fails.wait} }

// probeIsWell allows births as before. The failures are not forgotten yet.
func (p *Pool) probeIsWell() {
	p.fails.halfOpen, p.fails.probe, p.fails.probeAt = false, nil, 0
}

// probeLives finds the probe alive after as long as the wait was; one that has
// no pid yet is no proof.
func (p *Pool) probeLives() {
	if !p.fails.probe.born {
		p.fails.probeAt = p.now + Time(max(p.fails.wait, Millisecond))
		return
	}
	p.probeIsWell()
}

// served forgets the failures when a child that was born since has served a
// client.
func (p *Pool) served(c *child) {
	if p.fails.inARow > 0 && c.since >= p.fails.last {
		p.fails.inARow = 0
	}
}
