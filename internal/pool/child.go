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
	born       bool // it has a pid that can be sent signals
	phase      phase
	byItself   bool   // it is leaving of its own accord
	due        bool   // it is to be replaced, or being replaced
	reason     Reason // why
	replaced   bool   // it is one of those that are being replaced
	proven     bool   // in an opaque pool: it alone can have taken clients that are gone
	uses       uint32
	since      Time   // when the birth was asked for
	extended   Time   // a start or a stop has not taken too long before
	measured   Time   // when it was last asked for
	held       Time   // when it was last known to have clients, though it does not tell
	heir       *child // born to succeed it, until that is well
	ancestor   *child // whom it is to succeed, until then
	links      [slots]link
	nextFree   *child
}

// stays tells whether a child has not been asked to leave.
func (s childState) stays() bool { return s == available || s == taken || s == deaf }

// setState is the only place where a child's state and the counts that follow
// from it change.
func (p *Pool) setState(c *child, s childState) {
	was := c.state
	if was == s {
		return
	}
	if was == available {
		p.available--
		if !c.heard {
			p.unheard--
		}
		p.shrink.low = min(p.shrink.low, p.available)
	}
	c.state = s
	switch {
	case s == available:
		p.available++
		if !c.heard {
			p.unheard++
		}
		if was != 0 && p.crowd > 0 {
			p.crowd-- // it is on the way for one of those who wait
		}
	case s == leaving && was == available:
		p.departing++
		c.departing = true
	}
	if was.stays() != s.stays() {
		p.enterOrLeave(c)
	}
	p.standInLine(c)
}

// enterOrLeave counts those who have not been asked to leave.
func (p *Pool) enterOrLeave(c *child) {
	if c.state.stays() {
		p.staying++
		p.enqueue(byAge, c, c.since)
		return
	}
	p.staying--
	p.dequeue(age, c)
	p.dequeue(start, c)
}

// standInLine has a child wait for a client, or for the end of one. A child
// that leaves may have one in hand.
func (p *Pool) standInLine(c *child) {
	switch c.state {
	case available:
		p.enqueue(byFree, c, p.now)
	case taken:
		p.enqueue(byBusy, c, p.now)
	case leaving:
		if c.isIn(byFree) {
			p.dequeue(work, c)
		}
	default:
		p.dequeue(work, c)
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
	c.pid, c.born = ev.PID, true
	if p.children == nil {
		p.children = make(map[int32]*child)
	}
	p.children[c.pid] = c
	switch {
	case p.removed:
		p.terminate(c)
		p.startDeadline()
	case c.phase == retiring:
		p.askToLeave(c)
	case c.state.stays():
		p.begin(c)
	}
	p.startPatience(c)
}

// begin has the start of a child take its time, and its ancestor make room.
func (p *Pool) begin(c *child) {
	if !c.heard {
		p.enqueue(byStart, c, p.now)
	}
	if c.ancestor != nil && !p.policy.Ready {
		p.enqueue(byHeir, c, p.now)
	}
}

// disbelieve takes back what another said in the name of a child whose pid was
// not known yet.
func (p *Pool) disbelieve(c *child) {
	c.uses = 0
	if p.policy.Single {
		return
	}
	if c.state == leaving {
		p.dequeue(work, c)
		return
	}
	crowd := p.crowd
	p.setState(c, taken)
	c.heard = false
	p.setState(c, available)
	p.crowd = crowd
}

// stillborn forgets a birth that failed and holds back the next ones.
func (p *Pool) stillborn(ev *Event) {
	c := p.births[ev.Generation]
	if c == nil {
		panic("pool: stillborn, but no such birth was asked for")
	}
	delete(p.births, ev.Generation)
	c.pid, c.uses = 0, 0 // whoever spoke for it was another
	if ev.Code != 0 {
		p.do(Action{Kind: Tell, Note: NoteStillborn, Generation: ev.Generation, Code: ev.Code})
		p.throttle(c, ev.Code)
	}
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
	if ev.Code != 0 && !p.asked(c, ev.Code) {
		p.do(Action{Kind: Tell, Note: NoteDied, PID: c.pid, Generation: c.generation, Code: ev.Code, Uses: c.uses, Age: p.age(c)})
	}
	if p.policy.Single && !ev.Unloaded {
		p.ran(c)
	}
	if p.failed(c, ev) {
		p.throttle(c, ev.Code)
	}
	p.bury(c)
	if p.opaque() && p.total() == 0 {
		p.forgetQueue() // the next client has nobody to wait for
	}
}

// asked tells whether a child ended as it was told to.
func (p *Pool) asked(c *child, code int32) bool {
	return (p.ended() || c.phase >= stopping) && (code == -sigKill || code == -sigTerm || code == -p.policy.Stop.Signal)
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
	p.noteMove(c, state)
	if state == StateAvailable && c.state == taken {
		c.uses++
		p.served(c)
	}
	p.hear(c)
	if p.policy.Opaque {
		p.speakUp()
	}
	switch {
	case c.state == leaving:
		p.workOfLeaving(c, state)
	case p.policy.Single:
	case state == StateTaken:
		p.setState(c, taken)
	default:
		p.setState(c, available)
		p.checkUp(c)
	}
}

// hear takes the first sign of life of a child.
func (p *Pool) hear(c *child) {
	if c.heard {
		return
	}
	if c.state == available {
		p.unheard--
		if c.isIn(byFree) {
			p.enqueue(byFree, c, p.now)
		}
	}
	c.heard = true
	p.dequeue(start, c)
	p.fails.fruitless = 0
	if p.fails.probe == c {
		p.probeIsWell()
	}
	p.succeed(c)
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

// unborn is the generations of the births under way, in ascending order.
func (p *Pool) unborn() []uint32 {
	generations := make([]uint32, 0, len(p.births))
	for g := range p.births {
		generations = append(generations, g)
	}
	slices.Sort(generations)
	return generations
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
	for s := range slots {
		p.dequeue(s, c)
	}
	p.endTurn(c)
	if p.fails.probe == c {
		p.fails.probe, p.fails.probeAt = nil, 0
	}
	p.give()
	c.nextFree = p.free
	p.free = c
}
