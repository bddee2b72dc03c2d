package scoreboard

import "testing"

// TestState holds every state and the health that follows from it.
func TestState(t *testing.T) {
	failed := &Death{At: moment - second, Exit: 1}
	for _, row := range []struct {
		what    string
		service Service
		closing bool
		state   State
		health  Health
	}{
		{"asleep", Service{Limit: 3}, false, "idle", Ready},
		{"asleep, and a life failed long ago", Service{Limit: 3, Failure: &Death{At: moment - 2*minute}}, false, "idle", Ready},
		{"asleep, and a life just failed", Service{Limit: 3, Failure: failed}, false, "idle", Degraded},
		{"on its way", Service{Limit: 3, Starting: 1, Queue: 1}, false, "starting", Ready},
		{"on its way for too long", Service{Limit: 3, Starting: 1, Queue: 1, QueueAge: 2 * second}, false, "starting", Degraded},
		{"nobody comes", Service{Limit: 3, Queue: 1, QueueAge: 2 * second}, false, "idle", Degraded},
		{"at hand", Service{Limit: 3, Idle: 1}, false, "ready", Ready},
		{"working", Service{Limit: 3, Idle: 1, Busy: 2}, false, "busy", Ready},
		{"all at work", Service{Limit: 3, Busy: 3}, false, "full", Ready},
		{"all at work, and a client waits long", Service{Limit: 3, Busy: 3, Queue: 1, QueueAge: 2 * second}, false, "full", Degraded},
		{"the only one at work", Service{Limit: 1, Busy: 1}, false, "busy", Ready},
		{"the only one at work, and one waits", Service{Limit: 1, Busy: 1, Queue: 1}, false, "full", Ready},
		{"no limit", Service{Busy: 300}, false, "busy", Ready},
		{"all there, none heard of, and more clients wait than are on their way", Service{Limit: 2, Opaque: true, Starting: 2, Queue: 3, QueueAge: 2 * second}, false, "full", Degraded},
		{"the last is on its way to the only client", Service{Limit: 2, Opaque: true, Idle: 1, Starting: 1, Queue: 1, QueueAge: 2 * second}, false, "ready", Ready},
		{"nobody tells, nobody knows for how long, and a crowd waits", Service{Limit: 2, Opaque: true, Idle: 2, Queue: 21}, false, "full", Degraded},
		{"the same while one is on its way", Service{Limit: 2, Opaque: true, Idle: 1, Starting: 1, Queue: 21}, false, "full", Degraded},
		{"nobody tells, nobody knows for how long, and some wait", Service{Limit: 2, Opaque: true, Idle: 2, Queue: 20}, false, "ready", Ready},
		{"nobody tells, and clients wait", Service{Limit: 2, Opaque: true, Idle: 2, Queue: 3, QueueAge: 2 * second}, false, "full", Degraded},
		{"nobody tells, and all is well", Service{Limit: 2, Opaque: true, Idle: 2}, false, "ready", Ready},
		{"below a ceiling", Service{Limit: 3, Waiting: true, Queue: 2, QueueAge: 2 * second}, false, "full", Degraded},
		{"held back", Service{Limit: 3, ThrottledUntil: moment + 1, Failure: failed, Failures: 1}, false, "throttled", Failing},
		{"held back, and one lives", Service{Limit: 3, ThrottledUntil: moment + 1, Busy: 1, Failures: 1}, false, "throttled", Degraded},
		{"tried again", Service{Limit: 3, Probing: true, Starting: 1, Failures: 1}, false, "probing", Failing},
		{"not tried again yet", Service{Limit: 3, Failures: 2}, false, "broken", Failing},
		{"given up", Service{Limit: 3, GaveUp: true, Failures: 9}, false, "gave-up", Failing},
		{"no socket", Service{Limit: 3, Missing: true}, false, "missing", Failing},
		{"held by an operator", Service{Limit: 3, Paused: true, Idle: 1}, false, "paused", Failing},
		{"being emptied", Service{Limit: 3, Draining: true, Busy: 1}, false, "draining", Failing},
		{"at the end of all", Service{Limit: 3, Busy: 1}, true, "draining", Failing},
		{"gone from the file", Service{Limit: 3, Removed: true, Busy: 1}, false, "leaving", Failing},
		{"one hangs", Service{Limit: 3, Deaf: 1, Idle: 1}, false, "ready", Degraded},
		{"all there are hang", Service{Limit: 3, Deaf: 1}, false, "hung", Failing},
	} {
		row.service.Name = "web"
		p := &Picture{At: moment, Closing: row.closing}
		if got := row.service.State(p); got != row.state {
			t.Errorf("%s: %s, want %s", row.what, got, row.state)
		}
		health, reason := row.service.Health(p)
		if health != row.health || (reason == "") != (health == Ready) {
			t.Errorf("%s: %s (%s), want %s", row.what, health, reason, row.health)
		}
	}
}

// TestHealthOfTheWhole is decided by the essential services.
func TestHealthOfTheWhole(t *testing.T) {
	good, bad := Service{Name: "a"}, Service{Name: "b", GaveUp: true}
	vital, poor := Service{Name: "c", GaveUp: true, Essential: true}, Service{Name: "d", Deaf: 1, Idle: 1, Essential: true}
	gone := Service{Name: "e", Removed: true}
	if health, _ := (&Picture{Stale: 6 * second, Services: []Service{good}}).Health(); health != Failing {
		t.Errorf("a loop that hangs is %s", health)
	}
	if health, _ := (&Picture{Stale: second, Services: []Service{good}}).Health(); health != Ready {
		t.Errorf("a loop that is busy is %s", health)
	}
	for _, row := range []struct {
		what     string
		services []Service
		closing  bool
		want     Health
		reasons  int
	}{
		{"nothing to serve", nil, false, Ready, 0},
		{"all well", []Service{good, gone}, false, Ready, 0},
		{"one that is not essential fails", []Service{good, bad}, false, Degraded, 1},
		{"an essential one fails", []Service{good, vital, bad}, false, Failing, 2},
		{"an essential one is degraded", []Service{good, poor}, false, Degraded, 1},
		{"all fail", []Service{bad, bad, gone}, false, Failing, 2},
		{"being stopped", []Service{good}, true, Failing, 1},
	} {
		p := &Picture{At: moment, Closing: row.closing, Services: row.services}
		if got, reasons := p.Health(); got != row.want || len(reasons) != row.reasons {
			t.Errorf("%s: %s %q, want %s", row.what, got, reasons, row.want)
		}
	}
}

func TestFind(t *testing.T) {
	p := &Picture{Services: []Service{{Name: "smtp", Key: "inet:smtp"}, {Name: "smtp", Key: "unix:smtp"}, {Name: "qmgr", Key: "unix:qmgr"}}}
	for name, want := range map[string]int{"smtp": 2, "unix:smtp": 1, "qmgr": 1, "nobody": 0} {
		if got := p.Find(name); len(got) != want {
			t.Errorf("%q means %d services, want %d", name, len(got), want)
		}
	}
	if a, b := p.Services[0].Title(p), p.Services[2].Title(p); a != "inet:smtp" || b != "qmgr" {
		t.Errorf("titles %q and %q", a, b)
	}
}
