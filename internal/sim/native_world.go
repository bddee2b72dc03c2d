package sim

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// native is what a service has that Postfix does not know of.
type native struct {
	is       bool
	silent   bool // its workers never tell who is busy
	single   bool // each gets one client at its birth
	ages     bool // the system can tell how long the oldest client has waited
	paused   bool
	ceilings []*pool.Ceiling
	offered  int   // offers that it was not told of yet
	asked    int32 // who a look is about that was not answered yet
	// since when nobody had a reason to keep more workers than the floor
	calmSince int64
}

// patienceUnderCeiling is how long a client may wait for its turn at a place
// that other services have.
const patienceUnderCeiling = 900 * pool.Second

// becomeNative has a service be one that its pool manages itself.
func (w *World) becomeNative(s *service) {
	w.tally.Natives++
	s.native = native{is: true, single: w.chance.oneIn(8), silent: w.chance.oneIn(3), ages: w.chance.oneIn(2), calmSince: w.now}
	s.policy = w.anyNativePolicy(s)
}

// anyNativePolicy is a policy that somebody might want. Whether its workers
// tell anything stays as it is.
func (w *World) anyNativePolicy(s *service) pool.Policy {
	c := &w.chance
	seconds := func(most int) pool.Duration { return pool.Duration(1+c.below(most)) * pool.Second }
	p := pool.Policy{
		Limit: 1 + c.below(12), Ramp: c.below(5), Min: c.below(3), Spare: c.below(3),
		Stop: pool.Stopping{Timeout: seconds(20)},
	}
	if s.native.single {
		p.Min, p.Spare, p.Limit, p.Single = 0, 0, 1+c.below(8), true
	}
	if s.native.silent && !p.Single {
		p.Opaque, p.Wait = true, pool.Duration(50+c.below(500))*pool.Millisecond
	}
	if c.oneIn(2) {
		p.Backoff = pool.Backoff{First: seconds(5), Factor: float64(1 + c.below(3)), Max: seconds(30), Tries: c.below(2) * (3 + c.below(8))}
	}
	for _, span := range []*pool.Duration{&p.Stop.Drain, &p.StartTimeout, &p.MaxAge, &p.Busy} {
		if c.oneIn(2) {
			*span = 20*pool.Second + seconds(60)
		}
	}
	if c.oneIn(2) {
		p.Idle = seconds(20)
	}
	if c.oneIn(3) {
		p.Ready = true
	}
	if p.Ready && c.oneIn(2) {
		p.Heartbeat = seconds(20)
	}
	if c.oneIn(3) {
		p.MaxUse = 1 + c.below(20)
	}
	if c.oneIn(3) {
		p.MaxMemory = 1000
	}
	p.Stress = c.oneIn(4)
	p.StressKeep = c.oneIn(2)
	return p
}

// putUnderCeilings has some services share limits, in an order that is the same
// for all.
func (w *World) putUnderCeilings(s *service) {
	if !s.native.is || w.chance.oneIn(2) {
		return
	}
	for _, c := range w.ceilings {
		if w.chance.oneIn(2) {
			s.native.ceilings = append(s.native.ceilings, c)
		}
	}
	w.offer(s.pool.Join(s.native.ceilings...))
}

// offer tells pools that a place is held for them, a moment later.
func (w *World) offer(pools []*pool.Pool) {
	for _, p := range pools {
		w.tally.Offers++
		for _, s := range w.services {
			if s.pool == p {
				s.native.offered++
			}
		}
		w.planForPool(p, slotIsFree)
	}
}

func (w *World) planForPool(p *pool.Pool, kind thingKind) {
	for _, s := range w.services {
		if s.pool == p {
			w.planFor(s, w.chance.upTo(pool.Second/100), kind)
		}
	}
}

// performNative does one thing that only native pools ask for.
func (w *World) performNative(s *service, a *pool.Action) {
	switch a.Kind {
	case pool.Stop:
		if p := w.processes[a.PID]; p != nil {
			w.plan(w.chance.upTo(pool.Second/10), thing{kind: processGetsStop, process: p})
		}
	case pool.Measure:
		w.tally.Measured++
		if !w.chance.oneIn(8) {
			w.plan(w.chance.upTo(pool.Second/10), thing{kind: memoryMeasured, service: s, token: s.life, pid: a.PID})
		}
	case pool.Offer:
		w.offer([]*pool.Pool{a.Pool})
	case pool.Ask:
		w.tally.Yields++
		w.planForPool(a.Pool, placeIsAsked)
	}
}

