package pool

import "testing"

// TestDoubtful: a look before an end is of use only where it could show that what
// counts as a failure is none.
func TestDoubtful(t *testing.T) {
	const pid = 100
	opaque := Policy{Limit: 2, Min: 2, Ramp: 2, Opaque: true, Wait: Second, Backoff: Backoff{First: 10 * Second, Max: 60 * Second}}
	telling := opaque
	telling.Opaque = false
	crash := Event{Kind: Died, PID: pid, Code: 1}
	for _, c := range []struct {
		name   string
		policy Policy
		before []Event // a second passes before each
		died   Event
		want   bool
	}{
		{"crash", opaque, nil, crash, true},
		{"normal end of the youngest", opaque, nil, Event{Kind: Died, PID: pid}, true},
		{"normal end", opaque, []Event{{Kind: Ticked}}, Event{Kind: Died, PID: pid}, false},
		{"not executed", opaque, nil, Event{Kind: Died, PID: pid, Code: 127, Unloaded: true}, false},
		{"nobody's", opaque, nil, Event{Kind: Died, PID: pid + 9, Code: 1}, false},
		{"they tell", telling, nil, crash, false},
		{"it has begun to tell", opaque, []Event{{Kind: Reported, PID: pid, Sender: pid, Generation: 1, State: StateAvailable}}, crash, false},
		{"it is ended", opaque, []Event{{Kind: Removed}}, crash, false},
		{"births are held back", opaque, []Event{{Kind: Stillborn, Generation: 2, Code: 11}}, crash, false},
		{"they were held back", opaque, append([]Event{{Kind: Stillborn, Generation: 2, Code: 11}}, make([]Event, 11)...), crash, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(c.policy, &Generations{})
			now := Time(Second)
			for _, ev := range []Event{{Kind: Started}, {Kind: Born, Generation: 1, PID: pid}} {
				p.Step(now, ev)
			}
			for _, ev := range c.before {
				now += Time(Second)
				if ev != (Event{}) {
					p.Step(now, ev)
				}
			}
			if got := p.Doubtful(now, &c.died); got != c.want {
				t.Errorf("doubtful: %v, want %v", got, c.want)
			}
		})
	}
}
