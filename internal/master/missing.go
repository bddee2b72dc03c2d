package master

import (
	"errors"
	"time"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
)

// listenAgain is how often a service that could not listen is tried again.
const listenAgain = 5 * time.Second

// prepare opens what a plan asks for. Where a service cannot listen and the
// others may go on without it, it is left out and returned among the missing.
func (m *Master) prepare(next *plan.Plan) (*listen.Change, map[string]error, error) {
	missing := map[string]error{}
	for {
		change, errs := m.sockets.Prepare(m.wanted(next, missing))
		if len(errs) == 0 {
			return change, missing, nil
		}
		if !m.spare(next, errs, missing) {
			return nil, nil, m.placed(next, errs)
		}
	}
}

// wanted is the endpoints of a plan, without those that are missing, and those of
// services that were shut and that the plan leaves as they are.
func (m *Master) wanted(p *plan.Plan, missing map[string]error) []plan.Endpoint {
	all := make([]plan.Endpoint, 0, len(p.Services))
	for _, s := range p.Services {
		running := m.services[s.Key]
		if missing[s.Key] == nil && (running == nil || running.plan != s || !running.shut) {
			all = append(all, s.Endpoints...)
		}
	}
	return all
}

// spare adds the services that failed to the missing; false if one of them may
// not be. A service that could listen before is not given up by a reload.
func (m *Master) spare(p *plan.Plan, errs []error, missing map[string]error) bool {
	where := ownersOf(p)
	for _, err := range errs {
		open := (*listen.Error)(nil)
		if !errors.As(err, &open) {
			return false
		}
		s := where[open.Endpoint]
		if s == nil || s.Wishes == nil || s.Wishes.Essential {
			return false
		}
		if running := m.services[s.Key]; m.begun && (running == nil || !running.missing) {
			return false
		}
		missing[s.Key] = err
	}
	return true
}

// ownersOf finds the service of each endpoint.
func ownersOf(p *plan.Plan) map[plan.Endpoint]*plan.Service {
	where := make(map[plan.Endpoint]*plan.Service, len(p.Services))
	for _, s := range p.Services {
		for _, e := range s.Endpoints {
			where[e] = s
		}
	}
	return where
}

// setMissing notes which services could not listen, and has them tried again.
func (m *Master) setMissing(missing map[string]error) {
	for key, err := range missing {
		s := m.services[key]
		if !s.missing {
			m.logMissing(s, m.placed(m.plan, []error{err}))
			m.note(s, event{kind: eventMissing, at: m.now(), text: "it does not listen: " + err.Error()})
		}
		s.missing = true
		s.figured().missing = err.Error()
	}
	if len(missing) > 0 && m.retry == nil {
		m.retry = time.AfterFunc(listenAgain, func() { m.inLoop(m.listenMissing) })
	}
}

// listenMissing tries again, service by service.
func (m *Master) listenMissing() {
	m.retry = nil
	if m.closing != nil {
		return
	}
	left := map[string]error{}
	for _, p := range m.plan.Services {
		s := m.services[p.Key]
		if !s.missing {
			continue
		}
		s.missing = false
		if errs := m.openAgain(); len(errs) > 0 {
			s.missing = true
			left[p.Key] = errs[0]
			continue
		}
		m.listenAt(s)
		m.begin(s)
		m.found(s)
		m.tellShared(s)
	}
	m.setMissing(left)
}

// found tells that a service that was missing listens.
func (m *Master) found(s *service) {
	s.figured().missing = ""
	m.note(s, event{kind: eventFound, at: m.now()})
	m.logFound(s)
}

// tellShared says which ports of a service were not free when they were opened.
// A reload may open one beside a socket of our own and says nothing.
func (m *Master) tellShared(s *service) {
	if s.plan.Wishes == nil {
		return
	}
	for _, src := range s.listeners {
		if src.socket.Shared {
			m.logShared(s, src.socket.Endpoint)
		}
	}
}
