package master

import (
	"errors"
	"fmt"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// proposed is the outcome of reading a plan.
type proposed struct {
	proposal *Proposal
	err      error
}

// reload has the plan read anew, outside the loop. One that is asked for
// meanwhile is done afterwards, once.
func (m *Master) reload() {
	if m.reloading {
		m.again = true
		return
	}
	m.reloading = true
	go func() {
		p, err := m.opts.Reload()
		m.proposed <- proposed{p, err}
	}()
}

// consider puts a plan into force, or leaves everything as it is.
func (m *Master) consider(pr proposed) {
	m.reloading = false
	if m.again {
		m.again = false
		defer m.reload()
	}
	err := pr.err
	if err == nil {
		m.logDiagnostics(pr.proposal.Warnings)
		err = m.adopt(pr.proposal.Plan)
	}
	if err != nil {
		m.logReloadRefused(err)
		return
	}
	if pr.proposal.Accepted != nil {
		pr.proposal.Accepted()
	}
	m.logReloaded()
}

// adopt carries a plan out: all that is new is opened first, and only when
// nothing can fail any more does anything change.
func (m *Master) adopt(next *plan.Plan) error {
	change, errs := m.sockets.Prepare(next.Endpoints())
	if len(errs) > 0 {
		return m.placed(next, errs)
	}
	changes := plan.Diff(m.plan, next)
	retired, err := change.CommitAndKeep()
	if err != nil {
		m.log.Error(err.Error())
	}
	for _, c := range changes {
		switch {
		case c.Old == nil:
			m.start(c.New)
		case c.New == nil:
			m.remove(m.services[c.Old.Key])
		default:
			m.keep(m.services[c.Old.Key], c.New)
		}
	}
	m.plan = next
	m.retire(retired)
	return nil
}

// start begins the life of a service.
func (m *Master) start(p *plan.Service) {
	s := &service{plan: p}
	m.services[p.Key] = s
	m.listenAt(s)
	m.begin(s)
}

// begin watches over a service that has no pool yet, or makes it one.
func (m *Master) begin(s *service) {
	if s.plan.Policy.Sleeps() {
		s.watched = true
		m.markDirty(s)
		return
	}
	m.life(s)
}

// life is the pool of a service. Thousands of services sleep until their first
// client comes, and have none before.
func (m *Master) life(s *service) *pool.Pool {
	if s.pool == nil {
		s.pool = pool.New(s.plan.Policy, &m.gens)
		for _, a := range s.pool.Step(m.now(), pool.Event{Kind: pool.Started}) {
			m.perform(s, &a)
		}
	}
	return s.pool
}

// keep gives a service its new plan.
func (m *Master) keep(s *service, p *plan.Service) {
	s.plan = p
	m.listenAt(s)
	if s.pool == nil {
		m.begin(s)
		return
	}
	m.step(s, pool.Event{Kind: pool.Replanned, Policy: &p.Policy})
}

// remove begins the end of a service.
func (m *Master) remove(s *service) {
	delete(m.services, s.plan.Key)
	m.ending[s] = struct{}{}
	for _, src := range s.listeners {
		m.poller.forget(src)
	}
	s.listeners = nil
	if s.pool == nil {
		m.gone(s)
		return
	}
	m.step(s, pool.Event{Kind: pool.Removed})
}

// listenAt gives a service the sockets of its plan; those that it has already
// go on as they are.
func (m *Master) listenAt(s *service) {
	before := s.listeners
	s.listeners = make([]*source, 0, len(s.plan.Endpoints))
	for _, e := range s.plan.Endpoints {
		s.listeners = append(s.listeners, sourceOf(s, before, m.sockets.Get(e)))
	}
	for _, src := range before {
		if src.service != nil {
			m.poller.forget(src)
		}
	}
	for _, src := range s.listeners {
		src.service = s
	}
	m.markDirty(s)
}

// sourceOf takes the source of a socket from those there were before, or makes
// one. A source that is taken has no service until it is given one again.
func sourceOf(s *service, before []*source, sock *listen.Socket) *source {
	for _, src := range before {
		if src.socket == sock {
			src.service = nil
			return src
		}
	}
	return &source{service: s, socket: sock, fd: sock.FD}
}

// retire closes sockets once no birth under way can be using them.
func (m *Master) retire(retired []*listen.Socket) {
	for _, sock := range retired {
		m.whenUnused(func() { sock.Remove() })
	}
}

// whenUnused calls f when every birth now under way has been answered.
func (m *Master) whenUnused(f func()) {
	if len(m.births) == 0 {
		f()
		return
	}
	waiting := make(map[*service]struct{}, len(m.births))
	for _, s := range m.births {
		waiting[s] = struct{}{}
	}
	left := len(waiting)
	for s := range waiting {
		s.whenUnused(func() {
			if left--; left == 0 {
				f()
			}
		})
	}
}

// placed says for each address that could not be opened where the operator
// wrote it.
func (m *Master) placed(p *plan.Plan, errs []error) error {
	where := make(map[plan.Endpoint]*plan.Service, len(p.Services))
	for _, s := range p.Services {
		for _, e := range s.Endpoints {
			where[e] = s
		}
	}
	var ds plan.Diagnostics
	for _, err := range errs {
		d := plan.Diagnostic{Severity: plan.Error, What: err.Error()}
		if open := (*listen.Error)(nil); errors.As(err, &open) {
			if s := where[open.Endpoint]; s != nil {
				d.Pos = s.Pos
				d.What = fmt.Sprintf("service %q: %v", s.Name, err)
			}
			d.Postfix = open.Postfix(m.opts.QueueDirectory)
		}
		ds = append(ds, d)
	}
	return ds
}
