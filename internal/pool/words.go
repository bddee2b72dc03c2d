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
		return number("died ", ev.PID) + " " + Ending(ev.Code) + unloaded(ev.Unloaded)
	case Ticked:
		return "tick"
	case Looked:
		return number("looked ", ev.N) + spanOf(" age=", ev.Span) + field(ev.Took > 0, " took=", int64(ev.Took)) +
			field(ev.PID > 0, " of ", int64(ev.PID)) + field(ev.Held > 0, " held=", int64(ev.Held))
	case Replanned:
		if ev.Policy == nil {
			return "reload"
		}
		return "reload to " + ev.Policy.String()
	case Removed:
		return "remove"
	case Pardoned:
		return "pardon"
	case Ready:
		return number("ready ", ev.PID) + field(ev.Generation != 0, " gen=", int64(ev.Generation))
	case Heartbeat:
		return number("beat ", ev.PID)
	case Extended:
		return number("extend ", ev.PID) + " " + ev.Span.String()
	case Leaves:
		return number("leaves ", ev.PID)
	case Measured:
		return number("measured ", ev.PID) + number(" bytes=", ev.Memory)
	case Adjusted:
		return "adjust to " + ev.Policy.String()
	case Scaled:
		return number("scale ", ev.N)
	case Paused:
		return "pause"
	case Resumed:
		return "resume"
	case Draining:
		return "drain" + spanOf(" ", ev.Span)
	case SlotFree:
		return "slot-free"
	case Yield:
		return "yield"
	}
	return number("event ", ev.Kind)
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
		return number("TERM ", a.PID) + a.busy()
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
		return "look" + field(a.PID > 0, " ", int64(a.PID))
	case Tell:
		return "tell " + a.note()
	case Gone:
		return "gone"
	case Retire:
		return number("retire ", a.PID)
	case Stop:
		return number("stop ", a.PID) + a.busy()
	case Snapshot:
		return number("snapshot ", a.PID)
	case Measure:
		return number("measure ", a.PID)
	case Offer:
		return "offer"
	case Ask:
		return "ask"
	}
	return number("action ", a.Kind)
}

// busy tells that who is stopped has a client.
func (a *Action) busy() string {
	if a.At == 0 {
		return ""
	}
	return " busy"
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
	case NoteStartTimeout:
		return "start-timeout" + pid + age
	case NoteSilent:
		return "silent" + pid + number(" uses=", a.Uses) + age
	case NoteBusy:
		return "busy" + pid + number(" uses=", a.Uses) + age
	case NoteGaveUp:
		return "gave-up" + number(" failures=", a.N)
	case NoteRetired:
		return "retired" + pid + number(" uses=", a.Uses) + age
	case NoteReplaced:
		return "replaced" + pid + " " + Reason(a.N).String() + number(" uses=", a.Uses) + age
	case NoteCeiling:
		return number("ceiling ", a.N)
	}
	return number("note ", a.Note)
}

// String is the reason in one word.
func (r Reason) String() string {
	switch r {
	case ReasonUse:
		return "use"
	case ReasonAge:
		return "age"
	case ReasonMemory:
		return "memory"
	case ReasonPlan:
		return "plan"
	}
	return "unknown"
}

func unloaded(is bool) string {
	if is {
		return " unloaded"
	}
	return ""
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

func spanOf(name string, d Duration) string {
	if d <= 0 {
		return ""
	}
	return name + d.String()
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
