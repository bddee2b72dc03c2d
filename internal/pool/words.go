package pool

import "strconv"

// String is the event in the plain words of the stories in testdata.
func (ev Event) String() string {
	switch ev.Kind {
	case Started:
		return "start"
	case ClientWaits:
		return "client" + field(ev.N > 0, " n=", int64(ev.N))
	case Reported:
		return "record" + number(" pid=", ev.PID) + number(" gen=", ev.Generation) +
			number(" state=", ev.State) + number(" sender=", ev.Sender)
	case Born:
		return number("born ", ev.PID) + number(" gen=", ev.Generation)
	case Stillborn:
		return number("stillborn gen=", ev.Generation) + number(" errno=", ev.Code)
	case Died:
		return number("died ", ev.PID) + " " + Ending(ev.Code)
	case Ticked:
		return "tick"
	case Looked:
		return number("looked ", ev.N)
	case Replanned:
		if ev.Policy == nil {
			return "reload"
		}
		return "reload to " + ev.Policy.String()
	case Removed:
		return "remove"
	case Pardoned:
		return "pardon"
	}
	return number("event ", ev.Kind)
}

// String is the policy in the words of the stories; what it does not want is
// left out.
func (p Policy) String() string {
	s := "limit=" + strconv.Itoa(p.Limit)
	for _, f := range []struct {
		name string
		span Duration
	}{
		{" throttle=", p.Throttle},
		{" wakeup=", p.Wakeup},
		{" kill-after=", p.KillAfter},
		{" patience=", p.Patience},
	} {
		if f.span > 0 {
			s += f.name + f.span.String()
		}
	}
	if p.WakeupOnUse {
		s += " wakeup-on-use"
	}
	if p.Stress {
		s += " stress"
	}
	return s + field(p.Ramp > 0, " ramp=", int64(p.Ramp))
}

// String is the action in the words of the stories.
func (a Action) String() string {
	switch a.Kind {
	case Watch:
		return "watch"
	case Unwatch:
		return "unwatch"
	case Birth:
		if a.Stress {
			return number("birth gen=", a.Generation) + " stress"
		}
		return number("birth gen=", a.Generation)
	case Terminate:
		return number("TERM ", a.PID)
	case Kill:
		return number("KILL ", a.PID)
	case Arm:
		if a.At == 0 {
			return "disarm"
		}
		return "arm " + Duration(a.At).String()
	case Wake:
		return "wake"
	case Rotate:
		return "rotate"
	case Look:
		return "look"
	case Tell:
		return "tell " + a.note()
	case Gone:
		return "gone"
	}
	return number("action ", a.Kind)
}

// note is what a Tell tells.
func (a *Action) note() string {
	pid, gen := number(" ", a.PID), number(" gen=", a.Generation)
	age := " age=" + a.Age.String()
	switch a.Note {
	case NoteDied:
		return "died" + pid + " " + Ending(a.Code) + number(" uses=", a.Uses) + age
	case NoteStillborn:
		return "stillborn" + gen + number(" errno=", a.Code)
	case NoteThrottled:
		return "throttled until " + Duration(a.At).String()
	case NoteReleased:
		return "released"
	case NoteLimit:
		return number("limit ", a.N)
	case NoteStress:
		return "stress"
	case NoteWrongGeneration:
		return "wrong-generation" + pid + gen
	case NoteBadState:
		return "bad-state" + pid + number(" state=", a.Code)
	case NoteForged:
		return "forged" + pid + number(" sender=", a.Code)
	case NoteDeaf:
		return "deaf" + pid + age
	case NoteKilled:
		return "killed" + pid
	}
	return number("note ", a.Note)
}

// Ending is how a child ended: "exit 1", "signal 11".
func Ending(code int32) string {
	if code < 0 {
		return number("signal ", -int64(code))
	}
	return number("exit ", code)
}

// String is the span in seconds, such as "60s" or "0.25s".
func (d Duration) String() string {
	return strconv.FormatFloat(float64(d)/float64(Second), 'f', -1, 64) + "s"
}

func field(want bool, name string, n int64) string {
	if !want {
		return ""
	}
	return number(name, n)
}

func number[N int32 | uint32 | int64 | EventKind | ActionKind | Note](name string, n N) string {
	return name + strconv.FormatInt(int64(n), 10)
}