// happenToNative is one thing in the life of a native service.
func (w *World) happenToNative(t *thing) {
	s := t.service
	switch t.kind {
	case slotIsFree:
		s.native.offered--
		w.tell(s, pool.Event{Kind: pool.SlotFree})
	case placeIsAsked:
		w.tell(s, pool.Event{Kind: pool.Yield})
	case memoryMeasured:
		w.tell(s, pool.Event{Kind: pool.Measured, PID: t.pid, Memory: int64(w.chance.below(1200))})
	case pauseEnds:
		s.native.paused = false
		w.tell(s, pool.Event{Kind: pool.Resumed})
	case operatorActs:
		w.operate(s)
		w.planFor(s, w.chance.upTo(400*pool.Second), operatorActs)
	}
}

// operate is what an operator does to a service that lives.
func (w *World) operate(s *service) {
	switch w.chance.below(4) {
	case 0:
		s.native.paused = true
		w.tell(s, pool.Event{Kind: pool.Paused})
		w.planFor(s, w.chance.upTo(60*pool.Second), pauseEnds)
	case 1:
		if !s.removed && !s.policy.Single {
			s.policy.Limit = 1 + w.chance.below(12)
			w.tell(s, pool.Event{Kind: pool.Scaled, N: int32(s.policy.Limit)})
		}
	case 2:
		p := w.anyNativePolicy(s)
		if s.removed || p.Ready != s.policy.Ready {
			return
		}
		s.policy = p
		s.native.calmSince = w.now
		w.tell(s, pool.Event{Kind: pool.Adjusted, Policy: &p})
	case 3:
		if w.chance.oneIn(4) && len(s.native.ceilings) > 0 {
			c := s.native.ceilings[0]
			w.offer(c.Resize(max(c.Taken(), 1+w.chance.below(8))))
		}
	}
}

// answerLook says who waits, and, where the system knows, for how long.
func (w *World) answerLook(s *service) {
	ev := pool.Event{Kind: pool.Looked, N: int32(len(s.waiting))}
	if s.native.ages && len(s.waiting) > 0 {
		ev.Span = max(1, pool.Duration(w.now-s.waiting[0]))
	}
	if ev.PID, s.native.asked = s.native.asked, 0; ev.PID != 0 {
		if p := w.processes[ev.PID]; p != nil && p.busy {
			ev.Held = 1
		}
	}
	w.tell(s, ev)
}

// happenToNativeProcess is one thing in the life of a worker.
func (w *World) happenToNativeProcess(t *thing) {
	p := t.process
	switch {
	case t.kind == processSpeaks:
		s := p.service
		if s.life == 0 || s.policy.Heartbeat == 0 || p.temper == hung {
			return
		}
		w.tell(s, pool.Event{Kind: pool.Heartbeat, PID: p.pid, Generation: p.gen, Sender: p.pid})
		w.plan(s.policy.Heartbeat/2, thing{kind: processSpeaks, process: p})
	case p.temper == stubborn || p.temper == hung:
	case p.busy && w.chance.oneIn(2):
		p.stopped = true
	default:
		w.die(p, -sigTERM)
	}
}

// sayReady is what a worker says once it has started; one that is slow has asked
// for more time.
func (w *World) sayReady(p *process) {
	s := p.service
	if !s.native.is || p.temper == mute {
		return
	}
	if p.temper == slow {
		w.tell(s, pool.Event{Kind: pool.Extended, PID: p.pid, Generation: p.gen, Span: 20 * pool.Second})
	}
	w.tell(s, pool.Event{Kind: pool.Ready, PID: p.pid, Generation: p.gen, Sender: p.pid})
	w.plan(0, thing{kind: processSpeaks, process: p})
}

// takeAtBirth gives a worker of a Single pool its client.
func (w *World) takeAtBirth(p *process) {
	s := p.service
	s.waiting = append(s.waiting[:0], s.waiting[1:]...)
	s.moved++
	w.tally.Served++
	p.started, p.busy, p.maxUses = true, true, 1
	p.temper = min(p.temper, crashing)
	w.act(p, w.chance.upTo(10*pool.Second))
}

