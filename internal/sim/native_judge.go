package sim

import "github.com/brood-project/brood/internal/pool"

// judge objects to an action that is not allowed, and enters one that is.
func (o *nativeOracle) judge(a *pool.Action) string {
	switch a.Kind {
	case pool.Watch, pool.Unwatch:
		if o.watching == (a.Kind == pool.Watch) {
			return "it is so already"
		}
		o.watching = a.Kind == pool.Watch
	case pool.Birth:
		return o.judgeBirth(a)
	case pool.Retire, pool.Stop, pool.Kill:
		return o.judgeEnd(a)
	case pool.Terminate, pool.Rotate:
		return "that is not how it is done here"
	case pool.Snapshot:
		if o.by(a.PID) == nil {
			return "there is nobody"
		}
		o.hung, o.noted = a.PID, false
	case pool.Measure:
		if o.policy.MaxMemory <= 0 || o.by(a.PID) == nil {
			return "there is nothing to measure"
		}
	case pool.Arm:
		if a.At != 0 && a.At <= o.now {
			return "the time is over"
		}
		o.armed = a.At
	case pool.Gone:
		if !o.removed && !o.draining || len(o.lives) > 0 {
			return "somebody is left"
		}
		o.gone = true
	case pool.Tell:
		return o.judgeTold(a)
	}
	return ""
}

func (o *nativeOracle) judgeBirth(a *pool.Action) string {
	underWay, probe := 0, false
	for i := range o.lives {
		l := &o.lives[i]
		if l.pid == 0 && l.retired == 0 && !l.heard {
			underWay++
		}
		probe = probe || l.probe && !l.heard && o.now < l.since+pool.Time(o.wait)
	}
	o.lives = append(o.lives, life{gen: a.Generation, said: silent, since: o.now, probe: o.halfOpen})
	switch {
	case !o.mayBear():
		return "nobody may be born"
	case o.limit > 0 && len(o.lives) > o.limit:
		return "the limit is passed"
	case underWay >= max(1, o.policy.Ramp):
		return "the ramp is passed"
	case o.halfOpen && probe:
		return "the probe is not well yet"
	}
	return ""
}

func (o *nativeOracle) mayBear() bool {
	return o.started && !o.removed && !o.draining && !o.paused && !o.gaveUp && o.throttledTo == 0
}

// judgeEnd holds every step of an end against the one before, and against the
// client that the child has in hand.
func (o *nativeOracle) judgeEnd(a *pool.Action) string {
	l := o.by(a.PID)
	if l == nil {
		return "there is nobody"
	}
	switch a.Kind {
	case pool.Retire:
		if l.retired != 0 || l.stopped != 0 || l.leaves {
			return "it leaves already"
		}
		l.retired = o.now
		if l.replaced && o.replacing() > o.replacedMost() && !o.draining && o.limit >= o.staying() {
			return "too many are being replaced at a time"
		}
	case pool.Stop:
		spent := o.policy.Stop.Drain > 0 && (l.retired != 0 && o.now >= l.retired+pool.Time(o.policy.Stop.Drain) || l.leaves)
		spent = spent || o.drainTo != 0 && o.now >= o.drainTo
		switch {
		case l.stopped != 0:
			return "it was stopped already"
		case o.hung == a.PID && !o.noted:
			return "nobody was told why"
		case o.removed || o.hung == a.PID || spent:
		case l.retired == 0:
			return "it was not retired"
		case l.said == pool.StateTaken:
			return "it is in the middle of a client"
		}
		l.stopped = o.now
	case pool.Kill:
		timeout := pool.Time(o.policy.Stop.Timeout)
		if l.stopped == 0 || l.killed != 0 || o.now < l.stopped+timeout || o.now < l.extended && l.extended < l.stopped {
			return "its time is not up"
		}
		l.killed = o.now
	}
	return ""
}

// replacing is how many that are replaced have been asked to leave.
func (o *nativeOracle) replacing() (n int) {
	for i := range o.lives {
		if l := &o.lives[i]; l.replaced && l.retired != 0 {
			n++
		}
	}
	return n
}

