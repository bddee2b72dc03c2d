package master

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// adopt carries a plan out: all that is new is opened first, and only when
// nothing can fail any more does anything change. It returns why services that
// the plan can do without for a while do not listen.
func (m *Master) adopt(next *plan.Plan) (missing map[string]error, err error) {
	change, missing, err := m.prepare(next)
	if err != nil {
		return nil, err
	}
	changes := plan.Diff(m.plan, next)
	retired, err := change.CommitAndKeep()
	if err != nil {
		m.log.Error(err.Error())
	}
	m.setCeilings(next.Ceilings)
	for _, c := range changes {
		switch {
		case c.Old == nil:
			m.start(c.New, missing[c.New.Key] != nil)
		case c.New == nil:
			m.remove(m.services[c.Old.Key])
		default:
			m.keep(m.services[c.Old.Key], c.New, missing[c.New.Key] != nil)
		}
	}
	m.plan = next
	m.retire(retired)
	m.setMissing(missing)
	return missing, nil
}

// start begins the life of a service, but for one whose sockets are missing.
func (m *Master) start(p *plan.Service, missing bool) {
	s := &service{plan: p}
	m.services[p.Key] = s
	if !missing {
		m.listenAt(s)
		m.begin(s)
	}
	if !m.begun {
		m.tellShared(s)
	}
}

// begin watches over a service that has no pool yet, or makes it one.
func (m *Master) begin(s *service) {
	if s.drained {
		return
	}
	if s.policy().Sleeps() && !s.paused {
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
		s.pool = pool.New(*s.policy(), &m.gens)
		m.join(s)
		if s.paused {
			s.pool.Step(m.now(), pool.Event{Kind: pool.Paused})
		}
		if !m.stepping {
			// What follows from its first births waits its turn in there.
			m.step(s, pool.Event{Kind: pool.Started})
			return s.pool
		}
		for _, a := range s.pool.Step(m.now(), pool.Event{Kind: pool.Started}) {
			m.perform(s, &a)
		}
	}
	return s.pool
}

// keep gives a service its new plan. What an operator has set for the time until
// then is over; a pause is not.
func (m *Master) keep(s *service, p *plan.Service, missing bool) {
	if s.plan != p {
		s = m.undrain(s)
	}
	old, before := s.plan, *s.policy()
	s.plan = p
	if s.missing && missing || s.shut && old == p {
		return
	}
	if old != p {
		s.scaled = nil
	}
	if s.missing {
		m.found(s)
	}
	s.missing, s.shut = false, false
	others := m.listenAt(s)
	if s.pool == nil {
		m.begin(s)
		return
	}
	m.join(s)
	switch {
	case old == p && !others:
		return // another service is reloaded
	case !sameBirths(old, p), others:
		m.step(s, pool.Event{Kind: pool.Replanned, Policy: s.policy()})
	case before != *s.policy():
		m.step(s, pool.Event{Kind: pool.Adjusted, Policy: s.policy()})
	}
	if old.Wishes != nil && p.Wishes != nil && !sameBirths(old, p) {
		m.forgive(s)
	}
	m.pardon(s)
}

// forgive has the failures of a command that is no more be none of its
// successor's: births that were held back are tried at once. A reload of Postfix
// keeps a throttle.
func (m *Master) forgive(s *service) {
	if s.figures != nil {
		s.figures.failure = scoreboard.Death{}
	}
	if s.pool.Throttled() {
		m.step(s, pool.Event{Kind: pool.Pardoned})
	}
}

// pardon has a service that gave up try again.
func (m *Master) pardon(s *service) {
	if s.gaveUp {
		s.gaveUp = false
		m.step(s, pool.Event{Kind: pool.Pardoned})
	}
}

// sameBirths tells whether a child of one plan is as good as one of another. A
// reload of Postfix asks for new ones in any case.
func sameBirths(a, b *plan.Service) bool {
	if a == b {
		return true
	}
	if a.Wishes == nil || b.Wishes == nil {
		return false
	}
	service1, wishes1 := birthOf(a)
	service2, wishes2 := birthOf(b)
	return reflect.DeepEqual(service1, service2) && reflect.DeepEqual(wishes1, wishes2)
}

// birthOf is a service without what its children never see.
func birthOf(s *plan.Service) (plan.Service, plan.Wishes) {
	service, wishes := *s, *s.Wishes
	service.Pos, service.Wishes, service.Policy = plan.Pos{}, nil, &pool.Policy{Heartbeat: s.Policy.Heartbeat}
	wishes.ListenPos, wishes.Ceilings, wishes.Essential, wishes.OnGiveUp = nil, nil, false, 0
	wishes.Output = plan.Output{}
	return service, wishes
}

// reopen replaces the sockets that can't be used any more: a child that holds a
// socket can shut it down for all who do. Their services go on as after a
// reload, and no other is touched.
func (m *Master) reopen(s *service) {
	m.logListenerShut(s)
	m.note(s, event{kind: eventReopened, at: m.now()})
	if errs := m.openAgain(); len(errs) > 0 {
		m.logReopenFailed(m.placed(m.plan, errs))
	}
}

