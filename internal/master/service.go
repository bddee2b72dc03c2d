package master

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// service is one service at work.
type service struct {
	plan *plan.Service
	pool *pool.Pool

	// listeners are the open sockets, in the order of the plan's endpoints.
	listeners []*source
	// lone: only one client is known to wait, so that counting can be saved.
	lone bool
	// crowd is how many clients still wait of those counted last, as far as the
	// reports tell.
	crowd int32
	// status is the channel that children born from now on report by; nil
	// until the first is born.
	status *statusChannel

	watched bool // what the pool wants
	dirty   bool // what it wants may differ from what is

	// missing: its sockets could not be opened yet. shut: they were closed,
	// because its workers cannot be started. gaveUp: no more are tried.
	missing, shut, gaveUp bool
	// What an operator has set for a time. scaled: its size, until the next plan.
	// paused: no births. drained: no watch, and no pool once its workers are
	// gone, until the next plan.
	scaled          *pool.Policy
	paused, drained bool
	ended           bool // it is gone from the plan, and its last worker too
	// under are the ceilings that its pool has joined.
	under []*pool.Ceiling
	// stored are descriptors that its workers have had us keep.
	stored []storedFile
	// guests were accepted for workers that could not be born after all.
	guests []guest
	// closer closes what workers of this service may linger at.
	closer *closer

	ringAt pool.Time // place in the timer heap
	ringIx int

	// figures is what has happened to it; nil while nothing has.
	figures *figures
	// before is the flight recorder of its last pool, which was drained; nil
	// without one.
	before *pool.Recorder
}

// recorders are the flight recorders of its pools, the oldest first.
func (s *service) recorders() (of []*pool.Recorder) {
	if s.before != nil {
		of = append(of, s.before)
	}
	if s.pool != nil {
		of = append(of, s.pool.Recorder())
	}
	return of
}

// source is something in the epoll set: a listening socket, or a service's
// status channel when socket is nil; without a service, what tells of deaths.
type source struct {
	service *service
	socket  *listen.Socket
	fd      int
	slot    int32
	known   bool // in the epoll set
	armed   bool // will tell
	// patient: accept(2) waits for a client, as workers of its protocol expect.
	// They may change that afterwards, for all who have the socket.
	patient bool
	// pressed: when its watch began, a client was waiting already, so that
	// there may be several. Counting them takes a walk over all sockets of the
	// machine, so it is not done for a lone client.
	pressed bool
}

// policy is how its pool lives: as planned, or as an operator has scaled it.
func (s *service) policy() *pool.Policy {
	if s.scaled != nil {
		return s.scaled
	}
	return s.plan.Policy
}

// markDirty has the next settle look at the service.
func (m *Master) markDirty(s *service) {
	if !s.dirty {
		s.dirty = true
		m.dirty = append(m.dirty, s)
	}
}

// applyWatch makes the epoll set agree with what the pool wants.
func (m *Master) applyWatch(s *service) {
	for _, src := range s.listeners {
		if src.armed == s.watched {
			continue
		}
		if err := m.poller.watch(src, s.watched); err != nil {
			m.logWatchFailed(s, err)
		}
		if src.armed && s.figures != nil {
			s.figures.watched = m.at
		}
		src.pressed = src.armed && s.plan.Policy.Ramp > 1 && src.socket.Readable()
	}
}

// waitingAll is how many clients wait at all sockets of a service, or were kept;
// one for each socket that cannot tell. Of datagrams nobody knows the number:
// they count as many clients as workers may be born at one time.
func (m *Master) waitingAll(s *service) int32 {
	total := len(s.guests)
	for _, src := range s.listeners {
		n, err := src.socket.Waiting()
		switch {
		case err != nil:
			n = 1
		case n > 0 && (s.plan.Transport == plan.UDP || s.plan.Transport == plan.UnixDgram):
			n = max(1, s.policy().Ramp)
		}
		total += n
	}
	return int32(total)
}

// openShared makes what all services share.
func (m *Master) openShared() (err error) {
	if m.poller, err = newPoller(); err != nil {
		return err
	}
	if m.deaths.fd, err = child.Watch(); err == nil {
		err = m.poller.watch(&m.deaths, true)
	}
	if err != nil {
		m.poller.close()
		return fmt.Errorf("cannot watch for deaths: %w", err)
	}
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		m.poller.close()
		return err
	}
	m.flow = [2]int{pipe[0], pipe[1]}
	// Pictures do without what a kernel cannot tell.
	m.survey, _ = listen.NewSurvey()
	return nil
}

func (m *Master) closeShared() {
	if m.ages != nil {
		m.ages.Close()
	}
	if m.survey != nil {
		m.survey.Close()
	}
	unix.Close(m.flow[0])
	unix.Close(m.flow[1])
	m.poller.close()
}
