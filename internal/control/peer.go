package control

import (
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is who asks, as the kernel knew it when the connection was made. PID is 0
// for a process in a pid namespace that the daemon cannot see.
type Peer struct {
	PID  int32
	UID  uint32
	GID  uint32
	Role Role
}

// identify asks the kernel who is at the other end of a socket, and the table
// below what that peer may do.
func identify(fd int, opts *Options) (Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, err
	}
	who := Peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}
	who.Role = roleOf(who, func() []uint32 { return peerGroups(fd) }, opts)
	return who, nil
}

// roleOf is the one place that says who has which role.
func roleOf(who Peer, groups func() []uint32, opts *Options) Role {
	operates := func(gid uint32) bool { return slices.Contains(opts.OperateGroups, gid) }
	switch {
	case who.UID == 0, who.UID == uint32(os.Geteuid()):
		return Admin
	case len(opts.OperateGroups) > 0 && (operates(who.GID) || slices.ContainsFunc(groups(), operates)):
		return Operate
	case opts.Others != nil:
		return *opts.Others
	default:
		return Read
	}
}

// peerGroups returns the supplementary groups of the other end, or none where
// the kernel does not tell (SO_PEERGROUPS is in Linux since 4.13).
func peerGroups(fd int) []uint32 {
	groups := make([]uint32, 16)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4]
		case errno == unix.ERANGE && int(size/4) > len(groups):
			groups = make([]uint32, size/4)
		default:
			return nil
		}
	}
}
