package sim

import (
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/pool"
)

// TestShrink hides an event that breaks the pool in a long life, and wants to
// see it and little else in the story.
func TestShrink(t *testing.T) {
	w := New(3)
	if failure := w.Run(3000); failure != nil {
		t.Fatal(failure)
	}
	s := w.services[0]
	s.record.add(w.clock(), pool.Event{Kind: 255}, nil)
	if n := len(s.record.entries); n < 50 {
		t.Fatalf("a life of %d events is too short for this test", n)
	}
	story := s.record.story("a rule of the world")
	if events := strings.Count(story, "\n") - 3 - strings.Count(story, "leap "); events > 2 {
		t.Errorf("%d events are left, want at most 2:\n%s", events, story)
	}
	if !strings.Contains(story, "panic: pool: event of an unknown kind") {
		t.Errorf("the story does not name the rule:\n%s", story)
	}
}

// TestOracleObjects gives the oracle what a pool must never do, and wants an
// objection to each.
func TestOracleObjects(t *testing.T) {
	at := pool.Time(pool.Second)
	started := func(policy pool.Policy) *Oracle {
		o := NewOracle(policy)
		if wrong := o.Step(at, pool.Event{Kind: pool.Started}, []pool.Action{{Kind: pool.Watch}}); wrong != "" {
			t.Fatal(wrong)
		}
		return o
	}
	client := pool.Event{Kind: pool.ClientWaits}
	for name, c := range map[string]struct {
		ev  pool.Event
		did []pool.Action
	}{
		"nothing for a client": {client, nil},
		"two watchers":         {client, []pool.Action{{Kind: pool.Birth}}},
		"too many births":      {client, []pool.Action{{Kind: pool.Birth}, {Kind: pool.Birth, Generation: 1}, {Kind: pool.Unwatch}}},
		"birth unasked":        {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Birth}, {Kind: pool.Unwatch}}},
		"nobody watches":       {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Unwatch}}},
		"not gone":             {pool.Event{Kind: pool.Removed}, []pool.Action{{Kind: pool.Unwatch}}},
		"gone too early":       {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Gone}}},
		"ring in the past":     {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Arm, At: at}}},
		"kill at random":       {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Kill, PID: 1}}},
		"term at random":       {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Terminate, PID: 1}}},
		"wake at random":       {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Wake}}},
		"rotate at random":     {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Rotate}}},
		"told at random":       {pool.Event{Kind: pool.Ticked}, []pool.Action{{Kind: pool.Tell, Note: pool.NoteThrottled}}},
		"no rotation":          {pool.Event{Kind: pool.Replanned, Policy: &pool.Policy{}}, nil},
		"forgery not told":     {pool.Event{Kind: pool.Reported, PID: 1, Sender: 2}, nil},
		"stress unasked":       {client, []pool.Action{{Kind: pool.Birth, Stress: true}, {Kind: pool.Unwatch}}},
	} {
		if wrong := started(pool.Policy{Limit: 2}).Step(at, c.ev, c.did); wrong == "" {
			t.Errorf("%s: no objection", name)
		}
	}
}
