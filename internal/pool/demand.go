package pool

// rank is how much a birth is needed.
type rank uint8

const (
	needless rank = iota // not at all
	spare                // for a client that may come
	urgent               // for one that has, or for the floor
)

// waits is what an opaque pool knows of its accept queue. Nothing is looked at
// before the watched socket has told of a client, and nothing once the queue was
// seen empty.
type waits struct {
	since Time // the queue is not known to have been empty since; 0 if it is
	look  Time // look again
	seen  int  // clients at the last look
	at    Time // of the last look
	ready Time // when one has started last, who takes a client any moment
}

// ageBlur is by how much the age of a client may be wrong: the kernel counts in
// ticks of its own, the longest of which are 10 ms.
const ageBlur = 10 * Millisecond

// clientWaits gives birth for the clients that wait: to one child, or to as
// many as there are clients while no more than the ramp are on their way.
func (p *Pool) clientWaits(waiting int) {
	if !p.watching {
		return // the event crossed a change of mind
	}
	p.shrink.lastClient = p.now
	if p.opaque() {
		p.queueFills()
		return
	}
	births := min(max(1, waiting), p.policy.ramp())
	if p.policy.Single {
		births = min(births, p.policy.ramp()-len(p.births))
	}
	if p.policy.Limit > 0 {
		births = min(births, p.policy.Limit-p.total())
	}
	p.considerStress(births)
	p.crowd = births
	for p.crowd > 0 && p.mayBirth() && p.birth(urgent) != nil {
		p.crowd--
	}
	if p.policy.Single && p.ceiling.rank != urgent {
		p.crowd = 0 // those who still wait are told of again
	}
	p.countCrowd()
}

// countCrowd asks how many clients wait, where more could be born for them at
// once. Without an answer there is no crowd.
func (p *Pool) countCrowd() {
	if p.policy.Ramp > 1 && !p.opaque() && !p.policy.Single && p.mayBirth() && p.event != Looked {
		p.do(Action{Kind: Look})
	}
}

// need is how much another birth is needed now.
func (p *Pool) need() rank {
	ramp := p.policy.ramp()
	if p.crowd > 0 && p.unheard < ramp {
		return urgent
	}
	if p.policy.Min == 0 && p.policy.Spare == 0 {
		return needless
	}
	onTheWay := len(p.births)
	if p.policy.Ready {
		onTheWay = max(onTheWay, p.unheard)
	}
	switch {
	case onTheWay >= ramp:
		return needless
	case p.staying < p.policy.Min:
		return urgent
	case p.spares() < p.policy.Spare:
		return spare
	}
	return needless
}

// spares is how many clients could be served at once, as far as it is known.
func (p *Pool) spares() int {
	if p.opaque() {
		return p.staying
	}
	return p.available
}

// grow gives birth to whoever is needed without a client having to come.
func (p *Pool) grow() {
	p.refloor()
	p.claim()
	born := 0
	for p.mayBirth() {
		r := p.need()
		if r == needless || r == p.ceiling.rank {
			break
		}
		crowd := p.crowd > 0
		if crowd {
			p.considerStress(1)
		}
		if p.birth(r) == nil {
			break
		}
		if crowd {
			p.crowd--
			born++
		}
	}
	if born > 0 {
		p.countCrowd()
	}
	p.unclaim()
}

// birth asks for one child, if the ceilings permit it; nil if not. It counts
// as available from here on: the client that waits is its own. In a Single pool
// it has its client already.
func (p *Pool) birth(r rank) *child {
	if !p.take(r) {
		return nil
	}
	c := p.newChild()
	c.generation = p.gens.Next()
	c.since, p.bornAt = p.now, p.now
	if p.births == nil {
		p.births = make(map[uint32]*child)
	}
	p.births[c.generation] = c
	if p.policy.Single {
		p.setState(c, taken)
	} else {
		p.setState(c, available)
	}
	p.do(Action{Kind: Birth, Generation: c.generation, Stress: p.stressed()})
	if p.fails.halfOpen {
		p.fails.probe = c
		p.fails.probeAt = p.now + Time(max(p.fails.wait, p.policy.Backoff.First, Millisecond))
	}
	if p.wakeOnBirth {
		p.wakeOnBirth = false
		p.wakeAt = p.now
	}
	return c
}

