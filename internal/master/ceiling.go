package master

import (
	"slices"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// ceiling is a limit over several services.
type ceiling struct {
	name string
	at   *pool.Ceiling
}

// setCeilings brings the limits to those of a plan. Pools join those that are new
// with rejoin.
func (m *Master) setCeilings(next []plan.Ceiling) {
	before := m.ceilings
	m.ceilings = make([]ceiling, 0, len(next))
	for _, c := range next {
		i := slices.IndexFunc(before, func(old ceiling) bool { return old.name == c.Name })
		if i < 0 {
			m.ceilings = append(m.ceilings, ceiling{c.Name, pool.NewCeiling(c.Workers)})
			continue
		}
		m.ceilings = append(m.ceilings, before[i])
		m.offer(before[i].at.Resize(c.Workers))
	}
}

// join puts a living pool under the ceilings of its service's plan.
func (m *Master) join(s *service) {
	var under []*pool.Ceiling
	for _, c := range m.ceilings {
		if c.name == "" || s.plan.Wishes != nil && slices.Contains(s.plan.Wishes.Ceilings, c.name) {
			under = append(under, c.at)
		}
	}
	if slices.Equal(under, s.under) {
		return
	}
	s.under = under
	m.pools[s.pool] = s
	m.offer(s.pool.Join(under...))
}

// offer tells pools that a place is theirs.
func (m *Master) offer(to []*pool.Pool) {
	for _, p := range to {
		m.tellPool(p, pool.SlotFree)
	}
}

// tellPool passes an event on from one pool to another, which may be gone.
func (m *Master) tellPool(p *pool.Pool, kind pool.EventKind) {
	if s := m.pools[p]; s != nil {
		m.step(s, pool.Event{Kind: kind})
	}
}
