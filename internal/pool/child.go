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
	// buried: not in the books any more.
	buried
)

// The signals by which the pool itself ends a child; see signal(7).
const (
	sigKill = 9
	sigTerm = 15
)

// child is one entry in the books, from the request for its birth to its end.
type child struct {
	pid        int32 // of a birth under way: who spoke for it; 0 for nobody
	generation uint32
	state      childState
	heard      bool // it has reported at least once
	departing  bool // leaving, and free when it was asked to
	uses       uint32
	since      Time // when the birth was asked for
	nextFree   *child
}

// setState is the only place where a child's state and the counts that follow
// from it change.
func (p *Pool) setState(c *child, s childState) {
	wasFree := c.state == available
	if wasFree {
		p.available--
		if !c.heard {
			p.unheard--
		}
	}
	c.state = s
	switch {
	case s == available:
		p.available++
		if !c.heard {
			p.unheard++
		}
	case s == leaving && wasFree:
		p.departing++
		c.departing = true
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
	if c.pid != ev.PID {
		p.disbelieve(c)
	}
	c.pid = ev.PID
	if p.children == nil {
		p.children = make(map[int32]*child)
	}
	p.children[c.pid] = c
	if p.removed {
		p.do(Action{Kind: Terminate, PID: c.pid})
		p.startDeadline()
	}
	p.startPatience(c)
}

// disbelieve takes back what another said in the name of a child whose pid was
// not known yet.
func (p *Pool) disbelieve(c *child) {
	c.uses = 0
	if c.state == leaving {
		return
	}
	p.setState(c, taken)
	c.heard = false
	p.setState(c, available)
}

// stillborn forgets a birth that failed and holds back the next ones.
func (p *Pool) stillborn(ev *Event) {
	c := p.births[ev.Generation]
	if c == nil {
		panic("pool: stillborn, but no such birth was asked for")
	}
	delete(p.births, ev.Generation)
	c.pid, c.uses = 0, 0 // whoever spoke for it was another
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
	if ev.Code != 0 && !(p.removed && bySignalOfOurs(ev.Code)) {
		p.do(Action{Kind: Tell, Note: NoteDied, PID: c.pid, Generation: c.generation, Code: ev.Code, Uses: c.uses, Age: p.age(c)})
		if c.uses == 0 {
			p.throttle(c, ev.Code)
		}
	}
	p.bury(c)
}

// bySignalOfOurs tells whether a child ended by a signal that the pool asks for.
func bySignalOfOurs(code int32) bool { return code == -sigTerm || code == -sigKill }

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
	if c == nil {
		c = p.claimant(ev)
	}
	switch {
	case ev.Sender != 0 && ev.Sender != ev.PID:
		p.do(Action{Kind: Tell, Note: NoteForged, PID: ev.PID, Generation: ev.Generation, Code: ev.Sender})
	case c == nil:
		// The report came after the end, or the pid was invented.
	case c.generation != ev.Generation:
		p.do(Action{Kind: Tell, Note: NoteWrongGeneration, PID: ev.PID, Generation: ev.Generation})
	case ev.State != StateTaken && ev.State != StateAvailable:
		p.do(Action{Kind: Tell, Note: NoteBadState, PID: ev.PID, Generation: ev.Generation, Code: ev.State})
	default:
		c.pid = ev.PID
		p.accept(c, ev.State)
	}
}

// claimant is the birth under way that a record of an unknown pid can be from:
// a child may report before the answer to its birth has come. The first to
// speak for it is heard until then.
func (p *Pool) claimant(ev *Event) *child {
	c := p.births[ev.Generation]
	if c == nil || ev.PID <= 0 || c.pid != 0 && c.pid != ev.PID {
		return nil
	}
	return c
}

// accept enters a record that fits. A use is a change from taken to available.
// Whoever is leaving does not come back to work.
func (p *Pool) accept(c *child, state int32) {
	if state == StateAvailable && c.state == taken {
		c.uses++
	}
	if !c.heard && c.state == available {
		p.unheard--
	}
	c.heard = true
	switch {
	case c.state == leaving:
	case state == StateTaken:
		p.setState(c, taken)
	default:
		p.setState(c, available)
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
	p.setState(c, buried)
	if c.departing {
		p.departing--
	}
	c.nextFree = p.free
	p.free = c
}
