package master

import (
	"fmt"
	"time"

	"github.com/brood-project/brood/internal/pool"
)

// String is the kind in the word that programs know it by.
func (k eventKind) String() string {
	return [...]string{
		eventBorn: "born", eventDied: "died", eventStillborn: "stillborn", eventMemory: "memory",
		eventThrottled: "throttled", eventReleased: "released", eventGaveUp: "gave-up",
		eventLimit: "limit", eventCeiling: "ceiling", eventStress: "stress", eventDeaf: "deaf",
		eventKilled: "killed", eventRetired: "retired", eventReplaced: "replaced",
		eventPaused: "paused", eventResumed: "resumed", eventScaled: "scaled",
		eventDraining: "draining", eventReset: "reset", eventRestarted: "restarted", eventReload: "reload", eventRefused: "refused",
		eventMissing: "missing", eventFound: "found", eventReopened: "reopened", eventStopping: "stopping",
	}[k]
}

// words is the event for people. The epoch is what turns the loop's time into
// that of the wall, see wallEpoch.
func (ev *event) words(epoch int64) string {
	age := "after " + life(ev.of, ev.span, ev.uses)
	switch ev.kind { //exhaustive:enforce
	case eventBorn:
		return fmt.Sprintf("worker %d was born", ev.pid)
	case eventDied:
		return fmt.Sprintf("worker %d ended: %s, %s", ev.pid, ending(ev.code), age)
	case eventStillborn:
		return "a birth failed: " + ev.text
	case eventMemory:
		return fmt.Sprintf("worker %d was killed by the kernel for want of memory", ev.pid)
	case eventThrottled:
		return fmt.Sprintf("no worker is born until %s", clock(epoch, ev.until))
	case eventReleased:
		return "births are allowed again"
	case eventGaveUp:
		return fmt.Sprintf("gave up after %d failed births in a row", ev.n)
	case eventLimit:
		return fmt.Sprintf("all %d workers are there, and none is free", ev.n)
	case eventCeiling:
		return fmt.Sprintf("clients wait, and a ceiling of %d workers over several services is reached", ev.n)
	case eventStress:
		return "the pool is nearly full, stress begins"
	case eventDeaf:
		return fmt.Sprintf("worker %d has left clients waiting for %s and is not counted on any more", ev.pid, seconds(ev.span))
	case eventKilled:
		return ev.overstepped()
	case eventRetired:
		return fmt.Sprintf("worker %d is not needed any more, %s", ev.pid, age)
	case eventReplaced:
		return fmt.Sprintf("worker %d is replaced because of %s, %s", ev.pid, reason(pool.Reason(ev.n)), age)
	case eventPaused:
		return "an operator holds back births"
	case eventResumed:
		return "births go on"
	case eventScaled:
		return fmt.Sprintf("an operator set the limit to %d workers, until the next reload", ev.n)
	case eventDraining:
		return "no new clients; workers finish those in hand" + patience(ev.span)
	case eventReset:
		return "an operator had failures forgotten"
	case eventRestarted:
		return "an operator has its workers be replaced"
	case eventReload, eventRefused, eventMissing, eventStopping:
		return ev.text
	case eventFound:
		return "it listens now"
	case eventReopened:
		return "a worker had shut down its socket; it was opened anew"
	}
	return ev.text
}

// overstepped says which limit a worker has passed.
func (ev *event) overstepped() string {
	switch ev.limit { //exhaustive:enforce
	case limitStart:
		return fmt.Sprintf("worker %d was not ready after %s and is ended (start.timeout)", ev.pid, seconds(ev.span))
	case limitHeartbeat:
		return fmt.Sprintf("worker %d has sent no sign of life for too long and is ended (heartbeat)", ev.pid)
	case limitBusy:
		return fmt.Sprintf("worker %d was with one client for too long and is ended (busy)", ev.pid)
	case limitStop:
		return fmt.Sprintf("worker %d has not ended in time after the stop signal and is killed (stop.timeout)", ev.pid)
	case noLimit:
	}
	return fmt.Sprintf("worker %d is ended", ev.pid)
}

// patience says how long workers are given.
func patience(span pool.Duration) string {
	if span <= 0 {
		return ""
	}
	return fmt.Sprintf(", for %s at most", seconds(span))
}

// clock is a time of day.
func clock(epoch int64, at pool.Time) string {
	return time.Unix(0, epoch+int64(at)).Format(time.TimeOnly)
}
