package pool

// View is a picture of a pool between two steps, for the operator.
type View struct {
	Available, Taken, Leaving, Deaf int
	// Starting is how many births are under way; they are counted among the
	// states above as well.
	Starting int
	Limit    int
	// Min and Spare are those of the policy in force.
	Min, Spare int
	Watching   bool
	Throttled  Time // until; 0 when not
	Stress     Time // until; 0 when not
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

// View adds up the books, up to the last step. It costs a walk over the children.
func (p *Pool) View() View {
	v := View{Starting: len(p.births), Limit: p.policy.Limit, Watching: p.watching, Throttled: p.throttledTo}
	v.Min, v.Spare = p.policy.Min, p.policy.Spare
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
	// Busy is since when it has its client; 0 if it has none, or that is not
	// known.
	Busy Time
	// Starting: it is counted on, but on its way yet, as far as can be told.
	Starting bool
	// Asked: it was told to leave, or to take no more clients.
	Asked bool
}

// Child looks a child up by its pid.
func (p *Pool) Child(pid int32) (Child, bool) {
	c := p.children[pid]
	if c == nil {
		return Child{}, false
	}
	return p.describe(c, p.now), true
}

// AppendChildren adds all children to a list, those on their way included, in no
// order, as they are at a time.
func (p *Pool) AppendChildren(list []Child, now Time) []Child {
	for _, c := range p.children {
		list = append(list, p.describe(c, now))
	}
	for _, c := range p.births {
		list = append(list, p.describe(c, now))
	}
	return list
}

// Saturated is for how long, over its whole life up to a time, all children that
// there may be were there and none was available.
func (p *Pool) Saturated(now Time) Duration {
	if p.saturatedSince == 0 {
		return p.saturated
	}
	return p.saturated + Duration(now-p.saturatedSince)
}

func (p *Pool) describe(c *child, now Time) Child {
	d := Child{PID: c.pid, Generation: c.generation, State: c.state.String(), Uses: c.uses, Since: c.since}
	d.Asked = c.phase >= stopping || c.state == leaving && !c.byItself
	d.Starting = c.state == available && p.starting(c, now)
	if c.isIn(byBusy) {
		d.Busy = c.links[work].at
	}
	return d
}

// starting tells whether a child is on its way. Who never says that it is ready
// is held to be so after a while.
func (p *Pool) starting(c *child, now Time) bool {
	switch {
	case !c.born:
		return true
	case c.heard:
		return false
	}
	return p.policy.Ready || now < c.since+Time(p.policy.startSpan())
}

// Newborn tells whether the child that was born last may still be starting at a
// time, for all that can be known without a word from it.
func (p *Pool) Newborn(now Time) bool {
	return p.bornAt != 0 && now < p.bornAt+Time(p.policy.startSpan())
}

// Throttled tells whether births are held back now.
func (p *Pool) Throttled() bool { return p.throttledTo != 0 }

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
