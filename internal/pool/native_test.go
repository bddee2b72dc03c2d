package pool

import (
	"slices"
	"testing"
)

// TestNativeLives goes through every life of a few native policies, as
// TestShortLives does for those of Postfix, with the rules as the judge.
func TestNativeLives(t *testing.T) {
	stop := Stopping{Drain: 20 * Second, Timeout: 5 * Second}
	for _, c := range []struct {
		name   string
		policy Policy
	}{
		{"floor", Policy{Limit: 3, Min: 1, Spare: 1, Ramp: 2, Idle: 7 * Second, Stop: stop}},
		{"ready", Policy{
			Limit: 2, Min: 1, Ready: true, StartTimeout: 10 * Second, Heartbeat: 4 * Second, Busy: 9 * Second,
			Stop: stop, Backoff: Backoff{First: Second, Factor: 2, Max: 8 * Second, Tries: 2},
		}},
		{"worn", Policy{Limit: 3, Ramp: 2, MaxUse: 1, MaxAge: 30 * Second, MaxMemory: 100, Stop: stop}},
		{"opaque", Policy{Limit: 2, Opaque: true, Wait: Second, Idle: 7 * Second, MaxAge: 30 * Second, Stop: stop}},
		{"single", Policy{Limit: 2, Single: true, Busy: 9 * Second, Stop: stop, Backoff: Backoff{First: Second}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps, states, lives := liveAll(t, &referee{rules{policy: c.policy, limit: c.policy.Limit}}, nativeEvents)
			t.Logf("%d lives of up to %d events, in %d steps from %d different states", lives, nativeEvents, steps, states)
			if lives < 10_000 {
				t.Errorf("only %d lives: the events have become fewer", lives)
			}
		})
	}
}

// referee is the rules as a judge.
type referee struct{ rules rules }

func (f *referee) plan() Policy { return f.rules.policy }

func (f *referee) clone() judge {
	c := *f
	c.rules.lives = slices.Clone(f.rules.lives)
	return &c
}

func (f *referee) step(_ *Pool, now Time, ev *Event, did []Action) string {
	return f.rules.step(now, ev, did)
}

// legal is every event that the system could tell next.
func (f *referee) legal(now Time) (evs []shortEvent) {
	r := &f.rules
	if r.gone {
		return nil
	}
	tell := func(ev Event) { evs = append(evs, shortEvent{Event: ev}) }
	if r.watching {
		tell(Event{Kind: ClientWaits, N: 2})
	}
	if r.armed != 0 {
		evs = append(evs, shortEvent{Duration(r.armed - now), Event{Kind: Ticked}})
	}
	evs = append(evs, shortEvent{40 * Second, Event{Kind: Ticked}})
	if r.looks > 0 {
		tell(Event{Kind: Looked})
		tell(Event{Kind: Looked, N: 2})
		tell(Event{Kind: Looked, N: 1, Span: Second})
		if r.asked != 0 {
			tell(Event{Kind: Looked, PID: r.asked})
			tell(Event{Kind: Looked, PID: r.asked, Held: 1})
		}
	}
	pid := int32(1)
	for r.by(pid) != nil {
		pid++
	}
	for _, m := range r.lives {
		if m.pid == 0 {
			tell(Event{Kind: Born, Generation: m.gen, PID: pid})
			tell(Event{Kind: Stillborn, Generation: m.gen, Code: 11})
			continue
		}
		f.legalOf(&m, tell)
	}
	tell(Event{Kind: Scaled, N: 1})
	tell(Event{Kind: Paused})
	tell(Event{Kind: Resumed})
	tell(Event{Kind: Pardoned})
	tell(Event{Kind: Draining, Span: 3 * Second})
	tell(Event{Kind: Removed})
	tell(Event{Kind: Yield})
	policy := r.policy
	tell(Event{Kind: Replanned, Policy: &policy})
	return evs
}

func (f *referee) legalOf(m *mortal, tell func(Event)) {
	p := &f.rules.policy
	tell(Event{Kind: Died, PID: m.pid})
	tell(Event{Kind: Died, PID: m.pid, Code: 1})
	if !p.Opaque && !p.Single {
		tell(Event{Kind: Reported, PID: m.pid, Generation: m.gen, State: StateTaken})
		tell(Event{Kind: Reported, PID: m.pid, Generation: m.gen, State: StateAvailable})
	}
	if p.Ready {
		tell(Event{Kind: Ready, PID: m.pid})
		tell(Event{Kind: Heartbeat, PID: m.pid})
		tell(Event{Kind: Extended, PID: m.pid, Span: 15 * Second})
	}
	if p.MaxMemory > 0 {
		tell(Event{Kind: Measured, PID: m.pid, Memory: 101})
	}
	tell(Event{Kind: Leaves, PID: m.pid})
}

// remember adds the books of the pool and of the rules.
func (f *referee) remember(k *key, p *Pool) {
	r, b, s, q := &f.rules, &p.fails, &p.shrink, &p.waits
	k.add(int64(p.policy.Limit), int64(p.crowd), int64(p.turns.now), int64(r.looks), int64(r.asked), int64(s.asked))
	k.add(truth(p.started, p.removed, p.hurried, p.draining, p.paused, p.gone, p.watching, p.tells, b.gaveUp, b.halfOpen, s.sampling, s.looking, p.ceiling.debt))
	k.add(truth(r.gaveUp, r.watching), int64(b.inARow), int64(b.wait), int64(b.fruitless), int64(b.waiting), int64(s.low), int64(s.step), int64(q.seen))
	k.when(p.armed, p.throttledTo, p.lookAt, p.fullSince, p.queueAt, p.drainAt, p.measured, q.since, q.look, q.at, q.ready)
	k.when(b.last, b.probeAt, s.at, s.since, s.needed, s.lastClient, r.throttle, r.armed, max(p.quietTo, k.now))
	for _, m := range r.lives {
		c := p.births[m.gen]
		if m.pid != 0 {
			c = p.children[m.pid]
		}
		k.add(int64(m.gen), int64(m.pid), truth(m.busy, m.spoke, m.retired, m.stopped, m.killed, m.leaving, m.holds))
		k.add(int64(c.state), int64(c.phase), int64(c.uses), int64(c.reason), truth(c.heard, c.departing, c.due, c.replaced, c.byItself, c.proven, c == b.probe))
		k.when(c.since, c.extended, c.measured, c.held)
		if c.heir != nil {
			k.add(int64(c.heir.generation))
		}
	}
	for name := range queues {
		for c := p.first(name); c != nil; c = c.after(name) {
			k.add(int64(name), int64(c.generation))
			k.when(c.links[slotOf[name]].at)
		}
	}
}
