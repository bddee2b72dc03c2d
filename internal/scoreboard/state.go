package scoreboard

import (
	"slices"
	"strings"
)

// State is what a service does at the moment, in one word.
type State string

// States are all there are, in the order in which they are looked for: the
// first that applies is the service's. Meaning is for people.
var States = []struct {
	State   State
	Meaning string
	holds   func(*Service, *Picture) bool
}{
	{"leaving", "it is gone from the configuration and waits for its last worker", func(s *Service, _ *Picture) bool { return s.Removed }},
	{"draining", "it takes no new client; workers finish those that they have", func(s *Service, p *Picture) bool { return s.Draining || p.Closing }},
	{"missing", "its sockets could not be opened; brood tries again", func(s *Service, _ *Picture) bool { return s.Missing }},
	{"gave-up", "too many births failed in a row; an operator has to act", func(s *Service, _ *Picture) bool { return s.GaveUp }},
	{"paused", "an operator has no worker be born; those that live go on", func(s *Service, _ *Picture) bool { return s.Paused }},
	{"throttled", "a birth failed; the next is not tried before a certain time", func(s *Service, p *Picture) bool { return s.ThrottledUntil > p.At }},
	{"probing", "births failed; one is tried alone, to see whether things are better", func(s *Service, _ *Picture) bool { return s.Probing }},
	{"broken", "the last birth failed, no worker lives; the next client is a try", func(s *Service, _ *Picture) bool { return s.Failures > 0 && s.able() == 0 && s.Starting == 0 }},
	{"full", "every worker that there may be has a client, or does not answer", func(s *Service, _ *Picture) bool { return s.full() }},
	{"busy", "at least one worker has a client", func(s *Service, _ *Picture) bool { return s.Busy > 0 }},
	{"ready", "workers are there, and wait for clients", func(s *Service, _ *Picture) bool { return s.Idle > 0 }},
	{"starting", "the first worker is on its way", func(s *Service, _ *Picture) bool { return s.Starting > 0 }},
	{"hung", "all its workers have left clients waiting, and none is counted on", func(s *Service, _ *Picture) bool { return s.Deaf > 0 }},
	{"idle", "no worker is needed; the next client gets one", func(*Service, *Picture) bool { return true }},
}

// State is the service's, at the moment of the picture.
func (s *Service) State(p *Picture) State {
	for _, row := range States {
		if row.holds(s, p) {
			return row.State
		}
	}
	return "idle"
}

// phrase is the state as it follows the service's name.
func (state State) phrase() string {
	switch state {
	case "gave-up":
		return "has given up"
	case "missing":
		return "does not listen"
	case "hung":
		return "hangs"
	}
	return "is " + string(state)
}

// Living is how many workers there are, whatever they do.
func (s *Service) Living() int { return s.Starting + s.Idle + s.Busy + s.Retiring + s.Deaf }

// able is how many workers serve or could.
func (s *Service) able() int { return s.Idle + s.Busy }

// full tells that no client could be taken at once. A pool of one worker that is
// with a client is full only if another waits: such services serve one after
// the other by design. Workers on their way are counted on for a client each.
func (s *Service) full() bool {
	switch {
	case s.Limit == 0 || s.Living() < s.Limit:
		return s.Waiting && s.Queue > 0
	case s.Starting > 0:
		return (s.Opaque || s.able() > 0) && s.Queue > s.Starting && s.pressed()
	case s.Opaque:
		return s.pressed()
	}
	return s.Idle == 0 && (s.Queue > 0 || s.Limit > 1)
}

// pressed tells that clients wait for longer than they should. The kernel does
// not always tell for how long: not at the first look at a unix socket, and not
// where nearly a thousand wait. Then their number speaks, unless the workers do.
func (s *Service) pressed() bool {
	if s.Opaque && s.QueueAge == 0 {
		return s.Queue > crowd*s.Limit
	}
	return s.Queue > 0 && s.QueueAge >= slowAccept
}

// forsaken tells that a client waits although nothing stands in the way of its
// being served: its worker is slow to begin, or ends before it serves.
func (s *Service) forsaken() bool {
	return s.able() == 0 && s.Queue > 0 && s.QueueAge >= slowAccept
}

// Health is how a service, or the whole, is to be judged by one who sends
// clients to it.
type Health string

// The three there are. Ready takes clients, also when no worker lives at the
// moment. Degraded serves, but something is wrong. Failing does not serve.
const (
	Ready    Health = "ready"
	Degraded Health = "degraded"
	Failing  Health = "failing"
)

