package listen

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// The numbers of linux/unix_diag.h for the name of a socket.
const (
	unixDiagName  = 0
	udiagShowName = 0x01
)

// Held is how many of some open sockets, by their numbers, are clients that were
// accepted at these queues and are not done with: of a process, that is for how
// many clients it works. A client that will send no more counts, because it may
// wait for an answer. It takes up to a pass over all sockets of the kernel, a
// few milliseconds among thousands.
func (s *Survey) Held(queues []Queue, open map[uint32]struct{}) (held int, err error) {
	if len(open) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return 0, errClosed
	}
	var ports []uint16
	var path bool
	for i := range queues {
		q := &queues[i]
		switch {
		case q.Network == plan.NetUnix:
			path = true
		case !slices.Contains(ports, q.Port):
			ports = append(ports, q.Port)
		}
	}
	var errs []error
	for ports := range slices.Chunk(ports, portsMost) {
		n, err := s.heldTCP(ports, open)
		held += n
		errs = append(errs, err)
	}
	if path {
		n, err := s.heldUnix(queues, open)
		held += n
		errs = append(errs, err)
	}
	return held, errors.Join(errs...)
}

// heldTCP knows them by their local port, which is the listener's.
func (s *Survey) heldTCP(ports []uint16, open map[uint32]struct{}) (held int, err error) {
	var errs []error
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		request := appendPorts(inetRequest(family, 0, 1<<stateEstablished|1<<stateCloseWait), ports)
		errs = append(errs, s.ask(unix.NLM_F_DUMP, request, func(m []byte) {
			if len(m) < inetDiagMsgLen {
				return
			}
			if _, ok := open[binary.NativeEndian.Uint32(m[atInode:])]; ok {
				held++
			}
		}))
	}
	return held, errors.Join(errs...)
}

// heldUnix knows them by their name, which is the listener's.
func (s *Survey) heldUnix(queues []Queue, open map[uint32]struct{}) (held int, err error) {
	names := map[string]int{}      // of those who are open, and how many
	listeners := map[string]bool{} // the names of the queues
	request := unixRequest(1<<stateListen|1<<stateEstablished, 0, udiagShowName)
	err = s.ask(unix.NLM_F_DUMP, request[:], func(m []byte) {
		if len(m) < unixDiagMsgLen {
			return
		}
		const atState = 2
		inode := binary.NativeEndian.Uint32(m[4:])
		name := string(attribute(m[unixDiagMsgLen:], unixDiagName))
		switch _, ours := open[inode]; {
		case name == "":
		case m[atState] == stateListen:
			if slices.ContainsFunc(queues, func(q Queue) bool { return q.Network == plan.NetUnix && q.Inode == inode }) {
				listeners[name] = true
			}
		case ours:
			names[name]++
		}
	})
	for name := range listeners {
		held += names[name]
	}
	return held, err
}
