package pool

// room is where a copy of a pool lives, all in one piece: there are millions of
// them.
type room struct {
	pool Pool
	from []*child // whose copies the kids are
	kids []child
}

// clone copies a pool, but for its recorder, into a room. The pool that lived
// there before is no more.
func (p *Pool) clone(gens *Generations, r *room) *Pool {
	c := &r.pool
	children, births := c.children, c.births
	*c = *p
	c.gens, c.out, c.free, c.recorder = gens, nil, nil, Recorder{}
	r.empty(p)
	for f := p.free; f != nil; f = f.nextFree {
		kid := r.add(f)
		kid.nextFree, c.free = c.free, kid
	}
	c.children, c.births = addAll(r, children, p.children), addAll(r, births, p.births)
	for i := range r.kids {
		kid := &r.kids[i]
		kid.heir, kid.ancestor = r.of(kid.heir), r.of(kid.ancestor)
		for s := range kid.links {
			l := &kid.links[s]
			l.prev, l.next = r.of(l.prev), r.of(l.next)
		}
	}
	for q := range c.queues {
		c.queues[q] = queue{r.of(p.queues[q].head), r.of(p.queues[q].tail)}
	}
	c.fails.probe = r.of(p.fails.probe)
	return c
}

// empty makes room for the children of a pool, so that none of them has to move.
func (r *room) empty(p *Pool) {
	n := p.total()
	for f := p.free; f != nil; f = f.nextFree {
		n++
	}
	if cap(r.kids) < n {
		r.from, r.kids = make([]*child, 0, n), make([]child, 0, n)
	}
	r.from, r.kids = r.from[:0], r.kids[:0]
}

func (r *room) add(c *child) *child {
	r.from, r.kids = append(r.from, c), append(r.kids, *c)
	return &r.kids[len(r.kids)-1]
}

// of is the copy of a child.
func (r *room) of(c *child) *child {
	if c == nil {
		return nil
	}
	for i, from := range r.from {
		if from == c {
			return &r.kids[i]
		}
	}
	panic("a child that is in no book")
}

func addAll[N int32 | uint32](r *room, copies, book map[N]*child) map[N]*child {
	clear(copies)
	if copies == nil && len(book) > 0 {
		copies = make(map[N]*child, len(book))
	}
	for name, c := range book {
		copies[name] = r.add(c)
	}
	return copies
}