// AtLeast tells whether h is as good as wanted, or better.
func (h Health) AtLeast(wanted Health) bool { return h.rank() <= wanted.rank() }

func (h Health) rank() int { return slices.Index([]Health{Ready, Degraded, Failing}, h) }

const (
	// slowAccept is how long a client waits for one of the workers that there
	// may be until that is called a fault.
	slowAccept = second
	// crowd is how many clients that wait for each worker are called one where
	// nobody knows for how long they do.
	crowd = 10
	// hangs is for how long the loop does not answer until that is called a
	// fault.
	hangs = 5 * second
	// fresh is how long ago a failure counts against a service that goes on.
	fresh = minute
)

// Health of the service, and the reason in words if it is not ready.
func (s *Service) Health(p *Picture) (Health, string) {
	switch state := s.State(p); state {
	case "leaving":
		return Failing, "it is gone from the configuration"
	case "draining":
		return Failing, "it is being drained"
	case "missing":
		return Failing, "it does not listen"
	case "gave-up":
		return Failing, "brood has given up after " + count(s.Failures, "failed birth")
	case "paused":
		return Failing, "an operator has paused it"
	case "throttled", "probing", "broken":
		return s.heldBack(state)
	case "hung":
		return Failing, count(s.Deaf, "worker") + " left clients waiting, and there is no other"
	case "full":
		switch {
		case !s.pressed():
		case s.QueueAge == 0:
			return Degraded, "it is full, and " + count(s.Queue, "client") + " wait"
		default:
			return Degraded, "it is full, and a client has been waiting for " + Span(s.QueueAge)
		}
	}
	if s.Deaf > 0 {
		return Degraded, count(s.Deaf, "worker") + " left clients waiting"
	}
	if s.forsaken() {
		return Degraded, "no worker has taken a client that has been waiting for " + Span(s.QueueAge)
	}
	if d := s.Failure; d != nil && p.At-d.At < fresh {
		return Degraded, "a worker failed " + p.ago(d.At)
	}
	return Ready, ""
}

// heldBack is the health of a service whose births fail: it goes on as long as
// workers from before live.
func (s *Service) heldBack(state State) (Health, string) {
	reason := map[State]string{
		"throttled": "births fail, and are held back",
		"probing":   "births fail; one is being tried",
		"broken":    "the last birth failed, and no worker lives",
	}[state]
	if s.able() > 0 {
		return Degraded, reason + "; " + count(s.able(), "worker") + " from before go on"
	}
	return Failing, reason
}

// Health of the whole, and the reasons if it is not ready. It fails when an
// essential service does, when all do, when the daemon is being stopped, and when
// its loop has not answered for some seconds;
// it is degraded when any service is not ready. Those that are leaving do not
// count.
func (p *Picture) Health() (Health, []string) {
	switch {
	case p.Closing:
		return Failing, []string{"brood is being stopped"}
	case p.Stale >= hangs:
		return Failing, []string{"the daemon's loop has not answered for " + Span(p.Stale)}
	}
	whole, counted, failing := Ready, 0, 0
	var reasons []string
	for i := range p.Services {
		s := &p.Services[i]
		if s.Removed {
			continue
		}
		counted++
		health, reason := s.Health(p)
		if health == Ready {
			continue
		}
		reasons = append(reasons, s.Name+": "+reason)
		if health == Failing {
			failing++
		}
		if health == Failing && !s.Essential {
			health = Degraded
		}
		if !whole.AtLeast(health) {
			continue
		}
		whole = health
	}
	if counted > 0 && failing == counted {
		whole = Failing
	}
	return whole, reasons
}

// Find are the services that a name means: by key, or else by name. Several of
// Postfix may have one name.
func (p *Picture) Find(name string) []*Service {
	var named []*Service
	for i := range p.Services {
		s := &p.Services[i]
		if s.Key == name {
			return []*Service{s}
		}
		if s.Name == name {
			named = append(named, s)
		}
	}
	return named
}

// Title is how the service is called where its name alone would mean several.
func (s *Service) Title(p *Picture) string {
	for i := range p.Services {
		if o := &p.Services[i]; o != s && o.Name == s.Name {
			return s.Key
		}
	}
	return s.Name
}

// Program is the last part of the path of the service's program.
func (s *Service) Program() string {
	if len(s.Command) == 0 {
		return ""
	}
	return s.Command[0][strings.LastIndexByte(s.Command[0], '/')+1:]
}
