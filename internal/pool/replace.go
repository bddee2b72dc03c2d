package pool

// turns is who is being replaced.
type turns struct {
	now   int // how many, from the birth of a successor to the end of the old
	heirs int // how many of their successors are not known to be well yet
}

// wear has a child be replaced when its turn comes.
func (p *Pool) wear(c *child, why Reason) {
	if c.due || !c.state.stays() || p.policy.Single {
		return
	}
	c.due, c.reason = true, why
	p.enqueue(byTurn, c, p.now)
}

// checkUp finds what a child that has just become free has to be replaced or
// retired for.
func (p *Pool) checkUp(c *child) {
	if p.policy.MaxUse > 0 && c.uses >= uint32(p.policy.MaxUse) {
		p.wear(c, ReasonUse)
	}
	p.measure(c)
	p.payDebt(c)
}

// measure asks for the memory of a child that has worked.
func (p *Pool) measure(c *child) {
	if p.policy.MaxMemory <= 0 || !c.born || c.due || c.measured != 0 && p.now < c.measured+Time(measureSpan) {
		return
	}
	c.measured = p.now
	p.do(Action{Kind: Measure, PID: c.pid})
}

// measureAll asks for the memory of every child of an opaque pool, when a client
// has come: who has no work does not grow.
func (p *Pool) measureAll() {
	if p.policy.MaxMemory <= 0 || p.measured != 0 && p.now < p.measured+Time(measureSpan) {
		return
	}
	p.measured = p.now
	for c := p.first(byAge); c != nil; c = c.after(byAge) {
		p.measure(c)
	}
}

// mayReplace tells whether a child may be replaced beside those who are: one in
// ten, or, because of a new plan, as many as may be born.
func (p *Pool) mayReplace(c *child) bool {
	most := max(1, p.staying/replacedShare)
	if c.reason == ReasonPlan {
		most = max(most, p.policy.ramp())
	}
	return p.turns.now < most
}

// replaceAll has everybody be replaced, because of a new plan, those too who were
// born to succeed others.
func (p *Pool) replaceAll() {
	all := make([]*child, 0, p.total())
	for _, generation := range p.unborn() {
		all = append(all, p.births[generation])
	}
	for _, pid := range p.pids() {
		all = append(all, p.children[pid])
	}
	for _, c := range all {
		p.disown(c)
	}
	for _, c := range all {
		if !c.replaced {
			c.due = false
		}
		p.wear(c, ReasonPlan)
	}
}

// part ends that a child is to succeed another, and returns that one; nil if
// there is none.
func (p *Pool) part(c *child) *child {
	old := c.ancestor
	if old == nil {
		return nil
	}
	c.ancestor, old.heir = nil, nil
	p.turns.heirs--
	if c.isIn(byHeir) {
		p.dequeue(start, c)
	}
	return old
}

// disown has a child be nobody's successor any more.
func (p *Pool) disown(c *child) {
	if old := p.part(c); old != nil {
		p.missTurn(old)
	}
}

// replace begins with those whose turn it is.
func (p *Pool) replace() {
	for c := p.first(byTurn); c != nil && p.mayReplace(c) && !p.ended(); {
		next := c.after(byTurn)
		if c.born && !p.turn(c) {
			return
		}
		c = next
	}
}

// turn begins to replace one child; false if nobody can be replaced now.
func (p *Pool) turn(c *child) bool {
	free := !p.opaque() && c.state == available
	// It is not missed where another is free, and known to be well.
	missed := !free || p.available-p.unheard <= max(1, p.policy.Spare) || p.staying-p.turns.now <= p.policy.Min
	switch {
	case !missed || p.full() || p.allowed() && !p.canTake():
		p.beginTurn(c)
		p.leaveReplaced(c)
	case p.allowed() && len(p.births) < p.policy.ramp():
		heir := p.birth(needless)
		if heir == nil {
			return false
		}
		p.beginTurn(c)
		c.heir, heir.ancestor = heir, c
		p.turns.heirs++
	default:
		return false
	}
	return true
}

func (p *Pool) beginTurn(c *child) {
	p.turns.now++
	c.replaced = true
	p.dequeue(age, c)
}

func (p *Pool) leaveReplaced(c *child) {
	if c.phase == present && c.state.stays() {
		p.do(Action{
			Kind: Tell, Note: NoteReplaced, PID: c.pid, Generation: c.generation,
			Uses: c.uses, Age: p.age(c), N: int32(c.reason),
		})
	}
	p.retire(c)
}

// succeed has the ancestor of a child that is well leave, or, where the child
// leaves itself, wait for another turn.
func (p *Pool) succeed(c *child) {
	if !c.state.stays() {
		p.disown(c)
		return
	}
	if old := p.part(c); old != nil {
		p.leaveReplaced(old)
	}
}

// missTurn has a child that nobody succeeds wait for another turn.
func (p *Pool) missTurn(old *child) {
	old.replaced = false
	p.turns.now--
	if old.state.stays() {
		p.enqueue(byTurn, old, p.now)
	}
}

// endTurn takes a child that has ended out of whatever replacing it was in.
func (p *Pool) endTurn(c *child) {
	if c.replaced {
		c.replaced = false
		p.turns.now--
	}
	if c.heir != nil {
		p.part(c.heir)
	}
	p.disown(c)
}
