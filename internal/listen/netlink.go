package listen

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// This file is the language of sock_diag(7), in which Waiting asks for one queue
// and a Survey for all.

// The numbers and sizes of linux/unix_diag.h, and the state of a listening socket
// in that of linux/tcp_states.h.
const (
	unixDiagReqLen = 24
	unixDiagMsgLen = 16
	unixDiagIcons  = 3
	unixDiagRqlen  = 4
	udiagShowIcons = 0x08
	udiagShowRqlen = 0x10
	stateListen    = 10
	anyState       = 0xffffffff
	diagNoCookie   = 0xffffffff
)

// appendQuestion adds a request with the header of netlink(7) in front.
func appendQuestion(b []byte, seq uint32, flags uint16, request []byte) []byte {
	ne := binary.NativeEndian
	b = ne.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(request)))
	b = ne.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = ne.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = ne.AppendUint32(b, seq)
	b = ne.AppendUint32(b, 0)
	return append(b, request...)
}

// unixRequest is struct unix_diag_req.
func unixRequest(states, inode, show uint32) (m [unixDiagReqLen]byte) {
	ne := binary.NativeEndian
	m[0] = unix.AF_UNIX
	for i, v := range [...]uint32{states, inode, show, diagNoCookie, diagNoCookie} {
		ne.PutUint32(m[4+4*i:], v)
	}
	return m
}

// eachAnswer has each message of a part of an answer be looked at, and tells
// whether it was the last; what is left of the answer to another question is
// skipped.
func eachAnswer(buf []byte, seq uint32, each func(body []byte)) (done bool, err error) {
	ne := binary.NativeEndian
	for len(buf) >= unix.NLMSG_HDRLEN {
		length, kind, to := int(ne.Uint32(buf)), ne.Uint16(buf[4:]), ne.Uint32(buf[8:])
		if length < unix.NLMSG_HDRLEN || length > len(buf) {
			return true, unix.EBADMSG
		}
		body := buf[unix.NLMSG_HDRLEN:length]
		buf = buf[min(len(buf), (length+3)&^3):]
		switch {
		case to != seq:
		case kind == unix.NLMSG_DONE:
			return true, nil
		case kind == unix.NLMSG_ERROR:
			if len(body) < 4 {
				return true, unix.EBADMSG
			}
			return true, unix.Errno(-int32(ne.Uint32(body)))
		default:
			each(body)
		}
	}
	return false, nil
}

// attribute finds one among the attributes of a message; nil if it is not there.
func attribute(attrs []byte, kind uint16) []byte {
	ne := binary.NativeEndian
	for len(attrs) >= unix.SizeofRtAttr {
		length := int(ne.Uint16(attrs))
		if length < unix.SizeofRtAttr || length > len(attrs) {
			return nil
		}
		if ne.Uint16(attrs[2:]) == kind {
			return attrs[unix.SizeofRtAttr:length]
		}
		attrs = attrs[min(len(attrs), (length+3)&^3):]
	}
	return nil
}

// lengths reads from a message about a unix socket how many clients wait there,
// and how many may.
func lengths(m []byte) (waiting, most int, ok bool) {
	if len(m) < unixDiagMsgLen {
		return 0, 0, false
	}
	v := attribute(m[unixDiagMsgLen:], unixDiagRqlen)
	if len(v) < 8 {
		return 0, 0, false
	}
	ne := binary.NativeEndian
	return int(ne.Uint32(v)), int(ne.Uint32(v[4:])), true
}
