package pool

import (
	"encoding/binary"
	"slices"
	"strings"
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
			states, lives := nativeAll(t, c.policy)
			t.Logf("%d lives of up to %d events from %d different states", lives, nativeEvents, states)
			if lives < 10_000 {
				t.Errorf("only %d lives: the events have become fewer", lives)
			}
		})
	}
}

// nativeLife is one pool, the rules, and how it came to that.
type nativeLife struct {
	pool  *Pool
	gens  Generations
	rules rules
	now   Time
	many  uint64

	before *nativeLife
	event  shortEvent
}

func nativeAll(t *testing.T, policy Policy) (states int, lives uint64) {
	first := &nativeLife{now: 1, many: 1, rules: rules{policy: policy, limit: policy.Limit}}
	first.pool = New(policy, &first.gens)
	first = first.next(t, shortEvent{Event: Event{Kind: Started}})
	first.before = nil
	generation := []*nativeLife{first}
	for events := 1; events <= nativeEvents; events++ {
		states += len(generation)
		seen := make(map[string]*nativeLife)
		var after []*nativeLife
		for _, l := range generation {
			for _, ev := range l.legal() {
				next := l.next(t, ev)
				lives += next.many
				if events == nativeEvents {
					continue
				}
				key := next.fingerprint()
				if same := seen[key]; same != nil {
					same.many += next.many
					continue
				}
				seen[key] = next
				after = append(after, next)
			}
		}
		generation = after
	}
	return states, lives
}

func (l *nativeLife) next(t *testing.T, ev shortEvent) *nativeLife {
	n := &nativeLife{now: l.now + Time(ev.after), gens: l.gens, rules: l.rules, many: l.many, before: l, event: ev}
	n.rules.lives = slices.Clone(l.rules.lives)
	n.pool = l.pool.clone(&n.gens)
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("the pool panicked: %v\n%s", r, n.story())
		}
	}()
	did := n.pool.Step(n.now, ev.Event)
	if wrong := n.rules.step(n.now, &ev.Event, did); wrong != "" {
		t.Fatalf("%s\n%s", wrong, n.story())
	}
	return n
}

// legal is every event that the system could tell next.
func (l *nativeLife) legal() (evs []shortEvent) {
	r := &l.rules
	if r.gone {
		return nil
	}
	tell := func(ev Event) { evs = append(evs, shortEvent{Event: ev}) }
	if r.watching {
		tell(Event{Kind: ClientWaits, N: 2})
	}
	if r.armed != 0 {
		evs = append(evs, shortEvent{Duration(r.armed - l.now), Event{Kind: Ticked}})
	}
	evs = append(evs, shortEvent{40 * Second, Event{Kind: Ticked}})
	if r.looks > 0 {
		tell(Event{Kind: Looked})
		tell(Event{Kind: Looked, N: 2})
		tell(Event{Kind: Looked, N: 1, Span: Second})
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
		l.legalOf(&m, tell)
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

func (l *nativeLife) legalOf(m *mortal, tell func(Event)) {
	p := &l.rules.policy
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

// story is the life so far, in the words of the stories.
func (l *nativeLife) story() string {
	var lines []string
	policy := l.rules.policy
	for ; l.before != nil; l = l.before {
		s := l.event.String()
		if l.event.after != 0 {
			s = "leap " + l.event.after.String() + "\n" + s
		}
		lines = append(lines, s)
	}
	slices.Reverse(lines)
	return "policy " + policy.String() + "\nstart\n" + strings.Join(lines, "\n") + "\n"
}

// fingerprint is everything that the time to come depends on.
func (l *nativeLife) fingerprint() string {
	key := make([]byte, 0, 512)
	add := func(ns ...int64) {
		for _, n := range ns {
			key = binary.AppendVarint(key, n)
		}
	}
	when := func(ts ...Time) {
		for _, t := range ts {
			if t != 0 {
				t = t - l.now + 1_000_000_000_000_000
			}
			add(int64(t))
		}
	}
	p, r, f, s := l.pool, &l.rules, &l.pool.fails, &l.pool.shrink
	add(int64(p.policy.Limit), int64(l.gens.last), int64(p.crowd), int64(p.turns.now), int64(r.looks))
	add(truth(p.started, p.removed, p.hurried, p.draining, p.paused, p.gone, p.watching, p.tells, f.gaveUp, f.halfOpen, s.sampling, s.looking, p.ceiling.debt))
	add(truth(r.gaveUp, r.watching), int64(f.inARow), int64(f.wait), int64(f.fruitless), int64(s.low), int64(s.step), int64(p.waits.seen))
	when(p.armed, p.throttledTo, p.lookAt, p.fullSince, p.queueAt, p.drainAt, p.waits.since, p.waits.look, p.waits.at)
	when(f.last, f.probeAt, s.at, s.since, s.needed, s.lastClient, r.throttle, r.armed, max(p.quietTo, l.now))
	for _, m := range r.lives {
		c := p.births[m.gen]
		if m.pid != 0 {
			c = p.children[m.pid]
		}
		add(int64(m.gen), int64(m.pid), truth(m.busy, m.spoke, m.retired, m.stopped, m.killed, m.leaving))
		add(int64(c.state), int64(c.phase), int64(c.uses), int64(c.reason), truth(c.heard, c.departing, c.due, c.replaced, c.byItself, c == f.probe))
		when(c.since, c.extended, c.measured)
		if c.heir != nil {
			add(int64(c.heir.generation))
		}
	}
	for q := range queues {
		for c := p.first(q); c != nil; c = c.after(q) {
			add(int64(q), int64(c.generation))
			when(c.links[slotOf[q]].at)
		}
	}
	return string(key)
}
