package pool

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// A judge is told every step of a pool and objects to what is wrong with it. It
// knows what the system could tell the pool next, too.
type judge interface {
	// clone is a judge of the same mind, that goes its own way from here.
	clone() judge
	// step judges what a pool did after an event; "" is no objection.
	step(p *Pool, now Time, ev *Event, did []Action) string
	// legal is every event that the system could tell next.
	legal(now Time) []shortEvent
	// remember adds to a key all that the time to come depends on, of the pool
	// and of the judge.
	remember(k *key, p *Pool)
	// plan is the policy that is in force.
	plan() Policy
}

// shortEvent is an event and how long after the last one it comes.
type shortEvent struct {
	after Duration
	Event
}

// life is one pool, its judge, and how it came to that.
type life struct {
	pool  *Pool
	gens  Generations
	judge judge
	now   Time
	many  uint64 // how many lives have come to this

	before *life
	event  shortEvent
}

// liveAll goes through every legal life of a pool of up to so many events after
// the start, and has the judge look at every step. Lives that have come to the
// same books, of the pool and of the judge, differ in nothing that is still to
// come; they go on as one, and are counted as many.
func liveAll(t *testing.T, j judge, events int) (steps, states int, lives uint64) {
	first := &life{now: 1, many: 1, judge: j}
	first.pool = New(j.plan(), &first.gens)
	first = first.next(t, shortEvent{Event: Event{Kind: Started}}, new(room))
	first.before = nil
	generation := []*life{first}
	seen := make(map[string]*life)
	in := new(room)
	for n := 1; n <= events; n++ {
		clear(seen)
		states += len(generation)
		var after []*life
		for _, l := range generation {
			for _, ev := range l.judge.legal(l.now) {
				next := l.next(t, ev, in)
				steps++
				lives += next.many
				if n == events {
					continue // nothing comes after
				}
				k := next.key()
				if same := seen[k]; same != nil {
					same.many += next.many
					continue
				}
				seen[k] = next
				after = append(after, next)
				in = new(room) // it stays in the one before
			}
			l.pool, l.judge = nil, nil // only how it went may be wanted still
		}
		generation = after
	}
	return steps, states, lives
}

// next is the same life one event later.
func (l *life) next(t *testing.T, ev shortEvent, in *room) *life {
	n := &life{now: l.now + Time(ev.after), gens: l.gens, judge: l.judge.clone(), many: l.many, before: l, event: ev}
	n.pool = l.pool.clone(&n.gens, in)
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("the pool panicked: %v\n%s", r, n.story())
		}
	}()
	did := n.pool.Step(n.now, ev.Event)
	if wrong := n.judge.step(n.pool, n.now, &ev.Event, did); wrong != "" {
		t.Fatalf("%s\n%s", wrong, n.story())
	}
	return n
}

// story is the life so far, in the words of the stories.
func (l *life) story() string {
	var lines []string
	policy := l.judge.plan()
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

// key is everything that the time to come depends on, with times counted from
// now.
func (l *life) key() string {
	k := key{now: l.now, bytes: make([]byte, 0, 512)}
	k.add(int64(l.gens.last))
	l.judge.remember(&k, l.pool)
	return string(k.bytes)
}

// key is made of numbers and times.
type key struct {
	now   Time
	bytes []byte
}

func (k *key) add(ns ...int64) {
	for _, n := range ns {
		k.bytes = binary.AppendVarint(k.bytes, n)
	}
}

// when adds points in time, of which each may be none.
func (k *key) when(ts ...Time) {
	for _, t := range ts {
		if t != 0 {
			t = t - k.now + 1_000_000_000_000_000
		}
		k.add(int64(t))
	}
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