// replacedMost is how many may be replaced at a time: one in ten, or, while a new
// plan is the reason, as many as may be born.
func (o *nativeOracle) replacedMost() int {
	most := max(1, len(o.lives)/10)
	for i := range o.lives {
		if o.lives[i].replaced && o.lives[i].reason == pool.ReasonPlan {
			return max(most, o.planRamp)
		}
	}
	return most
}

func (o *nativeOracle) staying() (n int) {
	for i := range o.lives {
		if l := &o.lives[i]; l.retired == 0 && l.stopped == 0 && !l.leaves {
			n++
		}
	}
	return n
}

// judgeTold holds what is told against what is so.
func (o *nativeOracle) judgeTold(a *pool.Action) string {
	b := &o.policy.Backoff
	switch a.Note {
	case pool.NoteThrottled:
		wait := pool.Duration(a.At - o.now)
		if b.First <= 0 && wait != pool.Second || b.First > 0 && (wait < b.First || wait > max(b.First, b.Max)) || o.throttledTo != 0 {
			return "the wait is not as it should be"
		}
		o.throttledTo, o.wait, o.halfOpen = a.At, wait, false
	case pool.NoteReleased:
		if o.throttledTo > o.now {
			return "the wait is not over"
		}
		o.halfOpen = o.event.Kind != pool.Pardoned && o.event.Policy == nil && b.First > 0
		for i := range o.lives {
			o.lives[i].probe = false
		}
	case pool.NoteGaveUp:
		if b.Tries <= 0 || int(a.N) < b.Tries {
			return "it was not tried often enough"
		}
		o.gaveUp, o.halfOpen = true, false
	case pool.NoteStartTimeout, pool.NoteSilent, pool.NoteBusy:
		if o.hung != a.PID {
			return "there is no picture of it"
		}
		o.noted = true
		return o.judgeHung(a)
	case pool.NoteReplaced:
		if l := o.by(a.PID); l != nil {
			l.replaced, l.reason = true, pool.Reason(a.N)
		}
	}
	return ""
}

// judgeHung objects to a limit that was not passed.
func (o *nativeOracle) judgeHung(a *pool.Action) string {
	l := o.by(a.PID)
	p := &o.policy
	switch a.Note {
	case pool.NoteStartTimeout:
		if p.StartTimeout <= 0 || p.Opaque && !p.Ready || l.heard || o.now < l.extended || o.now < l.since+pool.Time(p.StartTimeout) {
			return "it has time to start"
		}
	case pool.NoteSilent:
		if p.Heartbeat <= 0 {
			return "it may be silent"
		}
	case pool.NoteBusy:
		if p.Busy <= 0 || l.said != pool.StateTaken && !p.Single {
			return "it may be busy"
		}
	}
	return ""
}

// after objects to what should have been done and was not.
func (o *nativeOracle) after() string {
	stay, counted, late := 0, 0, false
	for i := range o.lives {
		l := &o.lives[i]
		// A birth may have been retired before it had a pid to tell.
		if l.pid != 0 && l.retired == 0 && l.stopped == 0 && !l.leaves {
			stay++
			if l.said != pool.StateTaken {
				counted++
			}
		}
		timeout := pool.Time(o.policy.Stop.Timeout)
		late = late || l.stopped != 0 && l.killed == 0 && timeout > 0 && o.now >= l.stopped+timeout && o.now >= l.extended
	}
	total := len(o.lives)
	full := o.limit > 0 && total >= o.limit
	switch {
	case o.gone != ((o.removed || o.draining) && total == 0):
		return "the end is not told, or told too early"
	case o.gone && o.armed != 0:
		return "a ring is left behind"
	case late:
		return "one that ignores the stop signal was not killed"
	case o.throttledTo != 0 && !o.draining && !o.removed && (o.armed == 0 || o.armed > o.throttledTo):
		return "the clock will not ring in time"
	case o.watching && counted > 0 && !o.policy.Opaque && !o.policy.Single:
		return "two watchers"
	case o.limit > 0 && stay > o.limit && !o.removed && !o.draining && o.replacing() == 0:
		return "more stay than a limit that was lowered permits"
	case full && o.watching && o.policy.Idle == 0:
		return "it watches, and may not give birth"
	}
	return ""
}
