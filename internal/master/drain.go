package master

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// progressEvery is the least time between two lines about a drain.
const progressEvery = 200 * time.Millisecond

// drain is somebody who follows one.
type drain struct {
	// service is the only one that is drained; nil for all.
	service  *service
	deadline int64
	cutOff   []scoreboard.Left
	// changed has room for one: there is news since it was read.
	changed chan struct{}
}

func (d *drain) covers(s *service) bool { return d.service == nil || d.service == s }

// Drain has a service take no more clients and its workers finish those in hand,
// for patience at most (0: as the configuration has it); with no service, all of
// them, and the daemon then ends. A service that was drained keeps its sockets, so
// that clients queue until Resume or a reload. Progress is told whenever
// something has changed, a few times a second at most; the last one is returned.
// When ctx ends, or tell fails, nobody is told any more, and the drain goes on.
func (m *Master) Drain(ctx context.Context, by By, name string, patience time.Duration, tell func(scoreboard.Progress) error) (*scoreboard.Progress, error) {
	d := &drain{changed: make(chan struct{}, 1)}
	begin := m.beginner(d, patience)
	var err error
	if name != "" {
		err = m.on(ctx, by, "drain", name, begin)
	} else if e := m.Call(ctx, func() {
		if err = begin(nil); err == nil {
			m.logAsked(by, "drain", "")
		}
	}); e != nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	defer m.inLoop(func() { m.forgetDrain(d) })
	return m.follow(ctx, d, tell)
}

// beginner drains a service, or, with nil, all of them.
func (m *Master) beginner(d *drain, patience time.Duration) func(*service) error {
	return func(s *service) error {
		if m.leaving() {
			return errLeaving
		}
		limit := cmp.Or(max(patience, 0), m.opts.Drain)
		if limit > 0 {
			d.deadline = time.Now().Add(limit).UnixNano()
		}
		d.service = s
		d.news()
		m.drains = append(m.drains, d)
		switch {
		case s != nil:
			m.drainOne(s, patience)
		case m.opts.Gentle:
			m.farewell(unix.SIGTERM, patience)
		default:
			m.beginExodus(limit)
		}
		return nil
	}
}

// drainOne has a service serve nobody any more, but for those who are being
// served.
func (m *Master) drainOne(s *service, patience time.Duration) {
	m.catchUp(s)
	s.drained = true
	if s.pool == nil {
		s.watched = false
		m.markDirty(s)
		return
	}
	m.drainPool(s, patience)
}

// catchUp takes what workers have said and was not read yet: who has just told that
// it has a client must not be held to be free.
func (m *Master) catchUp(s *service) {
	m.readNotify()
	m.readStatus(s)
}

// drainPool drains what there is of workers. Time that an operator gives goes
// before that of the configuration.
func (m *Master) drainPool(s *service, patience time.Duration) {
	span := m.opts.Drain
	if patience > 0 {
		span = patience
		p := *s.policy()
		p.Stop.Drain = 0
		m.step(s, pool.Event{Kind: pool.Adjusted, Policy: &p})
	}
	m.step(s, pool.Event{Kind: pool.Draining, Span: pool.Duration(span)})
}

// undrain has a service begin anew. Workers of before who still have clients
// finish them beside the new ones, as those of a service that was removed.
func (m *Master) undrain(s *service) *service {
	if !s.drained {
		return s
	}
	s.drained = false
	if s.pool == nil {
		return s
	}
	fresh := &service{
		plan: s.plan, scaled: s.scaled, paused: s.paused, missing: s.missing, shut: s.shut,
		listeners: s.listeners, stored: s.stored, guests: s.guests, figures: s.figures,
		before: s.pool.Recorder(),
	}
	s.listeners, s.stored, s.guests = nil, nil, nil
	for _, src := range fresh.listeners {
		src.service = fresh
	}
	m.services[s.plan.Key] = fresh
	m.ending[s] = struct{}{}
	return fresh
}

// follow tells of a drain until it is done.
func (m *Master) follow(ctx context.Context, d *drain, tell func(scoreboard.Progress) error) (*scoreboard.Progress, error) {
	for {
		select {
		case <-d.changed:
		case <-m.over:
			return d.atTheEnd(), nil
		case <-ctx.Done():
			return m.endOr(d, ctx.Err())
		}
		var p scoreboard.Progress
		if err := m.Call(ctx, func() { p = m.progress(d) }); err != nil {
			return m.endOr(d, err)
		}
		if p.Done {
			return &p, nil
		}
		if err := tell(p); err != nil {
			return m.endOr(d, err)
		}
		pace := time.NewTimer(progressEvery)
		select {
		case <-pace.C:
		case <-m.over:
		case <-ctx.Done():
		}
		pace.Stop()
	}
}

// endOr is the end of a drain if the loop has come to its end, and otherwise an
// error. Whoever closes the operator's socket at the end ends the contexts of
// requests too.
func (m *Master) endOr(d *drain, err error) (*scoreboard.Progress, error) {
	select {
	case <-m.over:
		return d.atTheEnd(), nil
	default:
		return nil, err
	}
}

