package listen

import (
	"errors"

	"github.com/brood-project/brood/internal/plan"
)

// Try finds out whether Prepare could open everything of want, and leaves no
// trace: what is new is bound and closed again, and nobody can connect to it
// meanwhile. A path is tried under a name beside it. Two things remain that only
// Prepare shows: whether sockets that stay can be given other attributes, and
// whether a UDP address is free that one of our own overlaps, because a second
// socket would take datagrams away from the first. There MUST be no change under
// way.
func (s *Set) Try(want []plan.Endpoint) (errs []error) {
	if s.changing {
		return []error{errors.New("cannot try sockets: a change is not ended")}
	}
	batch.run(func() {
		var tried []trial
		listed := make(map[identity]bool, len(want))
		for _, e := range want {
			id := identityOf(e)
			if listed[id] {
				errs = append(errs, &Error{Op: "open", Endpoint: e, Err: errors.New("it is listed twice")})
				continue
			}
			listed[id] = true
			t, err := s.try(e)
			if err != nil {
				errs = append(errs, err)
			} else if t.socket != nil {
				tried = append(tried, t)
			}
		}
		for _, t := range tried {
			t.socket.removeName(t.name)
			t.socket.Close()
		}
	})
	return errs
}

// trial is a socket that is bound for a moment; name is that of its file.
type trial struct {
	socket *Socket
	name   string
}

func (s *Set) try(e plan.Endpoint) (trial, error) {
	if open := s.Get(e); open != nil && open.reachable() || e.Network == plan.NetUDP && s.holdsPort(e.Port) {
		return trial{}, nil
	}
	t := trial{socket: &Socket{Endpoint: e, FD: -1, beside: true, silent: true}, name: pathName(e.Path)}
	if t.name != "" {
		if !s.holdsPath(e.Path) {
			if err := t.socket.obstacle(); err != nil {
				return trial{}, err
			}
		}
		t.name = "." + t.name + ".try"
	}
	if err := t.socket.open(t.name); err != nil {
		t.socket.removeName(t.name)
		t.socket.Close()
		return trial{}, err
	}
	return t, nil
}

// holdsPort tells whether a UDP socket of the set has a port, at whichever
// address.
func (s *Set) holdsPort(port uint32) bool {
	for id := range s.open {
		if id.network == plan.NetUDP && id.port == port {
			return true
		}
	}
	return false
}

// obstacle is what would keep the socket from its path.
func (s *Socket) obstacle() error {
	d, err := openFolder(&s.Endpoint)
	if err != nil {
		return s.fail("bind", err)
	}
	defer d.close()
	err = ours.as(func() error {
		_, err := d.inTheWay(pathName(s.Endpoint.Path))
		return err
	})
	if err != nil {
		return s.fail("replace", err)
	}
	return nil
}
