package master

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// PictureOptions is what a picture is to show.
type PictureOptions struct {
	// Service is the name or the key of the service to show; "" shows all.
	// Several services may have one name.
	Service string
	// Workers has each worker shown.
	Workers bool
	// Memory has memory and CPU be read for the daemon and for each worker.
	Memory bool
}

// shows tells whether a service is to be shown.
func (o *PictureOptions) shows(s *plan.Service) bool {
	return o.Service == "" || o.Service == s.Name || meansAlone(o.Service, s)
}

// drawMost is how long the loop is waited for. Whoever asks how things are wants
// to hear that the loop hangs, and not to hang with it.
const drawMost = 80 * time.Millisecond

// Picture draws what is known of the services at this moment. The loop says what
// it knows, in one go; what takes files or the kernel's lists is found out
// beside it, a moment later. It may be called from any goroutine.
//
// If the loop does not answer in time, the last picture that is still in memory
// is returned with Picture.Stale set, or one without services. What could not be
// read, for want of descriptors for example, is 0. The error is that of the
// context, or tells that the loop has ended or that there is no such service.
func (m *Master) Picture(ctx context.Context, what PictureOptions) (*scoreboard.Picture, error) {
	d := &drawing{what: what}
	if what.Service == "" {
		// Room for thousands of services is made here and not in the loop.
		d.room = make([]scoreboard.Service, m.drawnLast.Load())
	}
	soon, cancel := context.WithTimeout(ctx, drawMost)
	defer cancel()
	err := m.Call(soon, func() {
		if !d.abandoned.Load() {
			m.draw(d)
		}
	})
	d.abandoned.Store(err != nil)
	switch {
	case err == nil:
	case ctx.Err() != nil || errors.Is(err, ErrOver):
		return nil, err
	default:
		return m.stale(&what), nil
	}
	if len(d.plans) == 0 && what.Service != "" {
		return nil, m.unknown(ctx, what.Service)
	}
	m.complete(ctx, d)
	if what.Service == "" {
		m.drawnLast.Store(int64(len(d.plans)))
		m.keepPicture(d.picture)
	}
	return d.picture, nil
}

// drawing is a picture on its way from the loop to its reader.
type drawing struct {
	what PictureOptions
	// abandoned tells the loop that nobody waits any more.
	abandoned atomic.Bool
	picture   *scoreboard.Picture
	room      []scoreboard.Service // for as many as there were last time
	epoch     int64                // see wallEpoch
	// plans are those of the services of the picture, addresses all of theirs.
	plans     []*plan.Service
	addresses []scoreboard.Address
	// queues are to be counted; places says whose each is.
	queues []listen.Queue
	places []place
	// children is for the children of one service after the other.
	children []pool.Child
}

// place is an address in a picture.
type place struct{ service, address int }

// draw has the loop say what it knows. It costs the loop about a microsecond for
// each service, and for each worker.
func (m *Master) draw(d *drawing) {
	now := m.now()
	d.epoch = m.wallEpoch()
	running, leaving := m.shown(&d.what)
	d.picture = &scoreboard.Picture{
		PID: int32(os.Getpid()), Source: m.plan.Source, Version: m.opts.Version, Mode: "native",
		At: d.epoch + int64(now), Started: d.epoch + int64(born),
		Reload: m.reloaded, Closing: m.leaving(), Deadline: wall(d.epoch, m.deadline),
		Loop: m.figures.Loop, Workers: len(m.children),
		Services: d.servicesFor(len(running) + len(leaving)),
	}
	if m.opts.QueueDirectory != "" {
		d.picture.Mode = "postfix"
	}
	for _, c := range m.ceilings {
		if c.name == "" {
			d.picture.WorkersMax = c.at.Limit()
		}
	}
	d.prepare(running, leaving)
	for i, s := range append(running, leaving...) {
		m.drawService(d, i, s, now)
	}
	for i := len(running); i < len(d.plans); i++ {
		d.picture.Services[i].Removed = !slices.Contains(m.plan.Services, d.plans[i])
	}
}

// servicesFor is room for as many services as there are.
func (d *drawing) servicesFor(count int) []scoreboard.Service {
	if count <= len(d.room) {
		return d.room[:count:count]
	}
	return make([]scoreboard.Service, count)
}

// born is the loop's time when it began, see Master.now.
const born = pool.Time(pool.Second)

// shown are the services of a picture: those of the plan in its order, and those
// that end, in the order in which they were written.
func (m *Master) shown(what *PictureOptions) (running, leaving []*service) {
	if what.Service == "" {
		running = make([]*service, 0, len(m.services))
	}
	for _, p := range m.plan.Services {
		if s := m.services[p.Key]; s != nil && what.shows(p) {
			running = append(running, s)
		}
	}
	for s := range m.ending {
		if what.shows(s.plan) {
			leaving = append(leaving, s)
		}
	}
	slices.SortFunc(leaving, func(a, b *service) int {
		return cmp.Or(cmp.Compare(a.plan.Pos.File, b.plan.Pos.File), cmp.Compare(a.plan.Pos.Line, b.plan.Pos.Line), cmp.Compare(a.plan.Key, b.plan.Key))
	})
	return running, leaving
}

// prepare makes room for everything at once.
func (d *drawing) prepare(running, leaving []*service) {
	addresses := 0
	d.plans = make([]*plan.Service, 0, len(running)+len(leaving))
	for _, list := range [][]*service{running, leaving} {
		for _, s := range list {
			d.plans = append(d.plans, s.plan)
			addresses += len(s.plan.Endpoints)
		}
	}
	d.addresses = make([]scoreboard.Address, addresses)
	d.queues = make([]listen.Queue, 0, addresses)
	d.places = make([]place, 0, addresses)
}

