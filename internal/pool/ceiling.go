package pool

// Ceiling is a limit over the children of several pools. They share it as they
// share their Generations; only their steps change it.
//
// A birth takes a place and an end gives it back. Places for the floors of the
// pools (Policy.Min) are kept for them. Who finds no place waits in line, those
// with clients before those that only want spares, and is offered the next
// one that is free: it is held for it until it has answered SlotFree. So
// nobody is overtaken for ever. A pool under several ceilings takes their
// places in the order of Join, and holds those it has; as all pools MUST name
// them in the same order, no two wait for each other.
//
// While somebody waits with a client, those who hold more are asked to yield: a
// free child at once, one that is not when its client is done. Who holds no
// more than the asker is asked too, after a while.
type Ceiling struct {
	limit    int
	taken    int
	reserved int // places that floors have a right to, and have not taken
	members  []*member
	line     []*member
}

// member is one pool under one ceiling.
type member struct {
	ceiling *Ceiling
	pool    *Pool
	held    int
	floor   int
	rank    rank // what it waits for
	granted bool // one of those held is for a birth not yet asked for
}

// standing is a pool's dealings with its ceilings.
type standing struct {
	members []*member
	rank    rank // the highest that it waits for
	since   Time // it has waited with a client
	askAt   Time
	quietTo Time
	debt    bool // it is to give up the next one that is free
}

// NewCeiling is a ceiling of so many places.
func NewCeiling(limit int) *Ceiling { return &Ceiling{limit: limit} }

// Taken is how many places are taken, those held for a birth to come included.
func (c *Ceiling) Taken() int { return c.taken }

// Limit is how many places there are.
func (c *Ceiling) Limit() int { return c.limit }

// Resize changes the number of places. Children that are too many stay until
// they end or are needed elsewhere. It returns the pools that now have a place:
// each MUST be told SlotFree.
func (c *Ceiling) Resize(limit int) []*Pool {
	c.limit = limit
	return c.offers(nil)
}

// Join puts a pool under ceilings, in place of those that it was under; its
// children count at once, even past the limit. It is not called within a step.
// It returns the pools that now have a place: each MUST be told SlotFree.
func (p *Pool) Join(ceilings ...*Ceiling) (offers []*Pool) {
	old := p.ceiling.members
	p.ceiling = standing{quietTo: p.ceiling.quietTo}
	for _, c := range ceilings {
		m := &member{ceiling: c, pool: p}
		c.members = append(c.members, m)
		p.ceiling.members = append(p.ceiling.members, m)
		m.change(p.total(), p.floor())
	}
	for _, m := range old {
		m.quit()
		offers = m.ceiling.offers(offers)
	}
	return offers
}

// quit takes a member out of its ceiling.
func (m *member) quit() {
	m.change(0, 0)
	m.ceiling.leaveLine(m)
	m.ceiling.members = without(m.ceiling.members, m)
}

// change enters what a member holds and has a right to.
func (m *member) change(held, floor int) {
	c := m.ceiling
	c.taken += held - m.held
	c.reserved += max(0, floor-held) - max(0, m.floor-m.held)
	m.held, m.floor = held, floor
}

// room tells whether there is a place for a member.
func (c *Ceiling) room(m *member) bool {
	return c.taken < c.limit && (m.held < m.floor || c.taken+c.reserved < c.limit)
}

// offers gives free places to those in line, and adds the pools to a list.
func (c *Ceiling) offers(list []*Pool) []*Pool {
	for m := c.nextInLine(); m != nil; m = c.nextInLine() {
		c.leaveLine(m)
		m.change(m.held+1, m.floor)
		m.granted = true
		list = append(list, m.pool)
	}
	return list
}

// nextInLine is the first in line for whom there is a place, those with clients
// before the others.
func (c *Ceiling) nextInLine() (next *member) {
	for _, m := range c.line {
		if (next == nil || m.rank > next.rank) && c.room(m) {
			next = m
		}
	}
	return next
}

// wait puts a member into the line; who is there keeps its place.
func (c *Ceiling) wait(m *member, r rank) {
	if m.rank == needless {
		c.line = append(c.line, m)
	}
	m.rank = max(m.rank, r)
}

func (c *Ceiling) leaveLine(m *member) {
	if m.rank != needless {
		m.rank = needless
		c.line = without(c.line, m)
	}
}

