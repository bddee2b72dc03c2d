package pool

import "fmt"

// ledger is what a bookkeeper with pencil and paper makes of the rules of the
// package: it is told every event as well, works out what must be done, and
// compares. It shares no code with the pool, knows no counters, and walks all
// its lines for every question. What only the pool decides (when to look, when
// to arm) is held against bounds.
type ledger struct {
	policy  Policy
	lines   []line
	crowd   int // seen waiting, and nobody is on the way for them
	nextGen uint32
	now     Time

	started, removed, gone, watching, wakeOnBirth, wasFull bool

	throttle, stress, quiet, wake, kill, armed Time
}

// line is one child, from the request for its birth to its end.
type line struct {
	gen     uint32
	born    bool
	pid     int32 // of a birth under way: who spoke for it
	state   byte  // 'a' free, 't' busy, 'l' leaving, 'd' deaf
	idle    bool  // was free when asked to leave
	heard   bool
	uses    uint32
	started Time
}

// sameAction compares without since when a child has its client, which the
// stories show.
func sameAction(a, b Action) bool {
	if a.Kind == Terminate {
		a.At, b.At = 0, 0
	}
	return a == b
}

// step works out what the event must lead to, and says in what the actions of
// the pool differ; "" if in nothing.
func (l *ledger) step(now Time, ev *Event, did []Action) string {
	l.now = max(l.now, now)
	want := l.must(ev)
	used := make([]bool, len(did))
	for _, w := range want {
		found := false
		for i := range did {
			if !found && !used[i] && sameAction(did[i], w) {
				used[i], found = true, true
			}
		}
		if !found {
			return "the pool did not do: " + w.String()
		}
	}
	told, looked := false, false
	for i, a := range did {
		switch {
		case used[i]:
		case a.Kind == Arm:
			l.armed = a.At
		case a.Kind == Look:
			looked = true
		case a.Kind == Tell && a.Note == NoteLimit && !told:
			told = true
		default:
			return "the pool should not have done: " + a.String()
		}
	}
	return l.bounds(ev, told, looked)
}

// must is what has to be done, in whatever order.
func (l *ledger) must(ev *Event) (want []Action) {
	if l.gone {
		return nil
	}
	if l.throttle != 0 && l.throttle <= l.now {
		l.throttle = 0
		want = append(want, Action{Kind: Tell, Note: NoteReleased})
	}
	switch ev.Kind {
	case Started:
		l.started = true
		l.startWake()
	case ClientWaits:
		want = append(want, l.client(int(ev.N))...)
	case Reported:
		want = append(want, l.record(ev)...)
	case Born:
		want = append(want, l.born(ev)...)
	case Stillborn:
		i := l.find(func(x line) bool { return !x.born && x.gen == ev.Generation })
		want = append(want, Action{Kind: Tell, Note: NoteStillborn, Generation: ev.Generation, Code: ev.Code})
		want = append(want, l.crash(l.lines[i], ev.Code)...)
		l.strike(i)
	case Died:
		want = append(want, l.died(ev)...)
	case Ticked:
		l.armed = 0
	case Looked:
		want = append(want, l.looked(ev)...)
	case Replanned:
		want = append(want, l.reload(ev)...)
	case Removed:
		want = append(want, l.remove()...)
	case Pardoned:
		if l.throttle != 0 {
			l.throttle = 0
			want = append(want, Action{Kind: Tell, Note: NoteReleased})
		}
	}
	return append(want, l.afterwards()...)
}

// afterwards is what follows whatever happened.
func (l *ledger) afterwards() (want []Action) {
	for l.crowd > 0 && l.mayBear() && l.newborn() < l.policy.Ramp {
		l.crowd--
		want = append(want, l.bear())
	}
	if l.wake != 0 && l.wake <= l.now {
		if l.throttle == 0 {
			want = append(want, Action{Kind: Wake})
		}
		l.wake = l.now + Time(l.policy.Wakeup)
	}
	if l.kill != 0 && l.kill <= l.now {
		l.kill = 0
		for _, x := range l.lines {
			if x.born {
				want = append(want, Action{Kind: Tell, Note: NoteKilled, PID: x.pid}, Action{Kind: Kill, PID: x.pid})
			}
		}
	}
	watch := l.mayBear() && l.count('a') == 0
	switch {
	case watch && !l.watching:
		want = append(want, Action{Kind: Watch})
	case !watch && l.watching:
		want = append(want, Action{Kind: Unwatch})
	}
	l.watching = watch
	if l.removed && len(l.lines) == 0 {
		l.gone, l.kill = true, 0
		want = append(want, Action{Kind: Gone})
	}
	return want
}