// drawService says what the loop knows of one service.
func (m *Master) drawService(d *drawing, i int, s *service, now pool.Time) {
	sv, running := &d.picture.Services[i], m.services[s.plan.Key]
	policy := s.policy()
	sv.Limit, sv.Min, sv.Spare, sv.Opaque = policy.Limit, policy.Min, policy.Spare, policy.Opaque
	sv.Watching, sv.Missing, sv.GaveUp = s.watched && !s.missing && !s.shut, s.missing, s.gaveUp
	n := len(s.plan.Endpoints)
	sv.Listen, d.addresses = d.addresses[:n:n], d.addresses[n:]
	for at, src := range s.listeners {
		if q, ok := listen.QueueOf(src.socket); ok {
			d.queues, d.places = append(d.queues, q), append(d.places, place{i, at})
		} else if src.socket.Readable() {
			sv.Listen[at].Queue = 1
		}
	}
	if s.pool != nil {
		m.drawPool(d, sv, s, now)
	}
	sv.Scaled, sv.Paused = s.scaled != nil, s.paused
	sv.Draining = sv.Draining || s.drained
	// A service that was drained and has begun anew shares them with those of its
	// workers that are left; they are told once.
	if f := s.figures; f != nil && (running == s || running == nil || running.figures != f) {
		f.draw(sv, d.epoch, now)
	}
	if s.pool != nil {
		sv.Counts.Saturated += int64(s.pool.Saturated(now))
	}
}

// drawPool says how the pool of a service stands.
func (m *Master) drawPool(d *drawing, sv *scoreboard.Service, s *service, now pool.Time) {
	v := s.pool.View()
	sv.Limit, sv.Min, sv.Spare, sv.Opaque = v.Limit, v.Min, v.Spare, v.Opaque
	sv.Paused, sv.Draining, sv.Probing, sv.Waiting = v.Paused, v.Draining, v.Probing, v.Waiting
	sv.GaveUp, sv.Failures = v.GaveUp, v.Failures
	sv.ThrottledUntil, sv.StressUntil = wall(d.epoch, v.Throttled), wall(d.epoch, v.Stress)
	d.children = s.pool.AppendChildren(d.children[:0], now)
	listed := d.what.Workers || d.what.Memory
	if listed {
		sv.Workers = make([]scoreboard.Worker, 0, len(d.children))
	}
	var youngest pool.Time
	for i := range d.children {
		c := &d.children[i]
		state := stateOf(c)
		*countOf(sv, state)++
		if c.Since > youngest || c.Since == youngest && int32(c.Generation-sv.Generation) > 0 {
			youngest, sv.Generation = c.Since, c.Generation
		}
		if !listed {
			continue
		}
		w := scoreboard.Worker{
			PID: c.PID, Generation: c.Generation, State: state, Uses: c.Uses,
			Since: wall(d.epoch, c.Since), Busy: wall(d.epoch, c.Busy),
		}
		if known := m.children[c.PID]; known != nil {
			w.Status = known.status
		}
		sv.Workers = append(sv.Workers, w)
	}
}

// stateOf is the state of a worker in the picture's word.
func stateOf(c *pool.Child) string {
	switch {
	case c.State == "leaving":
		return "retiring"
	case c.State == "deaf":
		return "deaf"
	case c.State == "taken":
		return "busy"
	case c.Starting:
		return "starting"
	}
	return "idle"
}

// countOf is where the workers in a state are counted.
func countOf(sv *scoreboard.Service, state string) *int {
	switch state {
	case "retiring":
		return &sv.Retiring
	case "deaf":
		return &sv.Deaf
	case "busy":
		return &sv.Busy
	case "starting":
		return &sv.Starting
	}
	return &sv.Idle
}

// draw says what has happened to a service. QueueAge is what the reports tell of
// it; it counts only where somebody waits.
func (f *figures) draw(sv *scoreboard.Service, epoch int64, now pool.Time) {
	sv.Counts, sv.Wait, sv.Job, sv.CPU, sv.MissingWhy = f.counts, f.wait, f.job, f.cpu, f.missing
	sv.Failure, sv.Death = tellDeath(&f.failure, epoch), tellDeath(&f.death, epoch)
	if f.seen != 0 && !sv.Opaque {
		sv.QueueAge = int64(now - f.seen)
	}
}

// tellDeath is a copy of a death, with the time of the wall; nil if there was
// none.
func tellDeath(e *scoreboard.Death, epoch int64) *scoreboard.Death {
	if e.At == 0 {
		return nil
	}
	told := *e
	told.At += epoch
	return &told
}

// wall is a moment of the loop's time in that of the wall; 0 stays 0.
func wall(epoch int64, at pool.Time) int64 {
	if at == 0 {
		return 0
	}
	return epoch + int64(at)
}

// wallEpoch is what turns the loop's time into that of the wall. It stays as it
// is while nobody sets the clock, so that a moment is told alike each time.
// BEFORE: in the loop.
func (m *Master) wallEpoch() int64 {
	now := time.Now()
	epoch := now.UnixNano() - int64(now.Sub(m.epoch))
	if d := epoch - m.wall; d > int64(clockSlack) || d < -int64(clockSlack) {
		m.wall = epoch
	}
	return m.wall
}

// clockSlack is by how much the clock may be adjusted before that counts.
const clockSlack = 100 * time.Millisecond
