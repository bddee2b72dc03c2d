package listen

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Further numbers of linux/unix_diag.h, and the state of a listening socket in
// that of linux/tcp_states.h.
const (
	unixDiagIcons  = 3
	udiagShowIcons = 0x08
	stateListen    = 10
)

// agedMost is of how many unix sockets one Look asks who stands in their queues,
// which takes a pass over the kernel's table for each.
const agedMost = 128

// countUnix fills in how many wait at each unix socket.
func (s *Survey) countUnix(find map[uint32]*Queue) error {
	return s.ask(unix.NLM_F_DUMP, unixRequest(1<<stateListen, 0, udiagShowRqlen), func(m []byte) {
		if len(m) < unixDiagMsgLen {
			return
		}
		ne := binary.NativeEndian
		q := find[ne.Uint32(m[4:])]
		if q == nil || q.Network != plan.NetUnix {
			return
		}
		if lengths := attribute(m[unixDiagMsgLen:], unixDiagRqlen); len(lengths) >= 8 {
			q.Waiting, q.Max = int(ne.Uint32(lengths)), int(ne.Uint32(lengths[4:]))
		}
	})
}

// unixRequest is struct unix_diag_req.
func unixRequest(states, inode, show uint32) []byte {
	ne := binary.NativeEndian
	m := make([]byte, 0, unixDiagReqLen)
	m = append(m, unix.AF_UNIX, 0, 0, 0)
	m = ne.AppendUint32(m, states)
	m = ne.AppendUint32(m, inode)
	m = ne.AppendUint32(m, show)
	m = ne.AppendUint32(m, diagNoCookie)
	return ne.AppendUint32(m, diagNoCookie)
}

// ageUnix fills in for how long the clients at the heads of the queues are known
// to have been there. The kernel names those who wait, in order, but not since
// when; so whoever was there at the last Look has been waiting since then.
func (s *Survey) ageUnix(queues []Queue, before map[uint32][]waiter, now time.Time) error {
	left := agedMost
	var errs []error
	for i := range queues {
		q := &queues[i]
		if q.Network != plan.NetUnix || q.Waiting == 0 || q.Waiting > waitersMost || left == 0 {
			continue
		}
		left--
		line, err := s.lineUnix(q.Inode, before[q.Inode], now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(line) > 0 {
			s.lines[q.Inode] = line
		}
		for _, w := range line {
			q.Age = max(q.Age, now.Sub(w.since)) // whoever is before it has waited longer
		}
	}
	return errors.Join(errs...)
}

// lineUnix is who stands in the queue of a unix socket, and since when as far as
// that is known.
func (s *Survey) lineUnix(inode uint32, before []waiter, now time.Time) (line []waiter, err error) {
	err = s.ask(0, unixRequest(anyState, inode, udiagShowIcons), func(m []byte) {
		if len(m) >= unixDiagMsgLen {
			line = waitersOf(attribute(m[unixDiagMsgLen:], unixDiagIcons), before, now)
		}
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EMSGSIZE) {
		return nil, nil // closed meanwhile; grown meanwhile
	}
	return line, err
}

// waitersOf reads a queue, the numbers of clients' sockets, the oldest first. A
// number of 0 is a client that has closed its end and cannot be recognised. Both queues are in one order,
// so that a single pass finds who was there before.
func waitersOf(inodes []byte, before []waiter, now time.Time) []waiter {
	line := make([]waiter, 0, len(inodes)/4)
	for ; len(inodes) >= 4; inodes = inodes[4:] {
		w := waiter{uint64(binary.NativeEndian.Uint32(inodes)), now}
		for i := range before {
			if w.id != 0 && before[i].id == w.id {
				w.since = before[i].since
				before = before[i+1:]
				break
			}
		}
		line = append(line, w)
	}
	return line
}