// counted learns how many clients wait in a pool whose children tell who is
// busy: for those who are more than the free ones, somebody is born.
func (p *Pool) counted(waiting int) {
	if p.policy.Ramp > 1 && !p.policy.Single && !p.ended() {
		p.crowd = max(0, waiting-p.available)
	}
}

// queueFills begins to look how long the clients of an opaque pool wait. A pool
// without anybody has nothing to wait for.
func (p *Pool) queueFills() {
	p.shrink.sampling = false
	p.measureAll()
	if !p.mayBirth() {
		return
	}
	p.waits = waits{since: p.now, at: p.now, look: p.now + Time(p.waitStep())}
	if p.staying == 0 {
		p.bearOne()
		p.waits.look = p.now + Time(max(p.policy.Wait, Millisecond))
	}
}

// bearOne gives birth for a client of an opaque pool.
func (p *Pool) bearOne() {
	p.considerStress(1)
	p.crowd = 1
	if p.mayBirth() && p.birth(urgent) != nil {
		p.crowd = 0
	}
	p.shrink.needed = p.now
	p.shrink.at = 0
}

// waitStep is the time between two looks.
func (p *Pool) waitStep() Duration { return max(p.policy.Wait/looksPerWait, Millisecond) }

// queueEmpty forgets the clients that waited: somebody took them.
func (p *Pool) queueEmpty() {
	p.waits = waits{}
	p.crowd = 0
	p.fails.fruitless = 0
	if !p.policy.Ready {
		for c := p.first(byStart); c != nil; c = p.first(byStart) {
			p.hear(c)
		}
	}
}

// queueSeen learns what waits in an opaque pool.
func (p *Pool) queueSeen(ev *Event) {
	waiting, age := int(ev.N), ev.Span
	if p.waits.since == 0 {
		return
	}
	if waiting == 0 {
		p.queueEmpty()
		return
	}
	p.shrink.lastClient = p.now
	p.queueMoved(ev)
	waited := Duration(p.now - p.waits.since)
	switch {
	case !p.allowed() && !p.full():
		p.forgetQueue() // whoever may give birth again watches again
	case waited < p.policy.Wait:
		step := p.waitStep()
		if age > 0 {
			step = p.policy.Wait - waited
		}
		p.waits.look = p.now + Time(max(step, Millisecond))
	case p.full():
		if p.now >= p.quietTo {
			p.tellLimit()
		}
		p.shrink.needed = p.now
		p.forgetQueue()
	case p.waits.ready != 0 && p.now < p.waits.ready+Time(p.policy.Wait):
		p.waits.look = p.waits.ready + Time(p.policy.Wait)
	case p.ceiling.rank == urgent:
		p.forgetQueue() // the ceiling will say when there is a place
	default:
		p.bearFor(waiting)
		p.waits.look = p.now + Time(max(p.policy.Wait, Millisecond))
	}
}

// credit has the only child of an opaque pool have served the clients that have
// come since its birth and are gone.
func (p *Pool) credit() {
	if p.total() != 1 {
		return
	}
	for _, c := range p.children {
		if p.shrink.lastClient >= c.since {
			c.proven = true
			p.served(c)
		}
	}
}

// queueMoved hears of those who were born from the fact that clients were
// taken.
func (p *Pool) queueMoved(ev *Event) {
	waiting, age := int(ev.N), ev.Span
	took := max(0, p.waits.seen-waiting, int(ev.Took))
	switch {
	case age > 0:
		if p.now-Time(age) > p.waits.at+Time(ageBlur) {
			took = max(took, 1) // the oldest has come since the last look
		}
		p.waits.since = p.now - Time(age)
	case p.waits.seen > 0 && took >= p.waits.seen:
		p.waits.since = p.waits.at // they all have come since then
	}
	p.waits.seen, p.waits.at = waiting, p.now
	for c := p.first(byStart); c != nil && took > 0 && !p.policy.Ready; c = p.first(byStart) {
		p.hear(c)
		took--
	}
}

// bearFor gives birth for clients that have waited too long, but not for those
// to whom somebody is on the way.
func (p *Pool) bearFor(waiting int) {
	p.shrink.needed, p.shrink.at = p.now, 0
	for p.mayBirth() && p.unheard < min(p.policy.ramp(), waiting) {
		p.bearOne()
	}
}

// forgetQueue has the accept queue of an opaque pool be unknown.
func (p *Pool) forgetQueue() { p.waits = waits{} }
