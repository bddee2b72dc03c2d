package listen

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Queue is what a Survey finds out about one listening socket.
type Queue struct {
	// Network, Port and Inode are the socket's; see QueueOf. The other fields
	// are filled in.
	Network plan.Network
	Port    uint16
	Inode   uint32

	// Waiting is the number of clients that were not taken yet, Max how many the
	// kernel lets wait (it refuses or ignores more): the backlog asked for, cut
	// to net.core.somaxconn. Max is 0 where the kernel did not tell.
	Waiting, Max int
	// Age is for how long the client at the head has been waiting: with TCP
	// since its connection was complete, as the kernel knows; with a unix socket
	// at least since the first Look that saw it, which may be later than it came.
	// 0 means not known, or not waiting.
	Age time.Duration
	// Taken is how many of those who stood there at the Survey's last Look at
	// this socket do so no more, as far as they can be told apart: of TCP clients
	// that gave up, and of unix ones that closed, nobody knows.
	Taken int

	family byte
	addr   [16]byte
}

// QueueOf is the question about a socket; false for those without an accept
// queue that can be surveyed.
func QueueOf(s *Socket) (Queue, bool) {
	e := &s.Endpoint
	return Queue{Network: e.Network, Port: uint16(e.Port), Inode: s.inode}, e.Network == plan.NetTCP || e.Network == plan.NetUnix
}

// KeepsTime tells whether the kernel knows since when the clients wait.
func (q *Queue) KeepsTime() bool { return q.Network == plan.NetTCP }

// Survey asks the kernel about all listening sockets at once, which takes one
// pass over its tables, however many there are, where Waiting takes one for each
// socket. It knows sockets by their numbers and needs none of their descriptors.
//
// It is safe for use by several goroutines, and none of them keeps a Waiting
// waiting. Its own descriptor is opened at once, so that it can answer later
// when no other can be opened.
type Survey struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	// lines are the clients that stood in each queue at the last Look at it, by the
	// number of the socket. A Look keeps those that it is not asked for, unless they
	// are more than linesMost: sockets may be gone.
	lines map[uint32][]waiter
}

// NewSurvey is a Survey that is ready to Look. An error is one of the kernel's,
// of sock_diag(7).
func NewSurvey() (*Survey, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("cannot open netlink socket: %w", err)
	}
	// The kernel always answers; should it not, nobody waits for ever.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	return &Survey{fd: fd}, nil
}

// Close gives back the descriptor; every later Look fails.
func (s *Survey) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

var errClosed = errors.New("cannot count the queues: the survey is closed")

// Look fills in the queues. What could not be found out stays 0; the error says
// why, and the rest is filled in all the same. It takes a few milliseconds
// among thousands of sockets.
func (s *Survey) Look(queues []Queue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return errClosed
	}
	find := make(map[uint32]*Queue, len(queues))
	var tcp, path bool
	for i := range queues {
		q := &queues[i]
		find[q.Inode] = q
		tcp = tcp || q.Network == plan.NetTCP
		path = path || q.Network == plan.NetUnix
	}
	var errs []error
	before := s.lines
	s.lines = map[uint32][]waiter{}
	if path {
		errs = append(errs, s.countUnix(queues, find), s.ageUnix(queues, before, time.Now()))
	}
	if tcp {
		errs = append(errs, s.countTCP(find), s.ageTCP(queues))
	}
	for i := range queues {
		q := &queues[i]
		q.Taken = taken(before[q.Inode], s.lines[q.Inode], q.Waiting)
	}
	for inode, line := range before {
		if find[inode] == nil && len(s.lines) < linesMost {
			s.lines[inode] = line
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot count the queues: %w", err)
	}
	return nil
}

// waiter is a client in the queue of a socket: the number of its own socket, or
// the cookie of its connection; 0 for one that cannot be recognised.
type waiter struct {
	id    uint64
	since time.Time // when it was first seen there; not used with TCP
}

// waitersMost is how many clients of one queue are told apart; about more than
// so many, unix_diag has no room to tell. linesMost is for how many queues.
const (
	waitersMost = 900
	linesMost   = 1024
)

// taken is how many of those before are gone by now. Those who wait and were not
// recognised may be any of them.
func taken(before, now []waiter, waiting int) int {
	if len(before) == 0 || waiting > waitersMost {
		return 0
	}
	still := make(map[uint64]struct{}, len(now))
	for _, w := range now {
		if w.id != 0 {
			still[w.id] = struct{}{}
		}
	}
	gone := 0
	for _, w := range before {
		if _, ok := still[w.id]; w.id != 0 && !ok {
			gone++
		}
	}
	return max(0, gone-max(0, waiting-len(still)))
}

// surveyBuffer is what the kernel fills at most with one part of an answer.
const surveyBuffer = 32 << 10

// ask sends a request and has each message of the answer be looked at. Calls may
// take a while, so they are not made past the scheduler.
func (s *Survey) ask(flags uint16, body []byte, each func(body []byte)) error {
	s.seq++
	if err := unix.Sendto(s.fd, appendQuestion(nil, s.seq, flags, body), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, surveyBuffer)
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		done, err := eachAnswer(buf[:n], s.seq, each)
		if done || err != nil {
			return err
		}
		if flags&unix.NLM_F_DUMP == 0 {
			return nil
		}
	}
}
