package sim

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// nativeOracle holds what a native pool does against what it has promised. Like
// Oracle it only walks a list, and knows nothing of how the pool does it.
type nativeOracle struct {
	policy pool.Policy
	limit  int
	now    pool.Time
	lives  []life

	started, removed, draining, paused, gaveUp, watching, gone bool

	throttledTo, armed, drainTo pool.Time

	// After a wait: one probe, until it is well.
	halfOpen bool
	wait     pool.Duration
	planRamp int // the widest ramp since the last new plan
	looks    int

	event pool.Event
	hung  int32 // whose picture was taken in this step
	noted bool  // and what for
}

// life is one child, from the request for its birth on.
type life struct {
	gen                      uint32
	pid, claim               int32
	reason                   pool.Reason
	said                     int32
	heard                    bool
	probe, replaced, leaves  bool
	since                    pool.Time
	retired, stopped, killed pool.Time
	extended                 pool.Time
}

func newNativeOracle(policy pool.Policy) *nativeOracle {
	return &nativeOracle{policy: policy, limit: policy.Limit, planRamp: policy.Ramp}
}

func (o *nativeOracle) begun() bool { return o.started }

func (o *nativeOracle) expects(generation uint32) bool { return o.unborn(generation) != nil }

func (o *nativeOracle) knows(pid int32) bool { return o.by(pid) != nil }

// Step judges what a pool did after an event; "" is no objection.
func (o *nativeOracle) Step(now pool.Time, ev pool.Event, did []pool.Action) string {
	o.now = max(o.now, now)
	if o.gone {
		if len(did) > 0 {
			return "a pool that is gone did something"
		}
		return ""
	}
	o.event, o.hung = ev, 0
	o.enter(&ev)
	for i := range did {
		if wrong := o.judge(&did[i]); wrong != "" {
			return fmt.Sprintf("%s: %s", did[i], wrong)
		}
	}
	return o.after()
}

func (o *nativeOracle) enter(ev *pool.Event) {
	if o.throttledTo != 0 && o.throttledTo <= o.now {
		o.throttledTo = 0
	}
	for i := range o.lives {
		// It is well after as long as the wait was, or, where nobody could say, after
		// the time that any start may take.
		l := &o.lives[i]
		span := o.wait
		if o.policy.Opaque && !o.policy.Ready {
			span = min(span, 10*pool.Second)
		}
		if l.probe && l.pid != 0 && o.now >= l.since+pool.Time(span) {
			o.halfOpen = false
		}
	}
	l := o.by(ev.PID)
	switch ev.Kind {
	case pool.Started:
		o.started = true
	case pool.Born:
		l := o.unborn(ev.Generation)
		if l.claim != ev.PID {
			l.heard, l.said = false, silent
		}
		l.pid = ev.PID
	case pool.Stillborn:
		o.strike(o.unborn(ev.Generation))
	case pool.Died:
		if l != nil && l.probe && o.policy.Single && !ev.Unloaded {
			o.halfOpen = false // it ran, and more is not asked of it
		}
		o.strike(l)
	case pool.Reported, pool.Ready, pool.Heartbeat, pool.Extended, pool.Leaves:
		o.said(ev)
	case pool.Ticked:
		o.armed = 0
	case pool.Looked:
		o.looks++
		o.probeForgotten()
	case pool.Scaled:
		o.limit = int(ev.N)
	case pool.Paused, pool.Resumed:
		o.paused = ev.Kind == pool.Paused
	case pool.Draining, pool.Removed, pool.Replanned, pool.Adjusted, pool.Pardoned:
		o.ordered(ev)
	}
}

// ordered enters what the operator wants.
func (o *nativeOracle) ordered(ev *pool.Event) {
	switch ev.Kind {
	case pool.Draining:
		o.draining = true
		o.drainTo = 0
		if ev.Span > 0 {
			o.drainTo = o.now + pool.Time(ev.Span)
		}
		o.throttledTo = 0
	case pool.Removed:
		o.removed, o.throttledTo = true, 0
	case pool.Pardoned:
		o.throttledTo, o.gaveUp, o.halfOpen = 0, false, false
	default:
		if o.removed || o.draining {
			return
		}
		o.policy, o.limit = *ev.Policy, ev.Policy.Limit
		defer func() { o.planRamp = max(o.planRamp, o.policy.Ramp) }()
		if ev.Kind == pool.Replanned {
			o.gaveUp, o.halfOpen = false, false
			o.planRamp = 0
		}
	}
}

// said enters what a child says of itself, if it can be from it.
func (o *nativeOracle) said(ev *pool.Event) {
	l := o.by(ev.PID)
	if l == nil && ev.PID > 0 {
		if u := o.unborn(ev.Generation); u != nil && (u.claim == 0 || u.claim == ev.PID) {
			l = u
		}
	}
	if l == nil || ev.Sender != 0 && ev.Sender != ev.PID || ev.Generation != 0 && ev.Generation != l.gen {
		return
	}
	switch ev.Kind {
	case pool.Reported:
		if ev.Generation != l.gen || ev.State != pool.StateTaken && ev.State != pool.StateAvailable {
			return
		}
		l.said = ev.State
		l.heard = true
	case pool.Ready:
		l.heard = true
	case pool.Extended:
		l.extended = o.now + pool.Time(ev.Span)
	case pool.Leaves:
		l.leaves = true
	}
	l.claim = ev.PID
	if l.heard && l.probe {
		o.halfOpen = false
	}
}

// probeForgotten stops asking after the probe of an opaque pool: the queue may
// have told of it.
func (o *nativeOracle) probeForgotten() {
	if o.policy.Opaque {
		o.halfOpen = false
	}
}

func (o *nativeOracle) by(pid int32) *life {
	for i := range o.lives {
		if o.lives[i].pid == pid && pid != 0 {
			return &o.lives[i]
		}
	}
	return nil
}

func (o *nativeOracle) unborn(gen uint32) *life {
	for i := range o.lives {
		if o.lives[i].pid == 0 && o.lives[i].gen == gen {
			return &o.lives[i]
		}
	}
	return nil
}

func (o *nativeOracle) strike(l *life) {
	if l == nil {
		return
	}
	for i := range o.lives {
		if &o.lives[i] == l {
			o.lives = append(o.lives[:i], o.lives[i+1:]...)
			return
		}
	}
}
