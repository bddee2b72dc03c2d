package pool

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// eventsPerLife is how long the lives are that TestShortLives goes through,
// from the start on.
const eventsPerLife = 8

// TestShortLives goes through every legal life of up to eight events of pools
// whose limit is two, and has the ledger judge every step. Lives that have come to
// the same books, of the pool and of the ledger, differ in nothing that is
// still to come; they go on as one, and are counted as many.
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
			steps, states, lives := liveAll(t, c.policy, c.reload)
			t.Logf("%d lives of up to %d events, in %d steps from %d different states", lives, eventsPerLife, steps, states)
			if lives < 1_000_000 {
				t.Errorf("only %d lives: the events have become fewer", lives)
			}
		})
	}
}

// life is one pool, what is needed to tell it something legal, and the ledger.
type life struct {
	pool  *Pool
	gens  Generations
	book  ledger
	now   Time
	looks int
	many  uint64 // how many lives have come to this

	before *life
	event  shortEvent
}

// shortEvent is an event and how long after the last one it comes.
type shortEvent struct {
	after Duration
	Event
}

// liveAll goes on from the start, one event at a time, through all lives.
func liveAll(t *testing.T, policy, reload Policy) (steps, states int, lives uint64) {
	first := &life{now: 1, many: 1, book: ledger{policy: policy, now: 1}}
	first.pool = New(policy, &first.gens)
	first = first.next(t, shortEvent{Event: Event{Kind: Started}})
	first.before = nil
	generation := []*life{first}
	seen := make(map[string]*life)
	for events := 1; events <= eventsPerLife; events++ {
		clear(seen)
		states += len(generation)
		var after []*life
		for _, l := range generation {
			for _, ev := range l.legal(&reload) {
				next := l.next(t, ev)
				steps++
				lives += next.many
				if events == eventsPerLife {
					continue // nothing comes after
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
	return steps, states, lives
}

// next is the same life one event later.
func (l *life) next(t *testing.T, ev shortEvent) *life {
	n := &life{now: l.now + Time(ev.after), gens: l.gens, book: l.book, looks: l.looks, many: l.many, before: l, event: ev}
	n.book.lines = slices.Clone(l.book.lines)
	n.pool = l.pool.clone(&n.gens)
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("the pool panicked: %v\n%s", r, n.story())
		}
	}()
	did := n.pool.Step(n.now, ev.Event)
	if wrong := n.book.step(n.now, &ev.Event, did); wrong != "" {
		t.Fatalf("%s\n%s", wrong, n.story())
	}
	if v, b := n.pool.View(), &n.book; v.Available != b.count('a') || v.Taken != b.count('t') || v.Leaving != b.count('l') || v.Deaf != b.count('d') {
		t.Fatalf("the books say %+v, the ledger %+v\n%s", v, b.lines, n.story())
	}
	if ev.Kind == Looked {
		n.looks--
	}
	for _, a := range did {
		if a.Kind == Look {
			n.looks++
		}
	}
	return n
}

// legal is every event that the system could tell next.
func (l *life) legal(reload *Policy) (evs []shortEvent) {
	if l.book.gone {
		return nil
	}
	tell := func(ev Event) { evs = append(evs, shortEvent{Event: ev}) }
	tell(Event{Kind: ClientWaits})
	if l.book.policy.Ramp > 1 {
		tell(Event{Kind: ClientWaits, N: 2})
	}
	l.legalOfChildren(tell)
	tell(Event{Kind: Ticked})
	if l.book.armed != 0 {
		evs = append(evs, shortEvent{Duration(l.book.armed - l.now), Event{Kind: Ticked}})
		evs = append(evs, shortEvent{2000 * Second, Event{Kind: Ticked}})
	}
	evs = append(evs, shortEvent{61 * Second, Event{Kind: Pardoned}})
	if l.looks > 0 {
		tell(Event{Kind: Looked})
		tell(Event{Kind: Looked, N: 1})
	}
	policy := *reload
	tell(Event{Kind: Replanned, Policy: &policy})
	tell(Event{Kind: Pardoned})
	tell(Event{Kind: Removed})
	return evs
}

// legalOfChildren is what can be told of those in the books, and by them.
func (l *life) legalOfChildren(tell func(Event)) {
	pid := int32(1)
	for l.book.find(func(x line) bool { return x.born && x.pid == pid }) >= 0 {
		pid++
	}
	for _, x := range l.book.lines {
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

// story is the life so far, in the words of the stories.
func (l *life) story() string {
	var lines []string
	for ; l.before != nil; l = l.before {
		s := l.event.String()
		if l.event.after != 0 {
			s = "leap " + l.event.after.String() + "\n" + s
		}
		lines = append(lines, s)
	}
	slices.Reverse(lines)
	return "policy " + l.book.policy.String() + "\nstart\n" + strings.Join(lines, "\n") + "\n"
}

// fingerprint is everything that the time to come depends on: the books of the
// pool and of the ledger, with times counted from now.
func (l *life) fingerprint() string {
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
	p, b := l.pool, &l.book
	add(int64(p.crowd), int64(b.crowd))
	add(int64(l.looks), int64(b.policy.Limit), int64(b.policy.Wakeup), int64(l.gens.last), int64(b.nextGen))
	add(int64(p.available), int64(p.unheard), int64(p.departing), int64(len(p.children)), int64(len(p.births)))
	add(truth(p.started, p.removed, p.gone, p.watching, p.wakeOnBirth), truth(b.started, b.removed, b.gone, b.watching, b.wakeOnBirth, b.wasFull))
	when(p.now, p.armed, p.throttledTo, p.wakeAt, p.killAt, p.lookAt, p.fullSince)
	when(b.now, b.throttle, b.wake, b.kill, b.armed)
	// A memory that has faded is none: nobody asks since when.
	for _, memory := range []Time{p.stressTo, p.quietTo, b.stress, b.quiet} {
		if memory <= l.now {
			memory = 0
		}
		when(memory)
	}
	for _, x := range b.lines {
		c := p.births[x.gen]
		if x.born {
			c = p.children[x.pid]
		}
		add(int64(x.gen), int64(x.pid), int64(x.state), int64(x.uses), truth(x.born, x.idle, x.heard))
		add(int64(c.generation), int64(c.pid), int64(c.state), int64(c.uses), truth(c.heard, c.departing))
		when(x.started, c.since)
	}
	return string(key)
}

// truth is several answers as one number.
func truth(answers ...bool) (n int64) {
	for i, a := range answers {
		if a {
			n |= 1 << i
		}
	}
	return n
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
