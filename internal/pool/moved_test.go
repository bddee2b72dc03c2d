package pool

import "testing"

// script feeds a pool events, each a second after the last.
type script struct {
	pool *Pool
	now  Time
}

func (s *script) step(events ...Event) {
	for _, ev := range events {
		s.now += Time(Second)
		s.pool.Step(s.now, ev)
	}
}

func takes(pid int32, generation uint32) Event {
	return Event{Kind: Reported, PID: pid, Generation: generation, State: StateTaken}
}

func frees(pid int32, generation uint32) Event {
	return Event{Kind: Reported, PID: pid, Generation: generation, State: StateAvailable}
}

// Only a change that a child itself tells of is a move, and only if it is believed.
func TestMoved(t *testing.T) {
	s := &script{pool: New(Policy{Limit: 2}, &Generations{})}
	s.step(Event{Kind: Started}, Event{Kind: ClientWaits}, Event{Kind: Born, Generation: 1, PID: 11})
	forged := takes(11, 1)
	forged.Sender = 12
	for i, c := range []struct {
		event Event
		want  Moved
	}{
		{frees(11, 1), Moved{}},
		{takes(11, 2), Moved{}},
		{forged, Moved{}},
		{takes(11, 1), Moved{Took: true}},
		{takes(11, 1), Moved{}}, // said twice, it began once
		{Event{Kind: Ticked}, Moved{}},
		{frees(11, 1), Moved{Freed: true, Busy: 3 * Second}},
		{frees(11, 1), Moved{}},
		{takes(11, 1), Moved{Took: true}},
		{Event{Kind: Replanned, Policy: &Policy{Limit: 2}}, Moved{}},
		{frees(11, 1), Moved{Freed: true, Busy: 2 * Second}},
		{Event{Kind: Died, PID: 11}, Moved{}},
	} {
		s.step(c.event)
		if got := s.pool.Moved(); got != c.want {
			t.Errorf("%d: %v: %+v, want %+v", i, c.event, got, c.want)
		}
	}
}

// A pool is saturated while all are there and none is free.
func TestSaturated(t *testing.T) {
	s := &script{pool: New(Policy{Limit: 1}, &Generations{})}
	s.step(Event{Kind: Started}, Event{Kind: ClientWaits}, Event{Kind: Born, Generation: 1, PID: 11})
	want := func(span Duration) {
		t.Helper()
		if got := s.pool.Saturated(s.now); got != span {
			t.Errorf("saturated for %v, want %v", got, span)
		}
	}
	want(0)
	s.step(takes(11, 1), Event{Kind: Ticked}, Event{Kind: Ticked})
	want(2 * Second)
	s.step(frees(11, 1), Event{Kind: Ticked})
	want(3 * Second)
	s.step(takes(11, 1), Event{Kind: Replanned, Policy: &Policy{Limit: 1}}, Event{Kind: Died, PID: 11})
	want(5 * Second)
	s.step(Event{Kind: Ticked})
	want(5 * Second)
}

// A child that does not say when it is ready is held to be so after a while.
func TestStarting(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		after  Duration
		want   bool
	}{
		{Policy{}, Second, true},
		{Policy{}, startPatience, false},
		{Policy{StartTimeout: 2 * Second}, 2 * Second, false},
		{Policy{Ready: true}, 60 * Second, true},
	} {
		s := &script{pool: New(c.policy, &Generations{})}
		s.step(Event{Kind: Started}, Event{Kind: ClientWaits}, Event{Kind: Born, Generation: 1, PID: 11})
		born := s.now - Time(Second)
		if got := s.pool.AppendChildren(nil, born+Time(c.after)); len(got) != 1 || got[0].Starting != c.want || got[0].Since != born {
			t.Errorf("%v after %v: %+v", &c.policy, c.after, got)
		}
		s.step(Event{Kind: Ready, PID: 11})
		if got := s.pool.AppendChildren(nil, s.now); got[0].Starting {
			t.Errorf("%v: it has said that it is ready", &c.policy)
		}
	}
}
