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
	event  EventKind // the one at hand

	started  bool
	removed  bool
	hurried  bool // no child gets more time to stop
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
	// staying is how many have not been asked to leave.
	staying int
	queues  [queues]queue
	spans   [queues]Duration // after which the head of each is due
	timed   bool             // any of them is

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
	queueAt     Time // something in the queues may be due

	// crowd is how many clients were seen waiting for whom nobody is on the
	// way.
	crowd    int
	paused   bool
	draining bool
	drainAt  Time // those who are left are sent the stop signal
	tells    bool // a child of an opaque pool has told that it is busy
	waits    waits
	shrink   shrinking
	turns    turns
	fails    fails
	ceiling  standing
	measured Time // when all were, in an opaque pool
	bornAt   Time // when the last birth was asked for

	moved          Moved
	saturatedSince Time // 0 while it is not
	saturated      Duration

	free     *child
	recorder Recorder
	steps    int // since the books were added up
}

// New is the pool of a service that has not Started yet.
func New(policy Policy, gens *Generations) *Pool {
	p := &Pool{gens: gens, now: 1}
	p.setPolicy(&policy)
	return p
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
	p.event = ev.Kind
	p.moved = Moved{}
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
		p.looked(ev)
	case Replanned:
		p.replanned(ev.Policy)
	case Removed:
		if p.ended() {
			p.hurry()
		}
		p.remove()
	case Pardoned:
		p.pardon()
	case Paused, Resumed:
		p.paused = ev.Kind == Paused
	case Adjusted, Scaled:
		p.adjusted(ev)
	case Draining:
		p.drain(ev.Span)
	case SlotFree:
		// The place that is held is found by settle.
	case Yield:
		p.yield()
	case Ready, Heartbeat, Extended, Leaves, Measured:
		p.signalled(ev)
	default:
		panic("pool: event of an unknown kind")
	}
}

// settle is the one place that decides who attends to the clients, that tells
// when nobody can, and that arms the timer. Every step ends here.
func (p *Pool) settle() {
	p.fit()
	p.replace()
	p.grow()
	if due(p.wakeAt, p.now) {
		p.wakeUp() // a birth just now was the first
	}
	p.settleShrink()
	p.gone = p.ended() && p.total() == 0
	if p.gone {
		p.killAt, p.drainAt = 0, 0
		p.leaveCeilings()
	}
	if want := p.wantsWatch(); want != p.watching {
		p.watching = want
		if want {
			p.do(Action{Kind: Watch})
		} else {
			p.do(Action{Kind: Unwatch})
		}
	}
	p.settleFull()
	p.settleSaturation()
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

// ended tells whether the pool is on its way out.
func (p *Pool) ended() bool { return p.removed || p.draining }

// opaque tells whether nobody knows who is busy.
func (p *Pool) opaque() bool { return p.policy.Opaque && !p.tells }

// mayBirth tells whether a child may be born now.
func (p *Pool) mayBirth() bool { return p.allowed() && p.ceiling.rank != urgent }

// allowed is mayBirth, as far as the pool's own policy goes.
func (p *Pool) allowed() bool {
	switch {
	case !p.started || p.ended() || p.paused || p.full():
		return false
	case p.throttledTo != 0 || p.fails.gaveUp:
		return false
	case p.fails.halfOpen && p.fails.probe != nil:
		return false
	}
	return !p.policy.Single || len(p.births) < p.policy.ramp()
}

// wantsWatch tells whether the manager has to attend to the clients.
func (p *Pool) wantsWatch() bool {
	if p.opaque() {
		return p.waits.since == 0 && (p.mayBirth() || p.shrink.sampling)
	}
	return p.mayBirth() && p.available == 0
}

// full tells whether the limit is reached.
func (p *Pool) full() bool {
	return p.policy.Limit > 0 && p.total() >= p.policy.Limit
}

// do appends an action.
func (p *Pool) do(a Action) { p.out = append(p.out, a) }

// stressed tells whether children are born under stress.
func (p *Pool) stressed() bool { return p.policy.Stress && p.now < p.stressTo }

// replanned takes a new policy. Children of the old plan still count, but the
// clients are not theirs any more. A throttle outlives a reload. A service that
// was removed has no plan to change.
func (p *Pool) replanned(policy *Policy) {
	if p.ended() {
		return
	}
	p.setPolicy(policy)
	p.fullSince = 0
	p.crowd = 0
	p.forgive()
	p.forgetQueue()
	p.rotate()
	p.tells = false
	p.wakeStart()
}

// adjusted takes a new policy, or a new limit, for the same children.
func (p *Pool) adjusted(ev *Event) {
	if p.ended() {
		return
	}
	p.fullSince = 0
	if ev.Kind == Scaled {
		p.policy.Limit = int(ev.N)
		return
	}
	wakeup, onUse := p.policy.Wakeup, p.policy.WakeupOnUse
	p.setPolicy(ev.Policy)
	p.forgetQueue()
	if p.policy.Wakeup != wakeup || p.policy.WakeupOnUse != onUse {
		p.wakeStart()
	}
}

// rotate has every child leave when convenient. Who has to be asked one by one
// is replaced, a few at a time.
func (p *Pool) rotate() {
	if p.policy.managed() {
		p.replaceAll()
		return
	}
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
	p.drainAt = 0
	p.quit()
	p.dismiss()
	for _, pid := range p.pids() {
		p.terminate(p.children[pid])
	}
	p.startDeadline()
}

// hurry takes back the time that children have asked for to stop.
func (p *Pool) hurry() {
	p.hurried = true
	for _, pid := range p.pids() {
		if c := p.children[pid]; c.extended > p.now {
			c.extended = 0
			if c.isIn(byStop) {
				p.enqueue(byStop, c, p.now)
			}
		}
	}
}

// quit ends everything that is there for clients to come.
func (p *Pool) quit() {
	p.throttledTo, p.wakeAt, p.lookAt = 0, 0, 0
	p.wakeOnBirth = false
	p.crowd = 0
	p.forgetQueue()
}
