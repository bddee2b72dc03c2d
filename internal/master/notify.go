package master

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/pool"
)

const (
	// notifyMax is how many bytes one message may have, as with systemd.
	notifyMax = 4096
	// notifyFilesMost is how many descriptors one message may carry, SCM_MAX_FD.
	notifyFilesMost = 253
	// notifiesPerTurn bounds the time that workers can keep the loop to
	// themselves.
	notifiesPerTurn = 256
	// searchesPerTurn bounds how often in that time the ancestors of a sender
	// are looked up. Everybody on the machine may send, and a search takes as
	// long as a hundred messages.
	searchesPerTurn = 16
	// notifyBuffer is how many bytes of messages wait for the loop.
	notifyBuffer = 1 << 20
	// ancestorsMost is how far a sender may be from the worker it speaks for.
	ancestorsMost = 32
)

// notifySocket takes what workers say in the protocol of sd_notify(3). One serves
// all services: who speaks is known from the kernel. It has an abstract address,
// so that it needs no folder and is gone with us.
type notifySocket struct {
	source source
	name   string
	reader notifyReader
}

// openNotify makes the socket, if there is none.
func (m *Master) openNotify() error {
	if m.notify != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("cannot create notify socket: %w", err)
	}
	n := &notifySocket{source: source{fd: fd}}
	if err = n.prepare(); err == nil {
		err = m.poller.watch(&n.source, true)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot create notify socket: %w", err)
	}
	m.notify = n
	return nil
}

func (n *notifySocket) prepare() error {
	fd := n.source.fd
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return err
	}
	// Needs more than the limit for everybody; what it gets will do.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, notifyBuffer)
	// Without a name the kernel chooses an abstract one, unix(7).
	if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
		return err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	n.name = name.(*unix.SockaddrUnix).Name
	return nil
}

// readNotify takes what workers have said.
func (m *Master) readNotify() {
	n := m.notify
	if n == nil {
		return
	}
	searches, stranger := 0, int32(0)
	for i := 0; i < notifiesPerTurn && searches < searchesPerTurn; i++ {
		text, sender, files, ok := n.reader.read(n.source.fd)
		if !ok {
			return
		}
		w := m.known(sender)
		if w == nil && sender != stranger {
			searches++
			if w = m.speaker(sender); w == nil {
				stranger = sender
			}
		}
		m.notified(w, string(text), files)
	}
}

// notified enters a message; from a process that is nobody's it is dropped.
func (m *Master) notified(w *worker, text string, files []int) {
	if w != nil {
		m.hear(w, text, files)
		return
	}
	calm(files)
	m.strangers.close(files)
}

// speaker finds the worker that a process is, or descends from.
func (m *Master) speaker(pid int32) *worker {
	for range ancestorsMost {
		if w := m.known(pid); w != nil {
			return w
		}
		if pid = parentOf(pid); pid <= 1 {
			return nil
		}
	}
	return nil
}

// parentOf is the parent of a process; 0 if that is not known.
func parentOf(pid int32) int32 {
	f := statFields(procOf(pid))
	if len(f) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(f[4-statFirst])
	if err != nil {
		return 0
	}
	return int32(parent)
}

// hear enters what a worker says of itself, line by line.
func (m *Master) hear(w *worker, text string, files []int) {
	said := make(map[string]string, 4)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			said[k] = v
		}
	}
	if v, ok := said["STATUS"]; ok {
		w.status = printable(v)
	}
	if v, ok := said["MAINPID"]; ok {
		m.nameMain(w, v)
	}
	if said["READY"] == "1" {
		m.step(w.service, w.event(pool.Ready))
	}
	if v, ok := said["EXTEND_TIMEOUT_USEC"]; ok {
		m.extend(w, v)
	}
	if v, ok := said["X_BROOD_STATE"]; ok {
		m.hearState(w, v)
	}
	if said["WATCHDOG"] == "1" {
		m.step(w.service, w.event(pool.Heartbeat))
	}
	if said["STOPPING"] == "1" {
		m.step(w.service, w.event(pool.Leaves))
	}
	if said["FDSTOREREMOVE"] == "1" {
		m.removeStored(w.service, said["FDNAME"])
	}
	if said["FDSTORE"] == "1" {
		files = w.service.store(said["FDNAME"], files)
	}
	// A sender of BARRIER=1 waits for this end of its pipe to be closed.
	w.service.discard(files...)
}

// hearState enters busy or idle.
func (m *Master) hearState(w *worker, state string) {
	ev := w.event(pool.Reported)
	ev.Sender = w.pid
	switch state {
	case "busy":
		ev.State = pool.StateTaken
	case "idle":
		ev.State = pool.StateAvailable
	default:
		m.logBadState(w, state)
		return
	}
	m.step(w.service, ev)
}

// extensionMost is the longest extension at a time, in microseconds: a day.
const extensionMost = 24 * 60 * 60 * 1_000_000

// extend enters EXTEND_TIMEOUT_USEC.
func (m *Master) extend(w *worker, text string) {
	micros, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return
	}
	ev := w.event(pool.Extended)
	ev.Span = pool.Duration(min(micros, extensionMost)) * microsecond
	m.step(w.service, ev)
}

// nameMain takes a process that descends from the worker as the one to stop.
func (m *Master) nameMain(w *worker, text string) {
	pid, err := strconv.ParseInt(text, 10, 32)
	if err != nil || pid <= 0 {
		return
	}
	// The handle comes first: whoever has the id when we look, it is not given
	// to another process later.
	fd, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		return
	}
	if m.speaker(int32(pid)) != w {
		m.logNotItsMain(w, pid)
		unix.Close(fd)
		return
	}
	w.forgetMain()
	if int32(pid) == w.pid {
		unix.Close(fd)
		return
	}
	w.main = fd
}

// printable is text of a worker's that is safe to show, cut to a line.
func printable(text string) string {
	text = text[:min(len(text), statusMost)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// statusMost is how many bytes of a STATUS are kept.
const statusMost = 256

// notifyReader holds the buffers of recvmsg(2).
type notifyReader struct {
	text    [notifyMax]byte
	control [unix.SizeofCmsghdr + 8 + unix.SizeofUcred + 8 + unix.SizeofCmsghdr + 4*notifyFilesMost + 8]byte
	vector  unix.Iovec
	header  unix.Msghdr
}

// read takes one message; false when there is none. A message that is cut off
// says nothing, but its descriptors are passed on to be closed.
func (r *notifyReader) read(fd int) (text []byte, sender int32, files []int, ok bool) {
	r.vector.Base = &r.text[0]
	r.vector.SetLen(len(r.text))
	r.header = unix.Msghdr{Iov: &r.vector, Control: &r.control[0]}
	r.header.SetIovlen(1)
	r.header.SetControllen(len(r.control))
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.header)), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if errno != 0 {
		return nil, 0, nil, false
	}
	rest := r.control[:r.header.Controllen]
	for len(rest) >= unix.SizeofCmsghdr {
		h, data, after, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		rest = after
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_CREDENTIALS && len(data) >= unix.SizeofUcred:
			sender = (*unix.Ucred)(unsafe.Pointer(&data[0])).Pid
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_RIGHTS:
			for ; len(data) >= 4; data = data[4:] {
				files = append(files, int(*(*int32)(unsafe.Pointer(&data[0]))))
			}
		}
	}
	text = r.text[:n]
	if r.header.Flags&unix.MSG_TRUNC != 0 {
		text = nil
	}
	return text, sender, files, true
}