func (l *ledger) client(n int) (want []Action) {
	if !l.watching {
		return nil
	}
	births := 0
	for births < max(1, n) && births < max(1, l.policy.Ramp) && (l.policy.Limit == 0 || len(l.lines)+births < l.policy.Limit) {
		births++
	}
	if l.policy.Stress && l.policy.Limit > 1 && len(l.lines)+births == l.policy.Limit {
		if l.stress <= l.now {
			want = append(want, Action{Kind: Tell, Note: NoteStress}, Action{Kind: Rotate})
			l.everybodyLeaves()
		}
		l.stress = l.now + Time(1000*Second)
	}
	for range births {
		want = append(want, l.bear())
	}
	l.crowd = 0
	return want
}

func (l *ledger) bear() Action {
	l.nextGen++
	if l.wakeOnBirth {
		l.wakeOnBirth, l.wake = false, l.now
	}
	l.lines = append(l.lines, line{gen: l.nextGen, state: 'a', started: l.now})
	return Action{Kind: Birth, Generation: l.nextGen, Stress: l.policy.Stress && l.now < l.stress}
}

func (l *ledger) mayBear() bool {
	return l.started && !l.removed && l.throttle == 0 && !l.full()
}

func (l *ledger) newborn() (n int) {
	for _, x := range l.lines {
		if x.state == 'a' && !x.heard {
			n++
		}
	}
	return n
}

func (l *ledger) record(ev *Event) []Action {
	if ev.Sender != 0 && ev.Sender != ev.PID {
		return []Action{{Kind: Tell, Note: NoteForged, PID: ev.PID, Generation: ev.Generation, Code: ev.Sender}}
	}
	i := l.find(func(x line) bool { return x.born && x.pid == ev.PID })
	if i < 0 {
		i = l.find(func(x line) bool { return !x.born && x.gen == ev.Generation && (x.pid == 0 || x.pid == ev.PID) })
	}
	if i < 0 {
		return nil
	}
	x := &l.lines[i]
	if x.gen != ev.Generation {
		return []Action{{Kind: Tell, Note: NoteWrongGeneration, PID: ev.PID, Generation: ev.Generation}}
	}
	if ev.State != 0 && ev.State != 1 {
		return []Action{{Kind: Tell, Note: NoteBadState, PID: ev.PID, Generation: ev.Generation, Code: ev.State}}
	}
	x.pid, x.heard = ev.PID, true
	switch {
	case x.state == 'l':
	case ev.State == 0:
		x.state = 't'
	default:
		if x.state == 't' {
			x.uses++
		}
		if x.state != 'a' && l.crowd > 0 {
			l.crowd--
		}
		x.state = 'a'
	}
	return nil
}

func (l *ledger) born(ev *Event) []Action {
	x := &l.lines[l.find(func(x line) bool { return !x.born && x.gen == ev.Generation })]
	if x.pid != ev.PID {
		x.uses = 0
		if x.state != 'l' {
			x.state, x.heard = 'a', false
		}
	}
	x.born, x.pid = true, ev.PID
	if !l.removed {
		return nil
	}
	if l.kill == 0 && l.policy.KillAfter > 0 {
		l.kill = l.now + Time(l.policy.KillAfter)
	}
	return []Action{{Kind: Terminate, PID: ev.PID}}
}

func (l *ledger) died(ev *Event) (want []Action) {
	i := l.find(func(x line) bool { return x.born && x.pid == ev.PID })
	if i < 0 {
		return nil
	}
	x := l.lines[i]
	expected := ev.Code == 0 || l.removed && (ev.Code == -9 || ev.Code == -15)
	if !expected {
		want = append(want, Action{
			Kind: Tell, Note: NoteDied, PID: x.pid, Generation: x.gen,
			Code: ev.Code, Uses: x.uses, Age: Duration(l.now - x.started),
		})
		if x.uses == 0 {
			want = append(want, l.crash(x, ev.Code)...)
		}
	}
	l.strike(i)
	return want
}

// crash begins a throttle, unless there is one.
func (l *ledger) crash(x line, code int32) []Action {
	if l.throttle != 0 || l.removed || l.policy.Throttle == 0 {
		return nil
	}
	l.throttle = l.now + Time(l.policy.Throttle)
	l.crowd = 0
	if !x.born {
		x.pid, x.uses = 0, 0
	}
	return []Action{{
		Kind: Tell, Note: NoteThrottled, PID: x.pid, Generation: x.gen, Code: code,
		Uses: x.uses, Age: Duration(l.now - x.started), At: l.throttle,
	}}
}

