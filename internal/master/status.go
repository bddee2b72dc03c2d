package master

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/masterproto"
)

// recordsPerRead is how many status records one system call takes at most. The
// kernel queues no more than net.unix.max_dgram_qlen, which is 10 by default,
// before a writer waits.
const recordsPerRead = 16

// packetMax is how much of one packet is read: several records written at once,
// and a byte by which a longer packet is told from them.
const packetMax = 8*masterproto.StatusSize + 1

// readsPerTurn bounds the time that one service's children can keep the loop to
// themselves; the rest is found at the next turn.
const readsPerTurn = 16

// statusChannel is a pair of connected sockets, by which the children of one
// service report. Records are packets of their own, and the kernel says who
// sent each.
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
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
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
	s.whenUnused(func() { unix.Close(ch.theirs) })
}

// readStatus takes what the children of a service have reported.
func (m *Master) readStatus(s *service) {
	if s.status != nil {
		m.drainStatus(s, &s.status.source)
	}
}

func (m *Master) drainStatus(s *service, src *source) {
	for range readsPerTurn {
		n := m.reader.read(src.fd)
		for i := range n {
			m.report(s, m.reader.record(i), m.reader.sender(i))
		}
		if n < recordsPerRead {
			return
		}
	}
}

// report enters the records of one packet: one, unless a child has written
// several at once.
func (m *Master) report(s *service, packet []byte, sender int32) {
	for len(packet) > masterproto.StatusSize {
		m.reportOne(s, packet[:masterproto.StatusSize], sender)
		packet = packet[masterproto.StatusSize:]
	}
	m.reportOne(s, packet, sender)
}

func (m *Master) reportOne(s *service, record []byte, sender int32) {
	st, err := masterproto.ParseStatus(record)
	if err != nil && err != masterproto.ErrState {
		m.logBadRecord(s, sender, len(record))
		return
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
	headers [recordsPerRead]mmsghdr
	vectors [recordsPerRead]unix.Iovec
	records [recordsPerRead][packetMax]byte
	control [recordsPerRead][credentialsSpace]byte
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

// read takes up to recordsPerRead records and returns how many there were.
func (r *statusReader) read(fd int) int {
	if !r.ready {
		r.init()
	}
	for i := range r.headers {
		r.headers[i].hdr.Controllen = credentialsSpace
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&r.headers[0])), recordsPerRead, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0 // EAGAIN: all read
	}
	return int(n)
}

func (r *statusReader) init() {
	for i := range r.headers {
		r.vectors[i].Base = &r.records[i][0]
		r.vectors[i].SetLen(len(r.records[i]))
		h := &r.headers[i].hdr
		h.Iov = &r.vectors[i]
		h.SetIovlen(1)
		h.Control = &r.control[i][0]
	}
	r.ready = true
}

// record is the bytes of a record just read, cut off where it is too long.
func (r *statusReader) record(i int) []byte { return r.records[i][:r.headers[i].len] }

// sender is the pid of who wrote a record just read, from the kernel; 0 if it
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
