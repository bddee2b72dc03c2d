package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestShortLives goes through every legal life of pools whose limit is two, and
// has the ledger judge every step.
func TestShortLives(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		reload Policy
	}{
		{
			"postfix",
			Policy{Limit: 2, Throttle: 60 * Second, KillAfter: 5 * Second},
			Policy{Limit: 1, Throttle: 60 * Second},
		},
		{
			"stress",
			Policy{Limit: 2, Throttle: 60 * Second, Stress: true, Wakeup: 300 * Second, WakeupOnUse: true},
			Policy{Limit: 2, Wakeup: 40 * Second},
		},
		{
			"patience",
			Policy{Limit: 2, Throttle: 60 * Second, Patience: 10 * Second, Ramp: 2, KillAfter: 5 * Second},
			Policy{Patience: 10 * Second},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			steps, states, lives := liveAll(t, &accountant{book: ledger{policy: c.policy, now: 1}, reload: c.reload}, shortEvents)
			t.Logf("%d lives of up to %d events, in %d steps from %d different states", lives, shortEvents, steps, states)
			if lives < 1_000_000 {
				t.Errorf("only %d lives: the events have become fewer", lives)
			}
		})
	}
}

// accountant is the ledger as a judge, and what else the system knows that tells
// the pool of things.
type accountant struct {
	book   ledger
	looks  int
	reload Policy
}

func (a *accountant) plan() Policy { return a.book.policy }

func (a *accountant) clone() judge {
	c := *a
	c.book.lines = slices.Clone(a.book.lines)
	return &c
}

func (a *accountant) step(p *Pool, now Time, ev *Event, did []Action) string {
	b := &a.book
	if wrong := b.step(now, ev, did); wrong != "" {
		return wrong
	}
	if v := p.View(); v.Available != b.count('a') || v.Taken != b.count('t') || v.Leaving != b.count('l') || v.Deaf != b.count('d') {
		return fmt.Sprintf("the books say %+v, the ledger %+v", v, b.lines)
	}
	if ev.Kind == Looked {
		a.looks--
	}
	for _, did := range did {
		if did.Kind == Look {
			a.looks++
		}
	}
	return ""
}

// legal is every event that the system could tell next.
func (a *accountant) legal(now Time) (evs []shortEvent) {
	if a.book.gone {
		return nil
	}
	tell := func(ev Event) { evs = append(evs, shortEvent{Event: ev}) }
	tell(Event{Kind: ClientWaits})
	if a.book.policy.Ramp > 1 {
		tell(Event{Kind: ClientWaits, N: 2})
	}
	a.legalOfChildren(tell)
	tell(Event{Kind: Ticked})
	if a.book.armed != 0 {
		evs = append(evs, shortEvent{Duration(a.book.armed - now), Event{Kind: Ticked}})
		evs = append(evs, shortEvent{2000 * Second, Event{Kind: Ticked}})
	}
	evs = append(evs, shortEvent{61 * Second, Event{Kind: Pardoned}})
	if a.looks > 0 {
		tell(Event{Kind: Looked})
		tell(Event{Kind: Looked, N: 1})
	}
	tell(Event{Kind: Replanned, Policy: &a.reload})
	tell(Event{Kind: Pardoned})
	tell(Event{Kind: Removed})
	return evs
}

// legalOfChildren is what can be told of those in the books, and by them.
func (a *accountant) legalOfChildren(tell func(Event)) {
	pid := int32(1)
	for a.book.find(func(x line) bool { return x.born && x.pid == pid }) >= 0 {
		pid++
	}
	for _, x := range a.book.lines {
		if !x.born {
			tell(Event{Kind: Born, Generation: x.gen, PID: pid})
			tell(Event{Kind: Stillborn, Generation: x.gen, Code: 11})
			tell(Event{Kind: Reported, Generation: x.gen, PID: pid, Sender: pid, State: StateTaken})
			tell(Event{Kind: Reported, Generation: x.gen, PID: pid, Sender: pid, State: StateAvailable})
			tell(Event{Kind: Reported, Generation: x.gen, PID: 99, Sender: 99, State: StateTaken})
			continue
		}
		for _, code := range []int32{0, 1, -15} {
			tell(Event{Kind: Died, PID: x.pid, Code: code})
		}
		tell(Event{Kind: Reported, PID: x.pid, Sender: x.pid, Generation: x.gen, State: StateTaken})
		tell(Event{Kind: Reported, PID: x.pid, Generation: x.gen, State: StateAvailable})
		tell(Event{Kind: Reported, PID: x.pid, Sender: x.pid, Generation: x.gen + 1, State: StateTaken})
		tell(Event{Kind: Reported, PID: x.pid, Sender: 99, Generation: x.gen, State: StateTaken})
		tell(Event{Kind: Reported, PID: x.pid, Sender: x.pid, Generation: x.gen, State: 2})
	}
	tell(Event{Kind: Died, PID: 99, Code: 1})
}