// openAgain brings the sockets to what shall be open now: it opens what is not, or
// what clients cannot find any more, and closes what shall not be open. Services
// that lose a socket by that go on with its successor; one that had none is the
// caller's. After an error nothing has changed.
func (m *Master) openAgain() []error {
	change, errs := m.sockets.Prepare(m.openEndpoints())
	if len(errs) > 0 {
		return errs
	}
	retired, err := change.CommitAndKeep()
	if err != nil {
		m.log.Error(err.Error())
	}
	for _, s := range m.services {
		if slices.ContainsFunc(s.listeners, func(src *source) bool { return m.sockets.Get(src.socket.Endpoint) != src.socket }) {
			m.keepListening(s)
		}
	}
	m.retire(retired)
	return nil
}

// keepListening goes on with other sockets as after a reload.
func (m *Master) keepListening(s *service) {
	m.listenAt(s)
	if s.pool == nil {
		m.begin(s)
		return
	}
	m.step(s, pool.Event{Kind: pool.Replanned, Policy: s.policy()})
}

// remove begins the end of a service. One of brood.toml finishes its clients; the
// processes of one of master.cf are ended, as Postfix does.
func (m *Master) remove(s *service) {
	delete(m.services, s.plan.Key)
	m.ending[s] = struct{}{}
	m.deafen(s)
	if s.pool == nil {
		m.gone(s)
		return
	}
	if s.plan.Wishes != nil {
		m.step(s, pool.Event{Kind: pool.Draining, Span: pool.Duration(m.opts.Drain)})
		return
	}
	m.step(s, pool.Event{Kind: pool.Removed})
}

// listenAt gives a service the sockets of its plan, and tells whether they are
// others than before; those that it has already go on as they are.
func (m *Master) listenAt(s *service) (others bool) {
	before := s.listeners
	s.listeners = make([]*source, 0, len(s.plan.Endpoints))
	for _, e := range s.plan.Endpoints {
		s.listeners = append(s.listeners, sourceOf(s, before, m.sockets.Get(e)))
	}
	for _, src := range before {
		if src.service != nil {
			m.poller.forget(src)
			others = true
		}
	}
	others = others || len(before) != len(s.listeners)
	for _, src := range s.listeners {
		src.service = s
		m.wantPatience(s, src)
	}
	m.markDirty(s)
	return others
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

// retire has nobody listen at sockets any more. It closes them at once if no child
// is on its way, which is cheaper, and otherwise when no birth under way can be
// using them: a program that does not load may keep that off for long.
func (m *Master) retire(retired []*listen.Socket) {
	if len(retired) == 0 {
		return
	}
	if child.Idle() {
		listen.WithdrawAll(retired)
		return
	}
	listen.RetireAll(retired)
	m.whenUnused(func() {
		for _, sock := range retired {
			sock.Close()
		}
	})
}

// placed says for each address that could not be opened where the operator
// wrote it.
func (m *Master) placed(p *plan.Plan, errs []error) error {
	where := ownersOf(p)
	var ds plan.Diagnostics
	for _, err := range errs {
		d := plan.Diagnostic{Severity: plan.Error, What: err.Error()}
		if open := (*listen.Error)(nil); errors.As(err, &open) {
			if s := where[open.Endpoint]; s != nil {
				d.Pos = placeOf(s, open.Endpoint)
				d.What = fmt.Sprintf("service %q: %v", s.Name, err)
				if s.Wishes != nil {
					d.Instead = otherwise(open)
				}
			}
			d.Postfix = open.Postfix(m.opts.QueueDirectory)
		}
		ds = append(ds, d)
	}
	return ds
}

// otherwise is what to do about an address that could not be opened; "" where
// nothing better is known than the error.
func otherwise(open *listen.Error) string {
	named := open.Endpoint.Path != ""
	switch {
	case errors.Is(open, unix.EADDRINUSE) && named:
		return "stop what listens there, or write another path"
	case errors.Is(open, unix.EADDRINUSE):
		return "stop what has it (\"ss -tulnp\" tells), or write another port"
	case errors.Is(open, unix.EADDRNOTAVAIL):
		return "write an address of this machine (\"ip addr\" has them)"
	case errors.Is(open, unix.ENOENT):
		return "make that directory, or write another path"
	case errors.Is(open, unix.EACCES) && named:
		return "write a path where brood may make a file, or start brood as one who may"
	}
	return ""
}

// placeOf is where an endpoint of a service is written, as far as that is known.
func placeOf(s *plan.Service, e plan.Endpoint) plan.Pos {
	if i := slices.Index(s.Endpoints, e); s.Wishes != nil && i >= 0 && i < len(s.Wishes.ListenPos) {
		return s.Wishes.ListenPos[i]
	}
	return s.Pos
}
