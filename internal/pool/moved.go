package pool

// Moved is what the last step has changed for a child that told of itself. It
// is not an Action: nothing is to be done about it.
type Moved struct {
	// Took: it has taken a client. Freed: it is done with one, after Busy.
	Took, Freed bool
	Busy        Duration
}

// Moved tells of the last step. It costs the step nothing but a note.
func (p *Pool) Moved() Moved { return p.moved }

// noteMove notes what a report changes, before it does.
func (p *Pool) noteMove(c *child, state int32) {
	if p.policy.Single {
		return // it has had its client since its birth
	}
	switch busy := c.isIn(byBusy); {
	case state == StateTaken && !busy:
		p.moved = Moved{Took: true}
	case state == StateAvailable && busy:
		p.moved = Moved{Freed: true, Busy: Duration(p.now - c.links[work].at)}
	}
}

// settleSaturation adds up for how long no client could be taken, because all
// children that there may be are there and none is available.
func (p *Pool) settleSaturation() {
	switch saturated := p.available == 0 && !p.ended() && p.full(); {
	case saturated == (p.saturatedSince != 0):
	case saturated:
		p.saturatedSince = p.now
	default:
		p.saturated += Duration(p.now - p.saturatedSince)
		p.saturatedSince = 0
	}
}
