package pool

// Generations hands out the numbers of births. All pools of one manager share
// one, so that no two children alive have the same. It begins with 1 and
// wraps around after 2³².
type Generations struct{ last uint32 }

// Next is the number of one birth.
func (g *Generations) Next() uint32 {
	g.last++
	return g.last
}

// Pool is the life of one service. Use New; the zero Pool is of no use.
type Pool struct {
	policy Policy
	gens   *Generations
	now    Time
	out    []Action

	started  bool
	removed  bool
	gone     bool
	watching bool

	// children are those with a pid, by pid; births those without one yet, by
	// generation. Together they count against the limit.
	children map[int32]*child
	births   map[uint32]*child
	// available is how many of both a client could find free.
	available int
	// unheard is how many of the available have never reported anything.
	unheard int
	// departing is how many are leaving that were free when they were asked
	// to: their places will soon be free too.
	departing int

	// Points in time; 0 means that there is none.
	armed       Time // what the caller was last asked to ring
	throttledTo Time // no birth before
	stressTo    Time // children are born under stress before
	quietTo     Time // no limit warning before
	wakeAt      Time // next wake-up
	killAt      Time // children of a removed service that are left are killed
	lookAt      Time // have a look at who waits
	fullSince   Time // all children there are, and none available
	wakeOnBirth bool // the wake-up timer waits for a first birth

	free     *child
	recorder Recorder
	steps    uint64
}

// New is the pool of a service that has not Started yet.
func New(policy Policy, gens *Generations) *Pool {
	return &Pool{policy: policy, gens: gens, now: 1}
}

// Step takes one event and returns what to do, in order. The slice is valid
// until the next Step. BEFORE: now is not before that of the last step. AFTER:
// exactly one of the manager and the children attends to the clients, unless
// the limit or a throttle forbids it.
func (p *Pool) Step(now Time, ev Event) []Action {
	if now > p.now {
		p.now = now
	}
	p.out = p.out[:0]
	if p.gone {
		return p.out
	}
	// A throttle that is over, rung or not, must not hide the next crash.
	if due(p.throttledTo, p.now) {
		p.release()
	}
	p.happen(&ev)
	p.expire()
	p.settle()
	p.recorder.record(p.now, ev, p.out)
	p.check()
	return p.out
}

// happen enters one event into the books.
func (p *Pool) happen(ev *Event) {
	//exhaustive:enforce
	switch ev.Kind {
	case Started:
		p.started = true
		p.wakeStart()
	case ClientWaits:
		p.clientWaits(int(ev.N))
	case Reported:
		p.reported(ev)
	case Born:
		p.born(ev)
	case Stillborn:
		p.stillborn(ev)
	case Died:
		p.died(ev)
	case Ticked:
		// Whatever is due is found by expire, after every event. The ring
		// that was armed is used up, be it early.
		p.armed = 0
	case Looked:
		p.looked(int(ev.N))
	case Replanned:
		p.replanned(ev.Policy)
	case Removed:
		p.remove()
	case Pardoned:
		p.release()
	default:
		panic("pool: event of an unknown kind")
	}
}

// settle is the one place that decides who attends to the clients, that tells
// when nobody can, and that arms the timer. Every step ends here.
func (p *Pool) settle() {
	p.gone = p.removed && p.total() == 0
	if p.gone {
		p.killAt = 0
	}
	if want := p.mayBirth() && p.available == 0; want != p.watching {
		p.watching = want
		if want {
			p.do(Action{Kind: Watch})
		} else {
			p.do(Action{Kind: Unwatch})
		}
	}
	p.settleFull()
	if next := p.next(); next != p.armed {
		p.armed = next
		p.do(Action{Kind: Arm, At: next})
	}
	if p.gone {
		p.do(Action{Kind: Gone})
	}
}

// total is how many children count against the limit.
func (p *Pool) total() int { return len(p.children) + len(p.births) }

// mayBirth tells whether a child may be born now.
func (p *Pool) mayBirth() bool {
	return p.started && !p.removed && p.throttledTo == 0 && !p.full()
}

// full tells whether the limit is reached.
func (p *Pool) full() bool {
	return p.policy.Limit > 0 && p.total() >= p.policy.Limit
}

// do appends an action.
func (p *Pool) do(a Action) { p.out = append(p.out, a) }

// clientWaits gives birth for the clients that wait: to one child, or until as
// many are available as clients were counted, but no more than the ramp.
func (p *Pool) clientWaits(waiting int) {
	if !p.watching && (waiting <= p.available || !p.mayBirth()) {
		return // the event crossed a change of mind, or there are enough
	}
	births := min(max(1, waiting), max(1, p.policy.Ramp)) - p.available
	if p.policy.Limit > 0 {
		births = min(births, p.policy.Limit-p.total())
	}
	if births <= 0 {
		return
	}
	p.considerStress(births)
	for range births {
		p.birth()
	}
}

// birth asks for one child. It counts as available from here on: the client
// that waits is its own.
func (p *Pool) birth() {
	c := p.newChild()
	c.generation = p.gens.Next()
	c.since = p.now
	if p.births == nil {
		p.births = make(map[uint32]*child)
	}
	p.births[c.generation] = c
	p.setState(c, available)
	p.do(Action{Kind: Birth, Generation: c.generation, Stress: p.stressed()})
	if p.wakeOnBirth {
		p.wakeOnBirth = false
		p.wakeAt = p.now
	}
}

// stressed tells whether children are born under stress.
func (p *Pool) stressed() bool { return p.policy.Stress && p.now < p.stressTo }

// replanned takes a new policy. Children of the old plan still count, but the
// clients are not theirs any more. A throttle outlives a reload. A service that
// was removed has no plan to change.
func (p *Pool) replanned(policy *Policy) {
	if p.removed {
		return
	}
	p.policy = *policy
	p.fullSince = 0
	p.rotate()
	p.wakeStart()
}

// rotate has every child leave when convenient.
func (p *Pool) rotate() {
	p.do(Action{Kind: Rotate})
	p.dismiss()
}

// dismiss has nobody counted on any more.
func (p *Pool) dismiss() {
	for _, c := range p.children {
		p.setState(c, leaving)
	}
	for _, c := range p.births {
		p.setState(c, leaving)
	}
}

// remove ends all children, and whoever is born from a birth under way. It is
// done once; the deadline of the first time stands.
func (p *Pool) remove() {
	if p.removed {
		return
	}
	p.removed = true
	p.throttledTo, p.wakeAt, p.lookAt = 0, 0, 0
	p.wakeOnBirth = false
	p.dismiss()
	for _, pid := range p.pids() {
		p.do(Action{Kind: Terminate, PID: pid})
	}
	p.startDeadline()
}
