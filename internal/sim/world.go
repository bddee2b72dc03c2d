package sim

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// The sizes of the world.
const (
	servicesAtOnce = 5
	pidsThereAre   = 400 // few, so that they are used again soon
	crowdAtMost    = 40  // clients that wait at one service
	patienceOfAll  = 90 * pool.Second
	second         = int64(pool.Second)
)

// World is everything that there is. Use New, and then Run.
type World struct {
	seed     uint64
	chance   chance
	now      int64 // its own time, which never leaps
	skew     int64 // what the pools' clock has leapt ahead
	agenda   agenda
	gens     pool.Generations
	services []*service
	// processes is everybody who has a pid, the dead that nobody has
	// reaped included.
	processes [pidsThereAre]*process
	ceilings  []*pool.Ceiling
	people    int
	lastPID   int32
	noForks   bool // the system is out of processes for a while
	ending    bool // no new service begins
	events    int64
	tally     Tally
	failure   *Failure
}

// Tally counts what happened, so that a test can see that it did.
type Tally struct {
	Lives, Births, Stillborn, Served, GaveUp, Throttles, Stress, Kills, Deaf, Forged, Limits, Leaps, Reused int64
	// Of native services alone.
	Natives, Hung, GaveUpBirths, Retired, Replaced, Ceilings, Offers, Yields, Measured, Drained int64
}

// New is a world from a seed.
func New(seed uint64) *World {
	w := &World{seed: seed, chance: chance{state: seed}}
	w.ceilings = []*pool.Ceiling{pool.NewCeiling(1 + w.chance.below(3)), pool.NewCeiling(2 + w.chance.below(8))}
	for range servicesAtOnce {
		w.plan(0, thing{kind: serviceBegins})
	}
	w.plan(w.chance.upTo(100*pool.Second), thing{kind: clockLeaps})
	w.plan(w.chance.upTo(300*pool.Second), thing{kind: forksFail})
	return w
}

// Events is how many events the pools have been told.
func (w *World) Events() int64 { return w.events }

// Tally is what has happened so far.
func (w *World) Tally() Tally { return w.tally }

// Run lets the world live until its pools have been told so many events in
// all; nil means that no rule was broken.
func (w *World) Run(events int64) *Failure {
	for w.failure == nil && w.events < events {
		t, ok := w.agenda.next()
		if !ok {
			panic("sim: the world stands still")
		}
		w.now = t.at
		w.happen(&t)
	}
	return w.failure
}

// End removes every service, waits until everybody is gone, and looks what is
// left.
func (w *World) End() *Failure {
	w.ending = true
	for _, s := range w.services {
		w.plan(0, thing{kind: serviceEnds, service: s, token: s.life})
	}
	deadline := w.now + 3600*second
	for w.failure == nil && (len(w.services) > 0 || w.people > 0) {
		t, _ := w.agenda.next()
		if t.at > deadline {
			return &Failure{Seed: w.seed, Events: w.events, Rule: fmt.Sprintf("an hour after the end there are %d services and %d processes", len(w.services), w.people)}
		}
		w.now = t.at
		w.happen(&t)
	}
	for _, c := range w.ceilings {
		if c.Taken() != 0 && w.failure == nil {
			return &Failure{Seed: w.seed, Events: w.events, Rule: fmt.Sprintf("nobody is left, and %d places under a ceiling are taken", c.Taken())}
		}
	}
	return w.failure
}

// plan has a thing happen after a while.
func (w *World) plan(after pool.Duration, t thing) {
	t.at = w.now + int64(after)
	w.agenda.plan(t)
}

// happen has a thing happen now, if it is not off.
func (w *World) happen(t *thing) {
	switch {
	case t.process != nil:
		w.happenToProcess(t)
	case t.service != nil:
		// A ring has a token of its own.
		if t.service.life == t.token || t.kind == ringComes {
			w.happenToService(t)
		}
	default:
		w.happenToWorld(t)
	}
}

// happenToWorld is what concerns everybody.
func (w *World) happenToWorld(t *thing) {
	switch t.kind {
	case serviceBegins:
		if !w.ending {
			w.beginService()
		}
	case clockLeaps:
		w.tally.Leaps++
		w.skew += int64(w.chance.upTo(3600 * pool.Second))
		for _, s := range w.services {
			w.planRing(s)
		}
		w.plan(w.chance.upTo(1000*pool.Second), thing{kind: clockLeaps})
	case forksFail, forksWork:
		w.noForks = t.kind == forksFail
		next, after := forksFail, w.chance.upTo(2000*pool.Second)
		if w.noForks {
			next, after = forksWork, w.chance.upTo(60*pool.Second)
		}
		w.plan(after, thing{kind: next})
	}
}

// clock is the time that pools are told: mostly the right one.
func (w *World) clock() pool.Time {
	t := pool.Time(w.now + w.skew + second)
	if w.chance.oneIn(256) {
		t -= pool.Time(w.chance.upTo(pool.Second))
	}
	return t
}
