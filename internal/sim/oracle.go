package sim

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// The rules' own numbers, written down a second time on purpose.
const (
	memory  = 1000 * pool.Second
	sigTERM = 15
	sigKILL = 9
)

// Oracle holds what one pool does against what it has promised. It is dumb: it
// keeps a list of children and walks it for every question.
type Oracle struct {
	policy pool.Policy
	now    pool.Time
	kids   []kid

	started, removed, gone, watching, wakesOnUse bool

	throttledTo, stressTo, quietTo, wakeDue, killDue, lookedAt, armed pool.Time

	// What the event at hand allows and demands.
	event      pool.Event
	births     int  // how many births it must lead to
	crowd      int  // how many more it may, for clients seen waiting
	mustCrash  bool // a throttle has to begin
	mustRotate bool
	mustDie    bool // a death has to be told
	woken      bool
	suspect    pool.Note
	saved      kid // the one that the event has taken out of the books
}

// kid is one child as the records say, from the request for its birth on.
type kid struct {
	gen    uint32
	pid    int32 // 0 while the birth is under way
	claim  int32 // who spoke for a birth under way
	said   int32 // the last state believed, or silent
	old    bool
	idle   bool // was counted on when it became old
	deaf   bool
	termed bool
	killed bool
	uses   uint32
	since  pool.Time
}

const silent int32 = -1

// counted tells whether clients may be left to the child.
func (k *kid) counted() bool { return !k.old && !k.deaf && k.said != pool.StateTaken }

// judge holds what one pool does against what it has promised.
type judge interface {
	Step(now pool.Time, ev pool.Event, did []pool.Action) string
	begun() bool
	expects(generation uint32) bool
	knows(pid int32) bool
}

// newJudge is the judge for a policy: of Postfix's kind, or of the others.
func newJudge(policy pool.Policy) judge {
	if policy.Stop != (pool.Stopping{}) {
		return newNativeOracle(policy)
	}
	return NewOracle(policy)
}

func (o *Oracle) begun() bool                    { return o.started }
func (o *Oracle) expects(generation uint32) bool { return o.unborn(generation) != nil }
func (o *Oracle) knows(pid int32) bool           { return o.kid(pid) != nil }

// NewOracle is the oracle of a pool that has not Started.
func NewOracle(policy pool.Policy) *Oracle { return &Oracle{policy: policy} }

// Step judges what a pool did after an event; "" is no objection. BEFORE: it was
// told every step of that pool.
func (o *Oracle) Step(now pool.Time, ev pool.Event, did []pool.Action) string {
	o.now = max(o.now, now)
	if o.gone {
		if len(did) > 0 {
			return "a pool that is gone did something"
		}
		return ""
	}
	o.enter(ev)
	for i := range did {
		if wrong := o.judge(&did[i]); wrong != "" {
			return fmt.Sprintf("%s: %s", did[i], wrong)
		}
	}
	return o.missing()
}

// Counts is how many children are in the books, and how many of them clients
// may be left to.
func (o *Oracle) Counts() (total, counted int) {
	for i := range o.kids {
		if o.kids[i].counted() {
			counted++
		}
	}
	return len(o.kids), counted
}

// full tells whether the limit is reached.
func (o *Oracle) full() bool { return o.policy.Limit > 0 && len(o.kids) >= o.policy.Limit }

// throttled tells whether births are forbidden.
func (o *Oracle) throttled() bool { return o.throttledTo > o.now }

// enter writes the event down and works out what it may lead to.
func (o *Oracle) enter(ev pool.Event) {
	o.event = ev
	o.births, o.mustCrash, o.mustRotate, o.mustDie, o.woken = 0, false, false, false, false
	o.suspect = 0
	if o.throttledTo != 0 && !o.throttled() {
		o.throttledTo = 0
	}
	switch ev.Kind {
	case pool.Started:
		o.started = true
		o.beginWakes()
	case pool.ClientWaits:
		o.enterClient(int(ev.N))
	case pool.Reported:
		o.suspect = o.suspicion()
		o.enterRecord(&ev)
	case pool.Born:
		o.enterBorn(&ev)
	case pool.Stillborn:
		o.takeOut(func(k *kid) bool { return k.pid == 0 && k.gen == ev.Generation })
		o.mustDie, o.mustCrash = true, o.mayThrottle()
	case pool.Died:
		o.enterDied(&ev)
	case pool.Ticked:
		o.armed = 0
	case pool.Looked:
		if o.policy.Ramp > 1 && !o.removed {
			_, counted := o.Counts()
			o.crowd = max(0, int(ev.N)-counted)
		}
	case pool.Replanned:
		if !o.removed {
			o.crowd = 0
			o.policy, o.mustRotate = *ev.Policy, true
			o.beginWakes()
		}
	case pool.Removed:
		if !o.removed {
			o.removed, o.throttledTo, o.wakeDue, o.wakesOnUse, o.crowd = true, 0, 0, false, 0
			o.becomeOld()
			o.beginDeadline()
		}
	case pool.Pardoned:
		o.throttledTo = 0
	}
}