// remember adds the books of the pool and of the ledger.
func (a *accountant) remember(k *key, p *Pool) {
	b := &a.book
	k.add(int64(p.crowd), int64(b.crowd))
	k.add(int64(a.looks), int64(b.policy.Limit), int64(b.policy.Wakeup), int64(b.nextGen))
	k.add(int64(p.available), int64(p.unheard), int64(p.departing), int64(len(p.children)), int64(len(p.births)))
	k.add(truth(p.started, p.removed, p.gone, p.watching, p.wakeOnBirth), truth(b.started, b.removed, b.gone, b.watching, b.wakeOnBirth, b.wasFull))
	k.when(p.now, p.armed, p.throttledTo, p.wakeAt, p.killAt, p.lookAt, p.fullSince)
	k.when(b.now, b.throttle, b.wake, b.kill, b.armed)
	// A memory that has faded is none: nobody asks since when.
	for _, memory := range []Time{p.stressTo, p.quietTo, b.stress, b.quiet} {
		if memory <= k.now {
			memory = 0
		}
		k.when(memory)
	}
	for _, x := range b.lines {
		c := p.births[x.gen]
		if x.born {
			c = p.children[x.pid]
		}
		k.add(int64(x.gen), int64(x.pid), int64(x.state), int64(x.uses), truth(x.born, x.idle, x.heard))
		k.add(int64(c.generation), int64(c.pid), int64(c.state), int64(c.uses), truth(c.heard, c.departing))
		k.when(x.started, c.since)
	}
}

// TestEveryEventIsKnown holds Step to its promise that every kind has its case
// and its words, and a kind that does not exist is a broken book.
func TestEveryEventIsKnown(t *testing.T) {
	for kind := Started; kind <= Yield; kind++ {
		if s := (Event{Kind: kind, Policy: new(Policy)}).String(); strings.HasPrefix(s, "event ") {
			t.Errorf("event kind %d has no words", kind)
		}
	}
	for kind := Watch; kind <= Ask; kind++ {
		if s := (Action{Kind: kind}).String(); strings.HasPrefix(s, "action ") {
			t.Errorf("action kind %d has no words", kind)
		}
	}
	for note := NoteDied; note <= NoteCeiling; note++ {
		if s := (Action{Kind: Tell, Note: note}).String(); strings.HasPrefix(s, "tell note ") {
			t.Errorf("note %d has no words", note)
		}
	}
	for _, c := range []struct {
		what string
		ev   Event
	}{
		{"an event of an unknown kind", Event{Kind: Yield + 1}},
		{"the answer to a birth that nobody asked for", Event{Kind: Born, PID: 1, Generation: 1}},
		{"the failure of a birth that nobody asked for", Event{Kind: Stillborn}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", c.what)
				}
			}()
			New(Policy{Limit: 2}, new(Generations)).Step(1, c.ev)
		}()
	}
}

// TestRecount breaks the books in every way that the checks are to find, and
// wants a panic each time.
func TestRecount(t *testing.T) {
	for name, breakIt := range map[string]func(*Pool){
		"available":  func(p *Pool) { p.available++ },
		"unheard":    func(p *Pool) { p.unheard-- },
		"departing":  func(p *Pool) { p.departing++ },
		"watching":   func(p *Pool) { p.watching = !p.watching },
		"buried":     func(p *Pool) { p.children[1].state = buried },
		"pid":        func(p *Pool) { p.children[1].pid = 7 },
		"generation": func(p *Pool) { p.births[2].generation = 7 },
		"throttle":   func(p *Pool) { p.throttledTo = 1 },
		"state":      func(p *Pool) { p.children[1].state = leaving },
	} {
		t.Run(name, func(t *testing.T) {
			p := New(Policy{Limit: 5, Ramp: 2}, new(Generations))
			for _, ev := range []Event{{Kind: Started}, {Kind: ClientWaits, N: 2}, {Kind: Born, PID: 1, Generation: 1}} {
				p.Step(1, ev)
			}
			breakIt(p)
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "pool: ") {
					t.Errorf("the checks let it pass: %v", r)
				}
			}()
			p.check()
		})
	}
}
