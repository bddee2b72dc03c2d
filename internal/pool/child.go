package pool

import "slices"

// childState is what the pool thinks of a child. Only available ones are
// counted on when a client comes.
type childState uint8

const (
	// available: a client that comes is its own.
	available childState = iota + 1
	// taken: it told that it serves a client.
	taken
	// deaf: born, counted on, and never heard of while clients waited.
	deaf
	// leaving: its status channel is closed or TERM was sent; whatever it
	// does, it does not come back to work.
	leaving
)

// child is one entry in the books, from the request for its birth to its end.
type child struct {
	pid        int32
	generation uint32
	state      childState
	heard      bool // it has reported at least once
	uses       uint32
	since      Time // when the birth was asked for
	nextFree   *child
}

// setState is the only place where a child's state and the counts that follow
// from it change.
func (p *Pool) setState(c *child, s childState) {
	if c.state == available {
		p.available--
		if !c.heard {
			p.unheard--
		}
	}
	c.state = s
	if s == available {
		p.available++
		if !c.heard {
			p.unheard++
		}
	}
}

// born gives a birth its pid.
func (p *Pool) born(ev *Event) {
	c := p.births[ev.Generation]
	if c == nil {
		panic("pool: born, but no such birth was asked for")
	}
	if p.children[ev.PID] != nil {
		panic("pool: two children have the same pid")
	}
	delete(p.births, ev.Generation)
	c.pid = ev.PID
	if p.children == nil {
		p.children = make(map[int32]*child)
	}
	p.children[c.pid] = c
	if p.removed {
		p.do(Action{Kind: Terminate, PID: c.pid})
	}
	p.startPatience(c)
}

// stillborn forgets a birth that failed and holds back the next ones.
func (p *Pool) stillborn(ev *Event) {
	c := p.births[ev.Generation]
	if c == nil {
		panic("pool: stillborn, but no such birth was asked for")
	}
	delete(p.births, ev.Generation)
	p.do(Action{Kind: Tell, Note: NoteStillborn, Generation: ev.Generation, Code: ev.Code})
	p.throttle(c, ev.Code)
	p.bury(c)
}

// died takes a child out of the books. One that dies abnormally before it has
// served a single client will not fare better when it is born again.
func (p *Pool) died(ev *Event) {
	c := p.children[ev.PID]
	if c == nil {
		return // a stranger, or one whose service did not know it
	}
	delete(p.children, ev.PID)
	if ev.Code != 0 && !p.removed {
		p.do(Action{Kind: Tell, Note: NoteDied, PID: c.pid, Generation: c.generation, Code: ev.Code, Uses: c.uses, Age: p.age(c)})
		if c.uses == 0 {
			p.throttle(c, ev.Code)
		}
	}
	p.bury(c)
}

// throttle forbids births for a while, if that is not so already.
func (p *Pool) throttle(c *child, code int32) {
	if p.throttledTo != 0 || p.removed || p.policy.Throttle <= 0 {
		return
	}
	p.throttledTo = p.now + Time(p.policy.Throttle)
	p.do(Action{
		Kind: Tell, Note: NoteThrottled, PID: c.pid, Generation: c.generation,
		Code: code, Uses: c.uses, Age: p.age(c), At: p.throttledTo,
	})
}

// release allows births again.
func (p *Pool) release() {
	if p.throttledTo != 0 {
		p.throttledTo = 0
		p.do(Action{Kind: Tell, Note: NoteReleased})
	}
}

// reported enters what a child says of itself. A child is not trusted: what
// does not fit is told or shrugged at, and changes nothing.
func (p *Pool) reported(ev *Event) {
	c := p.children[ev.PID]
	switch {
	case ev.Sender != 0 && ev.Sender != ev.PID:
		p.do(Action{Kind: Tell, Note: NoteForged, PID: ev.PID, Generation: ev.Generation, Code: ev.Sender})
	case c == nil:
		// The report came after the end, or the pid was invented.
	case c.generation != ev.Generation:
		p.do(Action{Kind: Tell, Note: NoteWrongGeneration, PID: ev.PID, Generation: ev.Generation})
	case ev.State != StateTaken && ev.State != StateAvailable:
		p.do(Action{Kind: Tell, Note: NoteBadState, PID: ev.PID, Generation: ev.Generation, Code: ev.State})
	case c.state == leaving:
		p.count(c, ev.State)
	case ev.State == StateTaken:
		p.count(c, ev.State)
		p.setState(c, taken)
	case c.state != available:
		p.count(c, ev.State)
		p.setState(c, available)
	}
}

// count keeps the use count and remembers that the child has been heard of. A
// use is a change from taken to available.
func (p *Pool) count(c *child, state int32) {
	if !c.heard {
		if c.state == available {
			p.unheard--
		}
		c.heard = true
	}
	if state == StateAvailable && c.state == taken {
		c.uses++
	}
}

// age is how long ago the birth of a child was asked for.
func (p *Pool) age(c *child) Duration { return Duration(p.now - c.since) }

// pids is the pids of the children in ascending order, so that what the pool
// does never depends on the order of a map.
func (p *Pool) pids() []int32 {
	pids := make([]int32, 0, len(p.children))
	for pid := range p.children {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// newChild takes an entry from those that were buried, or makes one.
func (p *Pool) newChild() *child {
	c := p.free
	if c == nil {
		return new(child)
	}
	p.free = c.nextFree
	*c = child{}
	return c
}

// bury keeps an entry for the next birth.
func (p *Pool) bury(c *child) {
	p.setState(c, leaving)
	c.nextFree = p.free
	p.free = c
}