func (l *ledger) looked(ev *Event) (want []Action) {
	if l.policy.Ramp > 1 && !l.removed {
		l.crowd = max(0, int(ev.N)-l.count('a'))
	}
	for i := range l.lines {
		x := &l.lines[i]
		if ev.N > 0 && l.policy.Patience > 0 && x.born && x.state == 'a' && !x.heard && x.started+Time(l.policy.Patience) <= l.now {
			x.state = 'd'
			want = append(want, Action{Kind: Tell, Note: NoteDeaf, PID: x.pid, Generation: x.gen, Age: Duration(l.now - x.started)})
		}
	}
	return want
}

func (l *ledger) reload(ev *Event) []Action {
	if l.removed {
		return nil
	}
	l.policy, l.wasFull, l.crowd = *ev.Policy, false, 0
	l.everybodyLeaves()
	l.startWake()
	return []Action{{Kind: Rotate}}
}

func (l *ledger) remove() (want []Action) {
	if l.removed {
		return nil
	}
	l.removed, l.throttle, l.wake, l.wakeOnBirth, l.crowd = true, 0, 0, false, 0
	l.everybodyLeaves()
	for _, x := range l.lines {
		if x.born {
			want = append(want, Action{Kind: Terminate, PID: x.pid})
		}
	}
	if l.policy.KillAfter > 0 {
		l.kill = l.now + Time(l.policy.KillAfter)
	}
	return want
}

// bounds judges what the pool may decide for itself.
func (l *ledger) bounds(ev *Event, told, looked bool) string {
	quiet := l.now < l.quiet
	stuck := l.full() && l.count('a') == 0 && l.throttle == 0 && !l.removed
	usual := l.policy.Limit == 1 || l.find(func(x line) bool { return x.state == 'l' && x.idle }) >= 0
	if told {
		l.quiet = l.now + Time(1000*Second)
	}
	must := stuck && !usual && !quiet && !l.wasFull
	may := stuck && !quiet && (!l.wasFull && !usual || ev.Kind == Looked && ev.N > 0)
	l.wasFull = stuck && (l.wasFull || !quiet)
	waiting := l.policy.Patience > 0 && l.find(func(x line) bool { return x.born && x.state == 'a' && !x.heard }) >= 0
	switch {
	case told && !may:
		return "the limit was told without reason"
	case must && !told:
		return "the limit was not told"
	case looked && ev.Kind == Looked:
		return "a look was asked for by a look"
	case l.armed != 0 && l.armed <= l.now:
		return "a ring was asked for in the past"
	case l.armed == 0 && l.due() != 0 || l.due() != 0 && l.armed > l.due():
		return fmt.Sprintf("something is due at %v, but the ring is at %v", l.due(), l.armed)
	case !l.gone && waiting && (l.armed == 0 || l.armed > l.now+Time(l.policy.Patience)):
		return "nobody will look whether a newborn is deaf"
	case l.gone && l.armed != 0:
		return "a ring is asked for a service that is gone"
	}
	return ""
}

// due is the first thing that the clock will bring.
func (l *ledger) due() (first Time) {
	for _, t := range []Time{l.throttle, l.wake, l.kill} {
		if t != 0 && (first == 0 || t < first) {
			first = t
		}
	}
	return first
}

func (l *ledger) startWake() {
	l.wake, l.wakeOnBirth = 0, false
	switch {
	case l.policy.Wakeup == 0:
	case l.policy.WakeupOnUse:
		l.wakeOnBirth = true
	default:
		l.wake = l.now
	}
}

func (l *ledger) everybodyLeaves() {
	for i := range l.lines {
		if l.lines[i].state == 'a' {
			l.lines[i].idle = true
		}
		l.lines[i].state = 'l'
	}
}

func (l *ledger) full() bool { return l.policy.Limit > 0 && len(l.lines) >= l.policy.Limit }

func (l *ledger) count(state byte) (n int) {
	for _, x := range l.lines {
		if x.state == state {
			n++
		}
	}
	return n
}

func (l *ledger) find(is func(line) bool) int {
	for i, x := range l.lines {
		if is(x) {
			return i
		}
	}
	return -1
}

func (l *ledger) strike(i int) { l.lines = append(l.lines[:i:i], l.lines[i+1:]...) }