// atTheEnd is the last word on a drain of everything. BEFORE: the loop has ended.
func (d *drain) atTheEnd() *scoreboard.Progress {
	return &scoreboard.Progress{
		At: time.Now().UnixNano(), Deadline: d.deadline, Left: []scoreboard.Left{}, CutOff: d.cutOff, Done: true,
	}
}

// news has the follower look.
func (d *drain) news() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// tellDrains has those look who follow the drain of a service.
func (m *Master) tellDrains(s *service) {
	for _, d := range m.drains {
		if d.covers(s) {
			d.news()
		}
	}
}

func (m *Master) forgetDrain(d *drain) {
	m.drains = slices.DeleteFunc(m.drains, func(o *drain) bool { return o == d })
}

// progress is how far a drain has come. Where everything is drained step by step,
// those of a service whose turn has not come count while they have a client.
func (m *Master) progress(d *drain) scoreboard.Progress {
	now := time.Now().UnixNano()
	p := scoreboard.Progress{At: now, Deadline: d.deadline, Left: []scoreboard.Left{}, CutOff: slices.Clone(d.cutOff)}
	for _, w := range m.children {
		if !d.covers(w.service) {
			continue
		}
		if l := m.left(w); l.Busy != 0 || m.exodus == nil || w.service.drained {
			p.Left = append(p.Left, l)
		}
	}
	slices.SortFunc(p.Left, func(a, b scoreboard.Left) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Busy, b.Busy), cmp.Compare(a.PID, b.PID))
	})
	p.Done = d.service != nil && d.service.finished()
	return p
}

// finished tells whether the last worker of a service that was drained is gone.
func (s *service) finished() bool { return s.pool == nil || s.ended }

// left is a worker in the words of the scoreboard.
func (m *Master) left(w *worker) scoreboard.Left {
	l := scoreboard.Left{Service: w.service.plan.Name, PID: w.pid}
	if w.service.pool == nil {
		return l
	}
	if c, ok := w.service.pool.Child(w.pid); ok && c.Busy != 0 {
		l.Busy = m.wallEpoch() + int64(c.Busy)
	}
	return l
}

// cutOff notes a worker that is stopped in the middle of a client, because its
// service has been drained for long enough.
func (m *Master) cutOff(s *service, a *pool.Action) {
	if _, ending := m.ending[s]; a.At == 0 || !s.drained && (!ending || s.plan.Wishes == nil) {
		return
	}
	m.logCutOff(s, a.PID)
	for _, d := range m.drains {
		if d.covers(s) {
			d.cutOff = append(d.cutOff, scoreboard.Left{Service: s.plan.Name, PID: a.PID, Busy: m.wallEpoch() + int64(a.At)})
		}
	}
}

// exodus is the drain of all of Postfix, which has to go on working for those
// who are being served: an smtpd that takes its last message needs a cleanup,
// and who delivers the last one needs to report it. So what brings new work in
// is drained first; once no process has a client any more, everything is
// ended as by TERM.
type exodus struct {
	stage stage
	timer *time.Timer
}

// stage is how far an exodus has come.
type stage uint8

const (
	// outside: what clients of other machines can reach.
	outside stage = iota + 1
	// clockwork: what looks for work by itself, such as pickup and qmgr.
	clockwork
	// silence: nobody is busy.
	silence
)

func (m *Master) beginExodus(limit time.Duration) {
	m.exodus = &exodus{stage: outside}
	if limit > 0 {
		m.deadline = m.now() + pool.Time(limit)
		m.exodus.timer = time.AfterFunc(limit, func() { m.inLoop(m.exodusDue) })
	}
	m.drainStage()
}

// belongs tells whether a service is drained in a stage.
func (st stage) belongs(p *plan.Service) bool {
	switch st { //exhaustive:enforce
	case outside:
		return p.Transport == plan.Inet
	case clockwork:
		return p.Policy.Wakeup > 0
	case silence:
		return false
	}
	return false
}

func (m *Master) drainStage() {
	for _, p := range m.plan.Services {
		if s := m.services[p.Key]; !s.drained && m.exodus.stage.belongs(p) {
			m.drainOne(s, 0)
		}
	}
}

// advance goes on with an exodus as far as it goes. It is asked after every turn.
func (m *Master) advance() {
	for m.exodus != nil && m.ended == nil && m.stageIsOver() {
		if m.exodus.stage == silence {
			m.ended = unix.SIGTERM
			return
		}
		m.exodus.stage++
		m.drainStage()
	}
}

func (m *Master) stageIsOver() bool {
	if m.exodus.stage == silence {
		for _, w := range m.children {
			if m.left(w).Busy != 0 {
				return false
			}
		}
		return true
	}
	for _, s := range m.services {
		if s.drained && s.pool != nil {
			return false
		}
	}
	return true
}

// exodusDue ends it, whoever has a client still.
func (m *Master) exodusDue() {
	for _, w := range m.children {
		if l := m.left(w); l.Busy != 0 {
			m.logCutOff(w.service, w.pid)
			for _, d := range m.drains {
				if d.service == nil {
					d.cutOff = append(d.cutOff, l)
				}
			}
		}
	}
	m.ended = unix.SIGTERM
}
