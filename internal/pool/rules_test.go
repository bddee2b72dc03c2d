package pool

import "slices"

// rules is what must hold of a native pool after every step, whatever the
// policy: a list of who lives, as the events and actions alone tell it, and the
// objections to be had from it. It shares no code with the pool.
type rules struct {
	policy   Policy
	limit    int
	lives    []mortal
	throttle Time
	armed    Time

	started, removed, draining, paused, gaveUp, watching, gone bool
	looks                                                      int
	asked                                                      int32 // who the last look was about
}

// mortal is one child, from the request for its birth on.
type mortal struct {
	gen                               uint32
	pid                               int32
	busy, spoke                       bool
	retired, stopped, killed, leaving bool
	replaced                          bool
	holds                             bool // it has a client, as the last look found
}

// step enters one step, and says what is wrong with it; "" if nothing is.
func (r *rules) step(now Time, ev *Event, did []Action) string {
	hung := make([]int32, 0, 4)
	r.enter(now, ev)
	for i := range did {
		a := &did[i]
		if a.Kind == Snapshot {
			hung = append(hung, a.PID)
		}
		if wrong := r.action(now, ev, a, hung); wrong != "" {
			return a.String() + ": " + wrong
		}
	}
	return r.after()
}

func (r *rules) enter(now Time, ev *Event) {
	if r.throttle != 0 && r.throttle <= now {
		r.throttle = 0
	}
	m := r.by(ev.PID)
	switch ev.Kind {
	case Started:
		r.started = true
	case Born:
		i := slices.IndexFunc(r.lives, func(m mortal) bool { return m.pid == 0 && m.gen == ev.Generation })
		r.lives[i].pid = ev.PID
	case Stillborn:
		r.lives = slices.DeleteFunc(r.lives, func(m mortal) bool { return m.pid == 0 && m.gen == ev.Generation })
	case Died:
		r.lives = slices.DeleteFunc(r.lives, func(m mortal) bool { return m.pid == ev.PID && m.pid != 0 })
	case Reported:
		if m != nil && !m.stopped {
			m.busy, m.spoke = ev.State == StateTaken, true
		}
	case Leaves:
		if m != nil {
			m.leaving = true
		}
	case Ticked:
		r.armed = 0
	case Looked:
		r.looks--
		if m != nil {
			m.holds = ev.Held > 0
		}
		if ev.PID == r.asked {
			r.asked = 0
		}
	case Scaled:
		r.limit = int(ev.N)
	case Paused, Resumed:
		r.paused = ev.Kind == Paused
	case Draining:
		r.draining = true
	case Removed:
		r.removed = true
	case Pardoned, Replanned:
		r.gaveUp = false
		if ev.Kind == Pardoned {
			r.throttle = 0
		} else {
			r.limit = ev.Policy.Limit
		}
	}
}

func (r *rules) by(pid int32) *mortal {
	for i := range r.lives {
		if r.lives[i].pid == pid && pid != 0 {
			return &r.lives[i]
		}
	}
	return nil
}

// action objects to what may not be done.
func (r *rules) action(now Time, ev *Event, a *Action, hung []int32) string {
	m := r.by(a.PID)
	switch a.Kind {
	case Birth:
		r.lives = append(r.lives, mortal{gen: a.Generation})
		switch {
		case !r.started || r.removed || r.draining || r.paused || r.gaveUp || r.throttle != 0:
			return "nobody may be born"
		case r.limit > 0 && len(r.lives) > r.limit:
			return "the limit is passed"
		}
	case Retire:
		switch {
		case m == nil || m.retired || m.leaving:
			return "it cannot be retired"
		case m.holds && ev.Kind == Looked:
			return "it has a client"
		}
		m.retired = true
	case Stop:
		hard := r.removed || slices.Contains(hung, a.PID) || ev.Kind == Ticked
		switch {
		case m == nil || m.stopped:
			return "it cannot be stopped"
		case !m.retired && !hard:
			return "it was not retired"
		case m.busy && !hard:
			return "it is in the middle of a client"
		}
		m.stopped = true
	case Kill:
		if m == nil || !m.stopped || m.killed || r.policy.Stop.Timeout == 0 {
			return "it was not stopped"
		}
		m.killed = true
	case Arm:
		if a.At != 0 && a.At <= now {
			return "that is over"
		}
		r.armed = a.At
	case Watch, Unwatch:
		r.watching = a.Kind == Watch
	case Look:
		r.looks++
		if a.PID != 0 {
			r.asked = a.PID
		}
	case Gone:
		r.gone = true
		if len(r.lives) > 0 {
			return "somebody is left"
		}
	case Tell:
		return r.told(a)
	}
	return ""
}

func (r *rules) told(a *Action) string {
	switch a.Note {
	case NoteThrottled:
		r.throttle = a.At
	case NoteReleased:
		r.throttle, r.gaveUp = 0, false
	case NoteGaveUp:
		r.gaveUp = true
	case NoteReplaced:
		if m := r.by(a.PID); m != nil {
			m.replaced = true
		}
	}
	return ""
}

// after objects to how things stand when a step is over.
func (r *rules) after() string {
	stay, births, busy, unheard := 0, 0, 0, 0
	for _, m := range r.lives {
		if m.pid == 0 {
			births++
		}
		if m.retired || m.stopped || m.leaving {
			continue
		}
		stay++
		if m.busy {
			busy++
		} else if !m.spoke {
			unheard++
		}
	}
	may := r.started && !r.removed && !r.draining && !r.paused && !r.gaveUp && r.throttle == 0 &&
		(r.limit == 0 || len(r.lives) < r.limit)
	probing := r.policy.Backoff.First > 0
	switch {
	case r.gone != ((r.removed || r.draining) && len(r.lives) == 0):
		return "the end is not told, or told too early"
	case r.gone && r.armed != 0:
		return "a ring is left behind"
	case r.gone:
	case r.watching && !may && r.policy.Idle == 0:
		return "it watches, and nobody may be born"
	case may && !r.watching && stay == busy && !r.policy.Opaque && !probing && !r.policy.Single:
		return "nobody attends to the clients"
	case may && !probing && stay < r.policy.Min && births == 0 && unheard == 0:
		return "the floor is not restored"
	case may && !probing && r.policy.Opaque && !r.watching && r.looks == 0 && r.armed == 0:
		return "nobody will ever look"
	}
	return ""
}
