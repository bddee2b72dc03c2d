package master

import "github.com/brood-project/brood/internal/pool"

// guest is a client that was accepted for a worker that is to be born, and what
// the worker is told of it. The connection is ours until the worker has its own.
type guest struct {
	fd  int // -1 for none
	env []string
}

var noGuest = guest{fd: -1}

// keepGuest keeps the client of a birth that came to nothing after it was
// accepted: the next worker is born for it.
func (s *service) keepGuest(g guest) {
	if g.fd >= 0 {
		s.guests = append(s.guests, g)
	}
}

// keptGuest takes out the first client that was kept.
func (s *service) keptGuest() (g guest, ok bool) {
	if len(s.guests) == 0 {
		return noGuest, false
	}
	g = s.guests[0]
	if s.guests = s.guests[1:]; len(s.guests) == 0 {
		s.guests = nil
	}
	return g, true
}

// callGuests tells the policy of the clients that were kept, for as long as it
// takes one: no socket does.
func (m *Master) callGuests(s *service) {
	if !s.watched || len(s.guests) == 0 {
		return
	}
	before := len(s.guests)
	m.step(s, pool.Event{Kind: pool.ClientWaits, N: m.waitingAll(s)})
	if len(s.guests) < before {
		m.markDirty(s)
	}
}

// dropGuests closes those whom nobody will serve any more.
func (s *service) dropGuests() {
	for _, g := range s.guests {
		s.shed(g.fd)
	}
	s.guests = nil
}