// without is a list without one of its members, in the same order.
func without(list []*member, m *member) []*member {
	for i, other := range list {
		if other == m {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// wanted tells whether another member waits with a client.
func (c *Ceiling) wanted(by *member) bool {
	for _, m := range c.line {
		if m != by && m.rank == urgent {
			return true
		}
	}
	return false
}

// victim is the pool that can best yield a place to one that waits; nil if
// enough are on their way out already, or nobody can.
func (c *Ceiling) victim(asker *member, insist bool) *Pool {
	waiting, leaving := 0, 0
	var free, rich *member
	for _, m := range c.members {
		if m.rank == urgent {
			waiting++
		}
		leaving += m.pool.total() - m.pool.staying
		if m == asker || m.pool.staying <= m.pool.policy.Min || m.pool.policy.Single {
			continue
		}
		if free == nil && !m.pool.opaque() && m.pool.freeOne() != nil && m.pool.ceiling.rank != urgent {
			free = m
		}
		if (rich == nil || m.held > rich.held) && (insist || m.held > asker.held+1) {
			rich = m
		}
	}
	switch {
	case leaving >= waiting && !insist:
		return nil
	case free != nil:
		return free.pool
	case rich != nil:
		return rich.pool
	}
	return nil
}

// floor is how many places the pool has a right to.
func (p *Pool) floor() int {
	if p.ended() {
		return 0
	}
	return p.policy.Min
}

// take takes a place under every ceiling for a birth, or waits for it if it is
// needed at all.
func (p *Pool) take(r rank) bool {
	s := &p.ceiling
	for _, m := range s.members {
		if m.granted {
			continue
		}
		if !m.ceiling.room(m) {
			if r != needless {
				p.wait(m, r)
			}
			return false
		}
		m.change(m.held+1, m.floor)
		m.granted = true
	}
	for _, m := range s.members {
		m.granted = false
	}
	return true
}

// canTake tells whether take would succeed.
func (p *Pool) canTake() bool {
	for _, m := range p.ceiling.members {
		if !m.granted && !m.ceiling.room(m) {
			return false
		}
	}
	return true
}

// wait has the pool wait for a place.
func (p *Pool) wait(m *member, r rank) {
	s := &p.ceiling
	m.ceiling.wait(m, r)
	if r != urgent || s.rank == urgent {
		s.rank = max(s.rank, r)
		return
	}
	s.rank, s.since = urgent, p.now
	if p.now >= s.quietTo {
		s.quietTo = p.now + Time(stressMemory)
		p.do(Action{Kind: Tell, Note: NoteCeiling, N: int32(m.ceiling.limit)})
	}
	p.ask()
}

// ask asks another pool to yield a place, and will again.
func (p *Pool) ask() {
	s := &p.ceiling
	s.askAt = 0
	for _, m := range s.members {
		if m.rank != urgent {
			continue
		}
		s.askAt = p.now + Time(askSpan)
		if v := m.ceiling.victim(m, p.now >= s.since+Time(insistAfter)); v != nil {
			p.do(Action{Kind: Ask, Pool: v})
		}
	}
}

// refloor has the ceilings know what the pool has a right to by now.
func (p *Pool) refloor() {
	for _, m := range p.ceiling.members {
		if floor := p.floor(); floor != m.floor {
			m.change(m.held, floor)
			p.offer(m.ceiling)
		}
	}
}

// claim ends the wait if the places that were waited for are there.
func (p *Pool) claim() {
	s := &p.ceiling
	if s.rank == needless {
		return
	}
	for _, m := range s.members {
		if m.rank != needless {
			return
		}
	}
	s.rank, s.askAt = needless, 0
}

// unclaim gives up the wait if nobody is needed any more, and the places that
// were not used.
func (p *Pool) unclaim() {
	s := &p.ceiling
	if len(s.members) == 0 {
		return
	}
	if s.rank != needless && p.allowed() && p.need() != needless {
		return
	}
	s.rank, s.askAt = needless, 0
	for _, m := range s.members {
		m.ceiling.leaveLine(m)
		if m.granted {
			m.granted = false
			m.change(m.held-1, m.floor)
			p.offer(m.ceiling)
		}
	}
}

// give gives back the places of a child that has ended.
func (p *Pool) give() {
	for _, m := range p.ceiling.members {
		m.change(m.held-1, m.floor)
		p.offer(m.ceiling)
	}
}

// offer has those be told who now have a place. The pool at hand sees for
// itself.
func (p *Pool) offer(c *Ceiling) {
	for _, to := range c.offers(nil) {
		if to != p {
			p.do(Action{Kind: Offer, Pool: to})
		}
	}
}

// leaveCeilings is the end of a pool under its ceilings.
func (p *Pool) leaveCeilings() {
	for _, m := range p.ceiling.members {
		m.quit()
		p.offer(m.ceiling)
	}
	p.ceiling = standing{}
}

// freeOne is the child that has been free the longest.
func (p *Pool) freeOne() *child {
	for c := p.first(byFree); c != nil; c = c.after(byFree) {
		if c.born && (c.heard || !p.policy.Ready) {
			return c
		}
	}
	return nil
}

// yield gives up a child for another pool: one that is free, or the next that
// will be.
func (p *Pool) yield() {
	switch {
	case p.ended() || p.staying <= p.policy.Min || p.policy.Single:
	case p.opaque():
		if c := p.leastNeeded(); c != nil {
			p.leaveFirst(c)
		}
	default:
		if c := p.freeOne(); c != nil {
			p.leaveUnneeded(c)
			return
		}
		p.ceiling.debt = true
	}
}

// payDebt gives up a child that has just become free, if somebody still waits.
func (p *Pool) payDebt(c *child) {
	s := &p.ceiling
	if !s.debt {
		return
	}
	s.debt = false
	for _, m := range s.members {
		if m.ceiling.wanted(m) && p.staying > p.policy.Min && c.born {
			p.leaveUnneeded(c)
			return
		}
	}
}
