package pool_test

import (
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/pool"
)

// parseEvent understands the words of pool.Event.String, and shorter ones
// where a story would say too much.
func (tl *teller) parseEvent(verb string, rest []string) pool.Event {
	ev := pool.Event{Kind: tl.kind(verb)}
	f := tl.fields(rest)
	switch verb {
	case "client":
		ev.N = int32(f["n"])
	case "record":
		ev.PID, ev.Generation, ev.State, ev.Sender = int32(f["pid"]), uint32(f["gen"]), int32(f["state"]), int32(f["sender"])
	case "taken", "available":
		ev.PID, ev.State = tl.pid(rest), pool.StateTaken
		ev.Generation, ev.Sender = tl.gen[ev.PID], ev.PID
		if verb == "available" {
			ev.State = pool.StateAvailable
		}
	case "born", "stillborn":
		ev.Generation = tl.answer(f)
		if verb == "born" {
			ev.PID = tl.pid(rest)
			tl.gen[ev.PID] = ev.Generation
			break
		}
		ev.Code = int32(f["errno"])
	case "died":
		ev.PID = tl.pid(rest)
		switch {
		case (len(rest) == 3 || len(rest) == 4 && rest[3] == "unloaded") && rest[1] == "exit":
			ev.Code, ev.Unloaded = int32(tl.number(rest[2])), len(rest) == 4
		case len(rest) == 3 && rest[1] == "signal":
			ev.Code = -int32(tl.number(rest[2]))
		default:
			tl.t.Fatalf("cannot read %q: want died PID exit N, or died PID signal N", rest)
		}
	case "looked", "scale":
		ev.N = int32(tl.number(rest[0]))
		ev.Took, ev.Held = int32(f["took"]), int32(f["held"])
		if verb == "looked" {
			ev.PID, tl.asked = tl.asked, 0
		}
		if len(rest) > 1 && strings.HasPrefix(rest[1], "age=") {
			ev.Span = tl.span(strings.TrimPrefix(rest[1], "age="))
		}
	case "ready", "beat", "leaves", "measured", "extend":
		ev.PID = tl.pid(rest)
		ev.Generation, ev.Memory = uint32(f["gen"]), f["bytes"]
		if verb == "extend" {
			ev.Span = tl.span(rest[1])
		}
	case "drain":
		if len(rest) > 0 {
			ev.Span = tl.span(rest[0])
		}
	case "reload", "adjust":
		if len(rest) > 0 && rest[0] == "to" {
			tl.policy, rest = pool.Policy{}, rest[1:]
		}
		tl.policy = tl.parsePolicy(tl.policy, rest)
		p := tl.policy
		ev.Policy = &p
	}
	return ev
}

func (tl *teller) kind(verb string) pool.EventKind {
	kind, ok := eventKinds[verb]
	if !ok {
		tl.t.Fatalf("cannot understand %q", verb)
	}
	if kind == pool.Ticked {
		tl.armed = 0
	}
	return kind
}

var eventKinds = map[string]pool.EventKind{
	"start": pool.Started, "client": pool.ClientWaits,
	"record": pool.Reported, "taken": pool.Reported, "available": pool.Reported,
	"born": pool.Born, "stillborn": pool.Stillborn, "died": pool.Died,
	"tick": pool.Ticked, "looked": pool.Looked,
	"reload": pool.Replanned, "adjust": pool.Adjusted, "scale": pool.Scaled,
	"remove": pool.Removed, "drain": pool.Draining, "pardon": pool.Pardoned,
	"pause": pool.Paused, "resume": pool.Resumed,
	"ready": pool.Ready, "beat": pool.Heartbeat, "extend": pool.Extended,
	"leaves": pool.Leaves, "measured": pool.Measured,
	"slot-free": pool.SlotFree, "yield": pool.Yield,
}

// answer is the birth that is answered: the one named, or the oldest.
func (tl *teller) answer(f map[string]int64) uint32 {
	for i, g := range tl.births {
		if want, named := f["gen"]; !named || g == uint32(want) {
			tl.births = append(tl.births[:i:i], tl.births[i+1:]...)
			return g
		}
	}
	tl.t.Fatal("nobody asked for this birth")
	return 0
}

// parsePolicy changes those parts of a policy that are named.
func (tl *teller) parsePolicy(p pool.Policy, words []string) pool.Policy {
	spans := map[string]*pool.Duration{
		"throttle": &p.Throttle, "wakeup": &p.Wakeup, "kill-after": &p.KillAfter, "patience": &p.Patience,
		"wait": &p.Wait, "start": &p.StartTimeout, "idle": &p.Idle, "max-age": &p.MaxAge,
		"heartbeat": &p.Heartbeat, "busy": &p.Busy, "drain": &p.Stop.Drain, "stop": &p.Stop.Timeout,
		"backoff": &p.Backoff.First, "backoff-max": &p.Backoff.Max, "stable": &p.Backoff.Stable,
	}
	numbers := map[string]*int{
		"limit": &p.Limit, "ramp": &p.Ramp, "min": &p.Min, "spare": &p.Spare,
		"max-use": &p.MaxUse, "tries": &p.Backoff.Tries,
	}
	flags := map[string]*bool{
		"wakeup-on-use": &p.WakeupOnUse, "stress": &p.Stress, "stress-keep": &p.StressKeep,
		"opaque": &p.Opaque, "single": &p.Single, "ready": &p.Ready,
	}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case spans[name] != nil:
			*spans[name] = tl.span(value)
		case numbers[name] != nil:
			*numbers[name] = int(tl.number(value))
		case flags[strings.TrimPrefix(name, "no-")] != nil:
			*flags[strings.TrimPrefix(name, "no-")] = !strings.HasPrefix(name, "no-")
		case name == "max-memory":
			p.MaxMemory = tl.number(value)
		case name == "signal":
			p.Stop.Signal = int32(tl.number(value))
		case name == "factor":
			p.Backoff.Factor = float64(tl.number(value))
		default:
			tl.t.Fatalf("cannot understand %q in a policy", w)
		}
	}
	return p
}

func (tl *teller) fields(words []string) map[string]int64 {
	f := make(map[string]int64)
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok && !strings.HasSuffix(value, "s") {
			f[name] = tl.number(value)
		}
	}
	return f
}

func (tl *teller) pid(words []string) int32 {
	if len(words) == 0 {
		tl.t.Fatal("a pid is missing")
	}
	return int32(tl.number(words[0]))
}

func (tl *teller) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		tl.t.Fatalf("cannot read a number: %v", err)
	}
	return n
}

// span reads seconds, such as "60s" or "0.25s".
func (tl *teller) span(s string) pool.Duration {
	f, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	if err != nil {
		tl.t.Fatalf("cannot read a span: %v", err)
	}
	return pool.Duration(f * float64(pool.Second))
}
