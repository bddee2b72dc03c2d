package sim

import "github.com/brood-project/brood/internal/pool"

// judge objects to an action that is not allowed, and enters one that is.
func (o *Oracle) judge(a *pool.Action) string {
	switch a.Kind {
	case pool.Watch, pool.Unwatch:
		if o.watching == (a.Kind == pool.Watch) {
			return "it is so already"
		}
		o.watching = a.Kind == pool.Watch
	case pool.Birth:
		return o.judgeBirth(a)
	case pool.Terminate:
		k := o.kid(a.PID)
		if k == nil || !o.removed || k.termed {
			return "nobody is to be ended"
		}
		k.termed = true
	case pool.Kill:
		k := o.kid(a.PID)
		if k == nil || !o.removed || o.killDue == 0 || o.killDue > o.now {
			return "nobody is to be killed"
		}
		k.killed = true
	case pool.Arm:
		if a.At != 0 && a.At <= o.now {
			return "the time is over"
		}
		o.armed = a.At
	case pool.Wake:
		if o.wakeDue == 0 || o.wakeDue > o.now || o.throttled() || o.woken {
			return "no wake-up is due"
		}
		o.woken = true
	case pool.Rotate:
		if !o.mustRotate {
			return "nobody was to leave"
		}
		o.mustRotate = false
		o.becomeOld()
	case pool.Look:
		if o.removed || o.event.Kind == pool.Looked && o.lookedAt == o.now {
			return "there is nothing to look for"
		}
		o.lookedAt = o.now
	case pool.Tell:
		return o.judgeTold(a)
	case pool.Gone:
		if !o.removed || len(o.kids) > 0 {
			return "somebody is left"
		}
		o.gone, o.killDue = true, 0
	default:
		return "nobody knows this action"
	}
	return ""
}

func (o *Oracle) judgeBirth(a *pool.Action) string {
	if o.births <= 0 && o.crowd > 0 {
		o.comesNear(1)
		if o.wakesOnUse {
			o.wakesOnUse, o.wakeDue = false, o.now
		}
	}
	switch {
	case o.throttled():
		return "a birth in a throttled service"
	case o.full():
		return "the limit is passed"
	case !o.started || o.removed:
		return "a birth in a service that is not at work"
	case o.births <= 0 && (o.crowd <= 0 || o.newborn() >= o.policy.Ramp):
		return "a birth that no client asked for"
	case o.unborn(a.Generation) != nil:
		return "a generation is used twice"
	case a.Stress != (o.policy.Stress && o.now < o.stressTo):
		return "the stress is not as it should be"
	}
	if o.births > 0 {
		o.births--
	} else {
		o.crowd--
	}
	o.kids = append(o.kids, kid{gen: a.Generation, said: silent, since: o.now})
	return ""
}

// judgeTold holds what is told against what happened.
func (o *Oracle) judgeTold(a *pool.Action) string {
	is := func(kind pool.EventKind) bool { return o.event.Kind == kind }
	ok := false
	switch a.Note {
	case pool.NoteDied:
		ok = is(pool.Died) && o.mustDie && a.Code == o.event.Code && a.Uses == o.saved.uses &&
			a.Age == pool.Duration(o.now-o.saved.since)
		o.mustDie = false
	case pool.NoteStillborn:
		ok = is(pool.Stillborn) && a.Code == o.event.Code
		o.mustDie = false
	case pool.NoteThrottled:
		ok = o.mustCrash && a.At == o.now+pool.Time(o.policy.Throttle)
		o.mustCrash, o.throttledTo, o.crowd = false, a.At, 0
	case pool.NoteReleased:
		ok = !o.throttled()
	case pool.NoteLimit:
		_, counted := o.Counts()
		ok = o.full() && counted == 0 && !o.removed && !o.throttled() && o.now >= o.quietTo
		o.quietTo = o.now + pool.Time(memory)
	case pool.NoteStress:
		if !o.mustRotate && o.crowd > 0 {
			o.comesNear(1)
		}
		ok = o.mustRotate
	case pool.NoteWrongGeneration, pool.NoteBadState, pool.NoteForged:
		ok = o.suspect != 0 && o.suspect == a.Note
		o.suspect = 0
	case pool.NoteDeaf:
		k := o.kid(a.PID)
		ok = is(pool.Looked) && o.event.N > 0 && k != nil && k.said == silent && k.counted() &&
			o.policy.Patience > 0 && o.now-k.since >= pool.Time(o.policy.Patience)
		if ok {
			k.deaf = true
		}
	case pool.NoteKilled:
		ok = o.killDue != 0 && o.killDue <= o.now
	}
	if !ok {
		return "it is not so"
	}
	return ""
}

// suspicion is what there is to say against the record at hand; 0 if nothing.
func (o *Oracle) suspicion() pool.Note {
	k := o.speaker(&o.event)
	switch {
	case o.event.Sender != 0 && o.event.Sender != o.event.PID:
		return pool.NoteForged
	case k == nil:
		return 0
	case k.gen != o.event.Generation:
		return pool.NoteWrongGeneration
	case o.event.State != pool.StateTaken && o.event.State != pool.StateAvailable:
		return pool.NoteBadState
	}
	return 0
}

// missing objects to what should have been done and was not.
func (o *Oracle) missing() string {
	total, counted := o.Counts()
	may := o.started && !o.removed && !o.throttled() && !o.full()
	switch {
	case o.watching && counted > 0:
		return "two watchers"
	case may && counted == 0 && !o.watching:
		return "nobody watches"
	case o.watching && !may:
		return "it watches, and may not give birth"
	case o.births > 0, may && o.crowd > 0 && o.newborn() < o.policy.Ramp:
		return "a client that waited was born for too little"
	case o.mustCrash:
		return "a crash at birth did not throttle"
	case o.mustRotate:
		return "the children were not asked to leave"
	case o.mustDie:
		return "an abnormal end was not told"
	case o.wakeDue != 0 && o.wakeDue <= o.now && !o.throttled() && !o.woken:
		return "a wake-up was forgotten"
	case o.removed && total == 0 && !o.gone:
		return "nobody is left, and it does not say so"
	case o.gone && o.armed != 0:
		return "a ring is left behind"
	case o.suspect != 0:
		return "a record that does not fit was not told"
	}
	return o.missingLater()
}

// missingLater objects to children forgotten at the end of a service, and to
// what the clock will not bring.
func (o *Oracle) missingLater() string {
	if o.wakeDue != 0 && o.wakeDue <= o.now {
		o.wakeDue = o.now + pool.Time(o.policy.Wakeup)
	}
	late := o.killDue != 0 && o.killDue <= o.now
	for i := range o.kids {
		switch k := &o.kids[i]; {
		case !o.removed || k.pid == 0:
		case !k.termed:
			return "a child was not ended"
		case late && !k.killed:
			return "a child that ignores TERM was not killed"
		}
	}
	if late {
		o.killDue = 0
	}
	for _, t := range [...]pool.Time{o.throttledTo, o.wakeDue, o.killDue} {
		if t != 0 && (o.armed == 0 || o.armed > t) {
			return "the clock will not ring in time"
		}
	}
	return ""
}
