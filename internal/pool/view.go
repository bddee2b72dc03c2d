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
}

// View adds up the books. It costs a walk over the children.
func (p *Pool) View() View {
	v := View{Starting: len(p.births), Limit: p.policy.Limit, Watching: p.watching, Throttled: p.throttledTo}
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