func (o *Oracle) enterClient(waiting int) {
	if !o.watching {
		return
	}
	o.crowd = 0
	o.births = min(max(waiting, 1), max(o.policy.Ramp, 1))
	if o.policy.Limit > 0 {
		o.births = min(o.births, o.policy.Limit-len(o.kids))
		o.comesNear(o.births)
	}
	if o.wakesOnUse {
		o.wakesOnUse, o.wakeDue = false, o.now
	}
}

// comesNear begins or prolongs a time of stress if so many births are the last
// that the limit permits.
func (o *Oracle) comesNear(births int) {
	if o.policy.Stress && o.policy.Limit > 1 && births+len(o.kids) >= o.policy.Limit {
		o.mustRotate = o.stressTo <= o.now
		o.stressTo = o.now + pool.Time(memory)
	}
}

func (o *Oracle) enterRecord(ev *pool.Event) {
	if ev.Sender != 0 && ev.Sender != ev.PID || ev.State != pool.StateTaken && ev.State != pool.StateAvailable {
		return
	}
	k := o.speaker(ev)
	if k == nil || k.gen != ev.Generation {
		return
	}
	k.claim = ev.PID
	if !k.old && k.said == pool.StateTaken && ev.State == pool.StateAvailable {
		k.uses++
	}
	wasCounted := k.counted()
	k.said, k.deaf = ev.State, false
	if k.counted() && !wasCounted && o.crowd > 0 {
		o.crowd--
	}
}

// speaker is the child that a record can be from: one with that pid, or a birth
// under way that nobody else has spoken for.
func (o *Oracle) speaker(ev *pool.Event) *kid {
	if k := o.kid(ev.PID); k != nil || ev.PID <= 0 {
		return k
	}
	if k := o.unborn(ev.Generation); k != nil && (k.claim == 0 || k.claim == ev.PID) {
		return k
	}
	return nil
}

func (o *Oracle) enterBorn(ev *pool.Event) {
	k := o.unborn(ev.Generation)
	if k.claim != ev.PID {
		k.said, k.uses = silent, 0
	}
	k.pid = ev.PID
	if o.removed && o.killDue == 0 {
		o.beginDeadline()
	}
}

func (o *Oracle) enterDied(ev *pool.Event) {
	if !o.takeOut(func(k *kid) bool { return k.pid == ev.PID && k.pid != 0 }) {
		return
	}
	asked := o.removed && (ev.Code == -sigTERM || ev.Code == -sigKILL)
	o.mustDie = ev.Code != 0 && !asked
	o.mustCrash = o.mustDie && o.saved.uses == 0 && o.mayThrottle()
}

func (o *Oracle) mayThrottle() bool {
	return !o.removed && o.throttledTo == 0 && o.policy.Throttle > 0
}

// newborn is how many are counted on and have not been heard of.
func (o *Oracle) newborn() (n int) {
	for i := range o.kids {
		if o.kids[i].counted() && o.kids[i].said == silent {
			n++
		}
	}
	return n
}

func (o *Oracle) beginWakes() {
	o.wakeDue, o.wakesOnUse = 0, false
	if o.policy.Wakeup > 0 && o.policy.WakeupOnUse {
		o.wakesOnUse = true
	} else if o.policy.Wakeup > 0 {
		o.wakeDue = o.now
	}
}

func (o *Oracle) beginDeadline() {
	if o.policy.KillAfter > 0 {
		o.killDue = o.now + pool.Time(o.policy.KillAfter)
	}
}

func (o *Oracle) becomeOld() {
	for i := range o.kids {
		k := &o.kids[i]
		k.idle = k.idle || k.counted()
		k.old = true
	}
}

func (o *Oracle) kid(pid int32) *kid {
	for i := range o.kids {
		if o.kids[i].pid == pid && pid != 0 {
			return &o.kids[i]
		}
	}
	return nil
}

func (o *Oracle) unborn(gen uint32) *kid {
	for i := range o.kids {
		if o.kids[i].pid == 0 && o.kids[i].gen == gen {
			return &o.kids[i]
		}
	}
	return nil
}

func (o *Oracle) takeOut(is func(*kid) bool) bool {
	for i := range o.kids {
		if is(&o.kids[i]) {
			o.saved = o.kids[i]
			o.kids = append(o.kids[:i], o.kids[i+1:]...)
			return true
		}
	}
	return false
}