// willKill tells whether a service that was removed comes to an end whatever its
// workers do.
func (w *World) willKill(s *service) bool {
	return s.policy.KillAfter > 0 || s.policy.Stop.Timeout > 0
}

// patienceFor is how long a client may wait without an excuse.
func (w *World) patienceFor(s *service) pool.Duration {
	if len(s.native.ceilings) > 0 {
		return patienceUnderCeiling
	}
	return patienceOfAll
}

// excusedNative tells whether a client of a native service may be left waiting
// for now.
func (w *World) excusedNative(s *service) bool {
	v := s.pool.View()
	held := v.Available + v.Taken + v.Leaving + v.Deaf
	if v.Throttled != 0 || v.GaveUp || v.Paused || w.noForks || held >= s.policy.Limit {
		return true
	}
	for _, other := range w.services {
		if other != s && !shareCeiling(s, other) {
			continue
		}
		// Somebody may hold a place, or a client, whom nobody can see through.
		if other.policy.Min > 0 && other != s || other.policy.Single || w.anyIndecent(other) {
			return true
		}
	}
	return false
}

func shareCeiling(s, t *service) bool {
	for _, c := range s.native.ceilings {
		for _, d := range t.native.ceilings {
			if c == d {
				return true
			}
		}
	}
	return false
}

func (w *World) anyIndecent(s *service) bool {
	for _, p := range w.processes {
		if p != nil && p.service == s && !p.dead && p.temper > shortly {
			return true
		}
	}
	return false
}

// auditNative looks whether a pool that nobody needs has shrunk, and whether the
// floor of one that may give birth is there.
func (w *World) auditNative(s *service) {
	v := s.pool.View()
	stay := v.Available + v.Taken + v.Deaf
	calm := len(s.waiting) == 0 && v.Taken == 0 && v.Throttled == 0 && !v.GaveUp && !v.Paused && !v.Probing &&
		v.Replacing == 0 && v.Worn == 0 && !w.anyIndecent(s) && !w.noForks && s.policy.Idle > 0
	if !calm || s.moved != s.auditMoved {
		s.native.calmSince = w.now
		return
	}
	if w.now-s.native.calmSince < int64(4*s.policy.Idle+60*pool.Second) {
		return
	}
	floor := min(max(s.policy.Min, s.policy.Spare), s.policy.Limit)
	switch {
	case stay > floor:
		w.fail(s, fmt.Sprintf("%d workers stay though nobody comes, the floor is %d", stay, floor))
	case stay < floor && len(s.native.ceilings) == 0:
		w.fail(s, fmt.Sprintf("%d workers stay, the floor is %d", stay, floor))
	}
}

// checkFloor looks whether a floor that may be born is on its way, and whether a
// place is held for nobody.
func (w *World) checkFloor(s *service) {
	if !s.native.is || s.removed || w.failure != nil {
		return
	}
	v := s.pool.View()
	total := v.Available + v.Taken + v.Leaving + v.Deaf
	held := v.Throttled != 0 || v.GaveUp || v.Paused || v.Probing || total >= s.policy.Limit || v.Starting > 0 || v.Unready > 0
	switch {
	case !held && len(s.native.ceilings) == 0 && total-v.Leaving < s.policy.Min:
		w.fail(s, "the floor is not restored")
	case v.Held > 0 && s.native.offered == 0 && (!v.Waiting || len(s.native.ceilings) == 1):
		w.fail(s, "a place is held that nobody uses")
	}
}

// checkCeilings counts who lives under each ceiling of a service.
func (w *World) checkCeilings(s *service) {
	if w.failure != nil {
		return
	}
	for _, c := range s.native.ceilings {
		live := 0
		for _, other := range w.services {
			for _, d := range other.native.ceilings {
				if c == d {
					live += other.births + other.members
				}
			}
		}
		if live > c.Limit() {
			w.fail(s, fmt.Sprintf("%d workers under a ceiling of %d", live, c.Limit()))
		}
		if live > c.Taken() {
			w.fail(s, fmt.Sprintf("%d workers, and only %d places taken", live, c.Taken()))
		}
	}
}
