package listen

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// The numbers and sizes of linux/inet_diag.h and linux/tcp.h.
const (
	inetDiagMsgLen      = 72
	inetDiagInfo        = 2 // both an attribute and, as a bit, an extension
	inetDiagReqBytecode = 1
	bytecodeJump        = 1
	bytecodeSourcePort  = 11
	stateEstablished    = 1
	stateCloseWait      = 8
	// lastDataSent is the place of tcpi_last_data_sent in struct tcp_info.
	lastDataSent = 44
)

// portsMost is for how many ports the ages of clients are asked; each costs a
// comparison for every connection of the machine.
const portsMost = 64

// The places in struct inet_diag_msg that are read.
const (
	atFamily     = 0
	atSourcePort = 4
	atSource     = 8
	atCookie     = 44
	atRqueue     = 56
	atWqueue     = 60
	atInode      = 68
)

// countTCP fills in how many wait at each TCP socket.
func (s *Survey) countTCP(find map[uint32]*Queue) error {
	var errs []error
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		errs = append(errs, s.ask(unix.NLM_F_DUMP, inetRequest(family, 0, 1<<stateListen), func(m []byte) {
			if len(m) < inetDiagMsgLen {
				return
			}
			ne := binary.NativeEndian
			q := find[ne.Uint32(m[atInode:])]
			if q == nil || q.Network != plan.NetTCP {
				return
			}
			q.Waiting, q.Max = int(ne.Uint32(m[atRqueue:])), int(ne.Uint32(m[atWqueue:]))
			q.family = m[atFamily]
			copy(q.addr[:], m[atSource:])
		}))
	}
	return errors.Join(errs...)
}

// inetRequest is struct inet_diag_req_v2.
func inetRequest(family, extensions byte, states uint32) []byte {
	m := make([]byte, 0, 56)
	m = append(m, family, unix.IPPROTO_TCP, extensions, 0)
	m = binary.NativeEndian.AppendUint32(m, states)
	m = append(m, make([]byte, 40)...)
	return append(m, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // INET_DIAG_NOCOOKIE
}

// ageTCP fills in for how long the oldest client of each queue has waited. A
// connection that nobody has accepted belongs to no file, and has sent nothing
// since it was made; that the kernel keeps the time of.
func (s *Survey) ageTCP(queues []Queue) error {
	var errs []error
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		var crowded []*Queue
		var ports []uint16
		for i := range queues {
			q := &queues[i]
			if q.Network != plan.NetTCP || q.Waiting == 0 || q.family != family {
				continue
			}
			crowded = append(crowded, q)
			if !slices.Contains(ports, q.Port) && len(ports) < portsMost {
				ports = append(ports, q.Port)
			}
		}
		if len(ports) > 0 {
			errs = append(errs, s.ageFamily(family, ports, crowded))
		}
	}
	return errors.Join(errs...)
}

func (s *Survey) ageFamily(family byte, ports []uint16, crowded []*Queue) error {
	request := inetRequest(family, 1<<(inetDiagInfo-1), 1<<stateEstablished|1<<stateCloseWait)
	request = appendPorts(request, ports)
	return s.ask(unix.NLM_F_DUMP, request, func(m []byte) {
		ne := binary.NativeEndian
		if len(m) < inetDiagMsgLen || ne.Uint32(m[atInode:]) != 0 {
			return
		}
		info := attribute(m[inetDiagMsgLen:], inetDiagInfo)
		if len(info) < lastDataSent+4 {
			return
		}
		if q := listenerOf(m, crowded); q != nil {
			q.Age = max(q.Age, time.Duration(ne.Uint32(info[lastDataSent:]))*time.Millisecond)
			if q.Waiting <= waitersMost {
				s.lines[q.Inode] = append(s.lines[q.Inode], waiter{id: ne.Uint64(m[atCookie:])})
			}
		}
	})
}

// listenerOf finds the queue in which a connection stands: that of its own
// address before that of every address.
func listenerOf(m []byte, crowded []*Queue) (found *Queue) {
	port := binary.BigEndian.Uint16(m[atSourcePort:])
	addr := [16]byte(m[atSource:])
	for _, q := range crowded {
		switch {
		case q.Port != port:
		case q.addr == addr:
			return q
		case q.addr == [16]byte{}:
			found = q
		}
	}
	return found
}

// appendPorts adds the attribute that has the kernel tell of these local ports
// alone: a program of struct inet_diag_bc_op that compares with one port after
// the other. It accepts where a jump leads to its very end, and refuses where one
// leads four bytes further.
func appendPorts(m []byte, ports []uint16) []byte {
	const step = 12 // a comparison with its operand, and a jump
	ne := binary.NativeEndian
	length := step*len(ports) - 4
	m = ne.AppendUint16(m, uint16(unix.SizeofRtAttr+length))
	m = ne.AppendUint16(m, inetDiagReqBytecode)
	for i, port := range ports {
		m = append(m, bytecodeSourcePort, 8)
		m = ne.AppendUint16(m, step)
		m = append(m, 0, 0)
		m = ne.AppendUint16(m, port)
		if i < len(ports)-1 {
			m = append(m, bytecodeJump, 4)
			m = ne.AppendUint16(m, uint16(length-step*i-8))
		}
	}
	return m
}
