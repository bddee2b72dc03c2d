package master

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/masterproto"
)

// One system call takes up to runsPerRead runs of up to recordsPerRun records.
// A run is what one child has written without another in between.
const (
	runsPerRead   = 16
	recordsPerRun = 64
)

// readsPerTurn bounds the time that one service's children can keep the loop to
// themselves; the rest is found at the next turn.
const readsPerTurn = 4

// statusChannel is a pair of connected stream sockets, by which the children of
// one service report. The kernel says who sent what, and never hands us the
// bytes of two senders as one (unix(7), SO_PASSCRED).
type statusChannel struct {
	source source
	theirs int
}

// openStatus makes the status channel of the children to come, if there is
// none.
func (m *Master) openStatus(s *service) error {
	if s.status != nil {
		return nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot create status channel: %w", err)
	}
	ch := &statusChannel{source: source{service: s, fd: pair[0]}, theirs: pair[1]}
	err = unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = m.poller.watch(&ch.source, true)
	}
	if err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return fmt.Errorf("cannot create status channel: %w", err)
	}
	s.status = ch
	return nil
}

// closeStatus lets the children that hold the other end see end-of-file.
func (m *Master) closeStatus(s *service) {
	ch := s.status
	if ch == nil {
		return
	}
	s.status = nil
	m.drainStatus(s, &ch.source)
	m.poller.forget(&ch.source)
	unix.Close(ch.source.fd)
	m.whenUnused(func() { unix.Close(ch.theirs) })
}

// readStatus takes what the children of a service have reported. We hold both
// ends, so only a child that shuts its own down can bring the channel to an
// end. It would stay readable for ever; so the others get a new one, as on
// reload.
func (m *Master) readStatus(s *service) {
	if s.status == nil || m.drainStatus(s, &s.status.source) {
		return
	}
	m.logStatusShut(s)
	m.closeStatus(s)
	m.step(s, pool.Event{Kind: pool.Replanned, Policy: s.policy()})
}

// drainStatus returns false at the end of the channel.
func (m *Master) drainStatus(s *service, src *source) bool {
	for range readsPerTurn {
		n := m.reader.read(src.fd)
		for i := range n {
			run := m.reader.run(i)
			if len(run) == 0 {
				return false
			}
			m.report(s, run, m.reader.sender(i))
		}
		if n < runsPerRead {
			break
		}
	}
	return true
}

// report enters the records of one sender. What is left over is a record of
// which a part was never written.
func (m *Master) report(s *service, run []byte, sender int32) {
	for len(run) > masterproto.StatusSize {
		m.reportOne(s, run[:masterproto.StatusSize], sender)
		run = run[masterproto.StatusSize:]
	}
	m.reportOne(s, run, sender)
}

func (m *Master) reportOne(s *service, record []byte, sender int32) {
	st, err := masterproto.ParseStatus(record)
	if err != nil && err != masterproto.ErrState {
		m.logBadRecord(s, sender, len(record))
		return
	}
	if st.State == masterproto.Taken && s.crowd > 0 {
		s.crowd--
	}
	m.step(s, pool.Event{
		Kind: pool.Reported, PID: st.PID, Sender: sender,
		Generation: st.Generation, State: int32(st.State),
	})
}

// statusReader holds the buffers of recvmmsg(2), so that reading allocates
// nothing.
type statusReader struct {
	ready   bool
	headers [runsPerRead]mmsghdr
	vectors [runsPerRead]unix.Iovec
	runs    [runsPerRead][recordsPerRun * masterproto.StatusSize]byte
	control [runsPerRead][credentialsSpace]byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// credentialsSpace is what one SCM_CREDENTIALS message takes: header and ucred,
// each rounded up to the word.
const credentialsSpace = (unix.SizeofCmsghdr+7)&^7 + (unix.SizeofUcred+7)&^7

// read takes up to runsPerRead runs and returns how many there were.
func (r *statusReader) read(fd int) int {
	if !r.ready {
		r.init()
	}
	for i := range r.headers {
		r.headers[i].hdr.Controllen = credentialsSpace
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&r.headers[0])), runsPerRead, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0 // EAGAIN: all read
	}
	return int(n)
}

func (r *statusReader) init() {
	for i := range r.headers {
		r.vectors[i].Base = &r.runs[i][0]
		r.vectors[i].SetLen(len(r.runs[i]))
		h := &r.headers[i].hdr
		h.Iov = &r.vectors[i]
		h.SetIovlen(1)
		h.Control = &r.control[i][0]
	}
	r.ready = true
}

// run is the bytes of a run just read.
func (r *statusReader) run(i int) []byte { return r.runs[i][:r.headers[i].len] }

// sender is the pid of who wrote a run just read, from the kernel; 0 if it
// did not say.
func (r *statusReader) sender(i int) int32 {
	if r.headers[i].hdr.Controllen < credentialsSpace-8 {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[i][0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_CREDENTIALS {
		return 0
	}
	return (*unix.Ucred)(unsafe.Pointer(&r.control[i][unix.SizeofCmsghdr])).Pid
}
