package sim

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// service is one service of the world: a pool, its oracle, the socket, and the
// part of a manager that every pool needs around it.
type service struct {
	life   uint64 // of things planned for another life nothing comes
	pool   *pool.Pool
	oracle judge
	policy pool.Policy
	record *lifeRecord

	waiting   []int64    // when each client came, the oldest first
	idle      []*process // who accepts
	members   int        // processes of this service that have not been reaped
	births    int        // not answered yet
	channel   int        // how often it was rotated
	readAt    int64      // the channel keeps the order of records
	announced bool
	watching  bool
	armed     pool.Time
	ring      uint64 // which ring is the one asked for
	removed   bool
	removedAt int64
	// One in wickedness of its processes is of any temper, or of that which
	// runs in the family.
	wickedness int
	trait      temper
	pace       pool.Duration // the longest time between two arrivals
	native     native

	// The audit: since when the oldest client has had no excuse for waiting.
	moved        int64 // clients that left the queue, and children given up
	auditMoved   int64
	blockedSince int64
}

// beginService brings a new service into the world.
func (w *World) beginService() {
	w.tally.Lives++
	s := &service{
		life: w.chance.next() | 1, policy: w.anyPolicy(), blockedSince: w.now,
		wickedness: 1 << w.chance.below(6), trait: temper(w.chance.below(int(orphan))),
		pace: 4 * pool.Second << w.chance.below(6),
	}
	if w.chance.oneIn(2) {
		w.becomeNative(s)
	}
	s.pool = pool.New(s.policy, &w.gens)
	s.oracle = newJudge(s.policy)
	s.record = newLifeRecord(s.policy)
	w.services = append(w.services, s)
	w.putUnderCeilings(s)
	w.tell(s, pool.Event{Kind: pool.Started})
	w.planFor(s, 0, clientsArrive)
	w.planFor(s, 10*pool.Second, serviceAudited)
	w.planFor(s, w.chance.upTo(400*pool.Second), planChanges)
	w.planFor(s, w.chance.upTo(400*pool.Second), operatorPardons)
	w.planFor(s, w.chance.upTo(400*pool.Second), needlessRing)
	w.planFor(s, 100*pool.Second+w.chance.upTo(2000*pool.Second), serviceEnds)
	if s.native.is {
		w.planFor(s, w.chance.upTo(400*pool.Second), operatorActs)
	}
}

// anyPolicy is a policy that somebody might want.
func (w *World) anyPolicy() pool.Policy {
	c := &w.chance
	p := pool.Policy{
		Limit:    c.below(12),
		Throttle: pool.Duration(c.below(60)) * pool.Second,
		Stress:   c.oneIn(2),
		Ramp:     c.below(5),
	}
	if c.oneIn(3) {
		p.Wakeup = pool.Duration(1+c.below(300)) * pool.Second
		p.WakeupOnUse = c.oneIn(2)
	}
	if !c.oneIn(8) {
		p.KillAfter = pool.Duration(1+c.below(10)) * pool.Second
	}
	if c.oneIn(2) {
		p.Patience = pool.Duration(1+c.below(10)) * pool.Second
	}
	return p
}

// planFor plans what happens to a service in this life of its.
func (w *World) planFor(s *service, after pool.Duration, kind thingKind) {
	w.plan(after, thing{kind: kind, service: s, token: s.life})
}

// happenToService is one thing in the life of a service.
func (w *World) happenToService(t *thing) {
	s := t.service
	switch t.kind {
	case clientsArrive:
		w.arrive(s)
	case clientGivesUp:
		if len(s.waiting) > 0 {
			w.tally.GaveUp++
			s.moved++
			s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		}
	case clientsAnnounced:
		s.announced = false
		w.announce(s)
	case childForks:
		w.fork(s, t.gen, t.channel)
	case birthFailed:
		s.births--
		w.tally.Stillborn++
		w.tell(s, pool.Event{Kind: pool.Stillborn, Generation: t.gen, Code: 11})
	case recordRead:
		w.tell(s, pool.Event{Kind: pool.Reported, PID: t.pid, Sender: t.sender, Generation: t.gen, State: t.state})
	case ringComes:
		if t.token == s.ring && s.armed != 0 {
			s.armed = 0
			w.tell(s, pool.Event{Kind: pool.Ticked})
		}
	case needlessRing:
		s.armed = 0
		w.tell(s, pool.Event{Kind: pool.Ticked})
		w.planFor(s, w.chance.upTo(400*pool.Second), needlessRing)
	case lookAnswered:
		w.answerLook(s)
	case planChanges:
		p := w.anyPolicy()
		if s.native.is {
			p = w.anyNativePolicy(s)
		}
		if !s.removed {
			s.policy = p
			s.native.calmSince = w.now
		}
		w.tell(s, pool.Event{Kind: pool.Replanned, Policy: &p})
		w.planFor(s, w.chance.upTo(3000*pool.Second), planChanges)
	case operatorPardons:
		w.tell(s, pool.Event{Kind: pool.Pardoned})
		w.planFor(s, w.chance.upTo(400*pool.Second), operatorPardons)
	case serviceEnds:
		w.endService(s)
	case operatorActs, pauseEnds, slotIsFree, placeIsAsked, memoryMeasured:
		w.happenToNative(t)
	case serviceAudited:
		w.audit(s)
		w.planFor(s, 10*pool.Second, serviceAudited)
	}
}

