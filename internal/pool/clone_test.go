package pool

// clone copies a pool, but for its recorder.
func (p *Pool) clone(gens *Generations) *Pool {
	c := *p
	c.gens, c.out, c.free, c.recorder = gens, nil, nil, Recorder{}
	for f := p.free; f != nil; f = f.nextFree {
		kid := *f
		kid.nextFree, c.free = c.free, &kid
	}
	twin := make(map[*child]*child, len(p.children)+len(p.births))
	c.children, c.births = make(map[int32]*child), make(map[uint32]*child)
	for k, v := range p.children {
		kid := *v
		c.children[k], twin[v] = &kid, &kid
	}
	for k, v := range p.births {
		kid := *v
		c.births[k], twin[v] = &kid, &kid
	}
	for _, kid := range twin {
		kid.heir, kid.ancestor = twin[kid.heir], twin[kid.ancestor]
		for s := range kid.links {
			kid.links[s].prev, kid.links[s].next = twin[kid.links[s].prev], twin[kid.links[s].next]
		}
	}
	for q := range c.queues {
		c.queues[q] = queue{twin[p.queues[q].head], twin[p.queues[q].tail]}
	}
	c.fails.probe = twin[p.fails.probe]
	return &c
}
