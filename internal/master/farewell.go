package master

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// farewell ends everything gently: no new clients, and those in hand are
// finished, for as long as is given, or for Options.Drain where that is 0. Time that
// an operator gives goes before that of the single services.
func (m *Master) farewell(why os.Signal, given time.Duration) {
	m.closing = why
	span := m.opts.Drain
	if given > 0 {
		span = given
	}
	if span > 0 {
		m.deadline = m.now() + pool.Time(span)
	}
	m.journal.add(event{
		kind: eventStopping, at: m.now(), text: "brood is being stopped, workers finish their clients" + patience(pool.Duration(span)),
	})
	m.logFarewell(why, span)
	m.closeSockets()
	for _, s := range m.services {
		if s.pool != nil {
			m.catchUp(s)
		}
	}
	for _, p := range m.plan.Services {
		s := m.services[p.Key]
		delete(m.services, p.Key)
		m.ending[s] = struct{}{}
		m.deafen(s)
		if s.pool == nil {
			m.gone(s)
			continue
		}
		m.drainPool(s, given)
	}
}

// hurry ends everything that is being ended gently now.
func (m *Master) hurry(why os.Signal) {
	m.logHurry(why)
	for s := range m.ending {
		m.step(s, pool.Event{Kind: pool.Removed})
	}
}

// closeSockets gives up all sockets. Workers that still have them serve the
// clients that come; where there are none, clients are refused.
func (m *Master) closeSockets() {
	change, errs := m.sockets.Prepare(nil)
	if len(errs) > 0 {
		return
	}
	retired, _ := change.CommitAndKeep()
	m.whenUnused(func() { listen.LeaveAll(retired) })
}

// deafen has a service hear of no more clients. Its sockets are about to be
// closed: those that nobody else has need not be taken out of the epoll set one
// by one.
func (m *Master) deafen(s *service) {
	for _, src := range s.listeners {
		if src.socket.Lent {
			m.poller.forget(src)
		} else {
			m.poller.drop(src)
		}
	}
	s.listeners = nil
}

// gaveUp does what a service whose workers cannot be started wants then.
func (m *Master) gaveUp(s *service) {
	s.gaveUp = true
	if s.plan.Wishes == nil {
		return
	}
	//exhaustive:enforce
	switch s.plan.Wishes.OnGiveUp {
	case plan.GiveUpRetry, plan.GiveUpHold:
	case plan.GiveUpClose:
		m.shut(s)
	case plan.GiveUpExit:
		m.failed = true
		if m.closing == nil {
			m.farewell(unix.SIGTERM, 0)
		}
	}
}

// shut closes the sockets of a service until the next plan, so that clients are
// refused.
func (m *Master) shut(s *service) {
	s.shut = true
	m.deafen(s)
	if errs := m.openAgain(); len(errs) > 0 {
		m.logCannotShut(s, errs[0])
	}
}

// openEndpoints are those that are open, or to be opened.
func (m *Master) openEndpoints() []plan.Endpoint {
	var all []plan.Endpoint
	for _, p := range m.plan.Services {
		if s := m.services[p.Key]; s != nil && !s.shut && !s.missing {
			all = append(all, p.Endpoints...)
		}
	}
	return all
}
