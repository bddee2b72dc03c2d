package master

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// Recorder is the flight recorder of the service with a name or a key: the last
// things that happened to it, the oldest first, and what brood did about each.
// Where several services have the name, it is that of all of them. It is empty
// for a service to which nothing has happened. The error is that of the context,
// or tells that the loop has ended or that there is no such service.
func (m *Master) Recorder(ctx context.Context, service string) ([]scoreboard.Entry, error) {
	what := PictureOptions{Service: service}
	var steps []pool.Entry
	var epoch int64
	found := false
	read := make(map[*pool.Recorder]bool) // a service that began anew has that of before as well
	if err := m.Call(ctx, func() {
		running, leaving := m.shown(&what)
		for _, s := range append(running, leaving...) {
			found = true
			for _, r := range s.recorders() {
				if !read[r] {
					read[r] = true
					mine, _ := r.Entries()
					steps = append(steps, mine...)
				}
			}
		}
		epoch = m.wallEpoch()
	}); err != nil {
		return nil, err
	}
	if !found {
		return nil, m.unknown(ctx, service)
	}
	slices.SortStableFunc(steps, func(a, b pool.Entry) int { return cmp.Compare(a.At, b.At) })
	told := make([]scoreboard.Entry, len(steps))
	for i := range steps {
		told[i] = scoreboard.Entry{At: epoch + int64(steps[i].At), What: whatHappened(&steps[i].Event), Then: whatFollowed(steps[i].Actions)}
	}
	return told, nil
}

// whatHappened is an event of a pool for people.
func whatHappened(ev *pool.Event) string {
	switch ev.Kind { //exhaustive:enforce
	case pool.Started:
		return "the service began"
	case pool.ClientWaits:
		return "a client waits" + among(ev.N)
	case pool.Looked:
		return fmt.Sprintf("%s at its sockets", waiting(ev.N))
	case pool.Reported, pool.Ready, pool.Heartbeat, pool.Extended, pool.Leaves, pool.Measured:
		return whatWasSaid(ev)
	case pool.Born:
		return fmt.Sprintf("worker %d was born (generation %d)", ev.PID, ev.Generation)
	case pool.Stillborn:
		if ev.Code == 0 {
			return "a birth was called off: its client was gone, or it was not to be tried"
		}
		return fmt.Sprintf("a birth failed (generation %d): %s", ev.Generation, unix.Errno(ev.Code).Error())
	case pool.Died:
		return fmt.Sprintf("worker %d ended: %s", ev.PID, ending(ev.Code))
	case pool.Ticked:
		return "a time was over"
	case pool.Replanned:
		return "a reload: its workers are to be new ones"
	case pool.Adjusted:
		return "a reload: its workers stay"
	case pool.Removed:
		return "it was taken out of the configuration, or stopped"
	case pool.Pardoned:
		return "an operator had failures forgotten"
	case pool.Scaled:
		return fmt.Sprintf("an operator set the limit to %d", ev.N)
	case pool.Paused:
		return "an operator held back births"
	case pool.Resumed:
		return "an operator let births go on"
	case pool.Draining:
		return "it was told to finish" + patience(ev.Span)
	case pool.SlotFree:
		return "a place below a shared ceiling was free"
	case pool.Yield:
		return "another service needs a place below a shared ceiling"
	}
	return ev.String()
}

// whatWasSaid is what a worker said of itself, for people.
func whatWasSaid(ev *pool.Event) string {
	who := fmt.Sprintf("worker %d", ev.PID)
	if ev.Sender != 0 && ev.Sender != ev.PID {
		who = fmt.Sprintf("process %d, in the name of worker %d,", ev.Sender, ev.PID)
	}
	switch ev.Kind {
	case pool.Reported:
		switch ev.State {
		case pool.StateTaken:
			return who + " took a client"
		case pool.StateAvailable:
			return who + " is free"
		}
		return fmt.Sprintf("%s said that it is in the unknown state %d", who, ev.State)
	case pool.Ready:
		return who + " is ready"
	case pool.Heartbeat:
		return who + " gave a sign of life"
	case pool.Extended:
		return fmt.Sprintf("%s asked for %s more", who, seconds(ev.Span))
	case pool.Leaves:
		return who + " takes no more clients"
	case pool.Measured:
		return fmt.Sprintf("%s has %d MiB of memory", who, ev.Memory>>20)
	default:
		return ev.String()
	}
}

// followed is what brood does, in the order in which it is told.
var followed = []struct {
	kind  pool.ActionKind
	words string
}{
	{pool.Birth, "gave birth"},
	{pool.Look, "counted the clients"},
	{pool.Snapshot, "looked where the worker hangs"},
	{pool.Retire, "retired a worker"},
	{pool.Rotate, "asked the workers to restart"},
	{pool.Terminate, "sent TERM"},
	{pool.Stop, "sent the stop signal"},
	{pool.Kill, "sent KILL"},
	{pool.Wake, "woke the service up"},
	{pool.Ask, "asked another service for a place"},
	{pool.Measure, "measured memory"},
	{pool.Tell, "said so"},
	{pool.Watch, "watches for clients"},
	{pool.Unwatch, "leaves clients to the workers"},
	{pool.Gone, "it is gone"},
}

// whatFollowed is what was done, for people. What only concerns the clock or the
// ledger of a ceiling is left out.
func whatFollowed(set pool.ActionSet) string {
	var words []string
	for _, f := range followed {
		if set.Has(f.kind) {
			words = append(words, f.words)
		}
	}
	return strings.Join(words, ", ")
}

// among says how many wait, where that is known.
func among(n int32) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf(", one of %d", n)
}

func waiting(n int32) string {
	switch n {
	case 0:
		return "nobody waits"
	case 1:
		return "one client waits"
	}
	return fmt.Sprintf("%d clients wait", n)
}