// arrive has clients come, one or many, and others after a while.
func (w *World) arrive(s *service) {
	if s.removed {
		return
	}
	burst := 1
	if w.chance.oneIn(4) {
		burst = 1 + w.chance.below(15)
	}
	for range min(burst, crowdAtMost-len(s.waiting)) {
		s.waiting = append(s.waiting, w.now)
	}
	if w.chance.oneIn(8) {
		w.planFor(s, w.chance.upTo(30*pool.Second), clientGivesUp)
	}
	w.planFor(s, w.chance.upTo(s.pace), clientsArrive)
	w.attend(s)
}

// attend lets whoever accepts take the clients that wait, and otherwise has
// them announced to the manager, if it watches.
func (w *World) attend(s *service) {
	for len(s.waiting) > 0 && len(s.idle) > 0 {
		p := s.idle[w.chance.below(len(s.idle))]
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		s.moved++
		w.tally.Served++
		w.accept(p)
	}
	if len(s.waiting) > 0 && s.watching && !s.announced {
		s.announced = true
		w.planFor(s, w.chance.upTo(pool.Second/100), clientsAnnounced)
	}
}

// announce tells the pool of clients, if the socket still says so; once in a
// while it was read before and told after.
func (w *World) announce(s *service) {
	if len(s.waiting) == 0 || !s.watching && !w.chance.oneIn(4) {
		return
	}
	n := int32(len(s.waiting))
	if w.chance.oneIn(2) {
		n = 0
	}
	w.tell(s, pool.Event{Kind: pool.ClientWaits, N: n})
}

// endService takes the service out of the plan.
func (w *World) endService(s *service) {
	if s.removed {
		w.tell(s, pool.Event{Kind: pool.Removed}) // nothing more than once
		return
	}
	if w.chance.oneIn(4) {
		w.planFor(s, w.chance.upTo(10*pool.Second), serviceEnds)
	}
	s.removed, s.removedAt = true, w.now
	s.waiting = nil
	if s.native.is && w.chance.oneIn(2) {
		w.tally.Drained++
		w.tell(s, pool.Event{Kind: pool.Draining, Span: w.chance.upTo(20 * pool.Second)})
		w.planFor(s, 60*pool.Second, serviceEnds)
		return
	}
	w.tell(s, pool.Event{Kind: pool.Removed})
}

// gone forgets a service. Nothing of it may be left but what it never knew.
func (w *World) gone(s *service) {
	if s.births > 0 || s.members > 0 {
		w.fail(s, fmt.Sprintf("it says that nothing is left, and there are %d births and %d children", s.births, s.members))
		return
	}
	s.life = 0
	w.checkCeilings(s)
	for i, other := range w.services {
		if other == s {
			w.services = append(w.services[:i], w.services[i+1:]...)
			break
		}
	}
	w.plan(w.chance.upTo(10*pool.Second), thing{kind: serviceBegins})
}

// audit looks whether the oldest client has an excuse for waiting. Without one
// it must be served in bounded time.
func (w *World) audit(s *service) {
	if s.removed {
		if w.willKill(s) && w.now-s.removedAt > int64(patienceOfAll) {
			w.fail(s, "it was removed, and does not come to an end")
		}
		return
	}
	if s.native.is {
		w.auditNative(s)
	}
	if len(s.waiting) == 0 || s.moved != s.auditMoved || w.excused(s) {
		s.blockedSince = w.now
	}
	s.auditMoved = s.moved
	if w.now-s.blockedSince > int64(w.patienceFor(s)) {
		w.fail(s, "a client waits for ever")
	}
}

// excused tells whether a client may be left waiting for now: nobody may be
// born, or the pool was given reason to believe in somebody who
// does not deserve it.
func (w *World) excused(s *service) bool {
	if s.native.is {
		return w.excusedNative(s)
	}
	o := s.oracle.(*Oracle)
	total, _ := o.Counts()
	if o.throttled() || s.policy.Limit > 0 && total >= s.policy.Limit || w.noForks {
		return true
	}
	for i := range o.kids {
		k := &o.kids[i]
		p := w.processes[max(k.pid, 0)]
		if k.pid == 0 || p == nil || !k.counted() || p.temper <= lastDecent {
			continue
		}
		if s.policy.Patience == 0 || k.said != silent {
			return true
		}
	}
	return false
}
