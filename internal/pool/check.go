package pool

// A pool of up to recountAlways children has its books added up after every
// step, a larger one once in as many steps as it has children: that costs as
// much as to look at one child after every step, however large it is.
const recountAlways = 4

// check panics when the books do not balance. It runs after every step, in
// production too: a manager that is wrong about its children must not go on.
func (p *Pool) check() {
	p.steps++
	switch {
	case p.available < 0 || p.available > p.total():
		panic("pool: more or fewer available children than there are")
	case p.unheard < 0 || p.unheard > p.available:
		panic("pool: more or fewer newborn children than are available")
	case p.watching && p.available > 0 && !p.opaque():
		panic("pool: two watchers")
	case p.watching != p.wantsWatch():
		panic("pool: no watcher")
	case p.staying < 0 || p.staying > p.total():
		panic("pool: more or fewer children stay than there are")
	case p.turns.now < 0 || p.turns.now > p.total():
		panic("pool: more or fewer are being replaced than there are")
	case p.throttledTo != 0 && p.throttledTo <= p.now:
		panic("pool: a throttle was not released")
	}
	for _, a := range p.out {
		if a.Kind == Birth && p.policy.Limit > 0 && p.total() > p.policy.Limit {
			panic("pool: the limit was passed")
		}
	}
	if n := p.total(); n <= recountAlways || p.steps >= n {
		p.recount()
		p.steps = 0
	}
}

// recount adds up the books from the entries.
func (p *Pool) recount() {
	var sum tally
	for pid, c := range p.children {
		if c.pid != pid {
			panic("pool: a child is filed under another's pid")
		}
		sum.add(c)
	}
	for generation, c := range p.births {
		if c.generation != generation {
			panic("pool: a birth is filed under another's generation")
		}
		sum.add(c)
	}
	if sum != (tally{p.available, p.unheard, p.departing, p.staying, p.turns.now, p.turns.heirs}) {
		panic("pool: the counts differ from the entries")
	}
	for _, m := range p.ceiling.members {
		if granted := truthOf(m.granted); m.held-granted != p.total() {
			panic("pool: the places under a ceiling differ from the entries")
		}
	}
}

// tally is the counts that follow from the entries.
type tally struct{ available, unheard, departing, staying, replaced, heirs int }

func (t *tally) add(c *child) {
	if c.state.stays() {
		t.staying++
	}
	if c.replaced {
		t.replaced++
	}
	if c.ancestor != nil {
		t.heirs++
	}
	if c.due && c.state.stays() && !c.replaced && !c.isIn(byTurn) {
		panic("pool: a child that is to be replaced has no turn")
	}
	switch c.state {
	case available:
		t.available++
		if !c.heard {
			t.unheard++
		}
	case leaving:
		if c.departing {
			t.departing++
		}
	case buried:
		panic("pool: a child is in the books and buried")
	}
}

func truthOf(b bool) int {
	if b {
		return 1
	}
	return 0
}
