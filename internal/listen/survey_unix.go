package listen

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// agedMost is of how many unix sockets one Look asks who stands in their queues,
// which takes a pass over the kernel's table for each.
const agedMost = 128

// fewMost is how many unix sockets are asked about one by one: to find one takes
// the kernel a fifth of what it takes to tell of all.
const fewMost = 4

// countUnix fills in how many wait at each unix socket.
func (s *Survey) countUnix(queues []Queue, find map[uint32]*Queue) error {
	enter := func(m []byte) {
		waiting, most, ok := lengths(m)
		if !ok {
			return
		}
		q := find[binary.NativeEndian.Uint32(m[4:])]
		if q != nil && q.Network == plan.NetUnix {
			q.Waiting, q.Max = waiting, most
		}
	}
	if len(queues) > fewMost {
		request := unixRequest(1<<stateListen, 0, udiagShowRqlen)
		return s.ask(unix.NLM_F_DUMP, request[:], enter)
	}
	var errs []error
	for i := range queues {
		if queues[i].Network != plan.NetUnix {
			continue
		}
		request := unixRequest(anyState, queues[i].Inode, udiagShowRqlen)
		errs = append(errs, s.ask(0, request[:], enter)) // ENOENT: closed, or a kernel without unix_diag
	}
	return errors.Join(errs...)
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
	request := unixRequest(anyState, inode, udiagShowIcons)
	err = s.ask(0, request[:], func(m []byte) {
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
