package pool

// View is a picture of a pool between two steps, for the operator.
type View struct {
	Available, Taken, Leaving, Deaf int
	// Starting is how many births are under way; they are counted among the
	// states above as well.
	Starting  int
	Limit     int
	Watching  bool
	Throttled Time // until; 0 when not
	Stress    Time // until; 0 when not
	// Unready is how many of the available were not heard of yet, Replacing
	// how many are being replaced, Worn how many wait for their turn.
	Unready, Replacing, Worn int
	// Failures is how many have failed in a row. Probing: one child may be
	// born, or is, to see whether things are better. GaveUp: none is tried.
	Failures         int
	Probing, GaveUp  bool
	Paused, Draining bool
	// Waiting: a birth is needed, and a ceiling over several pools has no place.
	// Held is how many places are held for a birth to come.
	Waiting bool
	Held    int
	// Opaque: nobody knows who is busy, and Available means alive.
	Opaque bool
}

// View adds up the books. It costs a walk over the children.
func (p *Pool) View() View {
	v := View{Starting: len(p.births), Limit: p.policy.Limit, Watching: p.watching, Throttled: p.throttledTo}
	v.Unready, v.Replacing = p.unheard, p.turns.now
	v.Failures, v.Probing, v.GaveUp = p.fails.inARow, p.fails.halfOpen, p.fails.gaveUp
	v.Paused, v.Draining = p.paused, p.draining
	v.Waiting, v.Opaque = p.ceiling.rank != needless, p.opaque()
	for _, m := range p.ceiling.members {
		v.Held += truthOf(m.granted)
	}
	if p.stressed() {
		v.Stress = p.stressTo
	}
	for _, c := range p.children {
		v.add(c)
	}
	for _, c := range p.births {
		v.add(c)
	}
	return v
}

func (v *View) add(c *child) {
	if c.due && !c.replaced && c.state.stays() {
		v.Worn++
	}
	switch c.state {
	case available:
		v.Available++
	case taken:
		v.Taken++
	case deaf:
		v.Deaf++
	case leaving:
		v.Leaving++
	}
}

// Child is what the pool knows of one child.
type Child struct {
	PID        int32
	Generation uint32
	State      string
	Uses       uint32
	Since      Time
}

// Child looks a child up by its pid.
func (p *Pool) Child(pid int32) (Child, bool) {
	c := p.children[pid]
	if c == nil {
		return Child{}, false
	}
	return Child{PID: c.pid, Generation: c.generation, State: c.state.String(), Uses: c.uses, Since: c.since}, true
}

// Recorder is the pool's flight recorder.
func (p *Pool) Recorder() *Recorder { return &p.recorder }

// String is the state in one word.
func (s childState) String() string {
	switch s {
	case available:
		return "available"
	case taken:
		return "taken"
	case deaf:
		return "deaf"
	case leaving:
		return "leaving"
	}
	return "unknown"
}
