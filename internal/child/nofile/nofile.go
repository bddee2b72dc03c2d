package nofile

import "unsafe"

// Limit is RLIMIT_NOFILE: how many descriptors a process may have open.
type Limit struct {
	Soft, Hard uint64
}

// resource is RLIMIT_NOFILE on every architecture that Go runs on but the MIPS
// family, where it is 5.
const resource = 7

// born is the limit before Go's own initialisation touched it; zero when it
// could not be read.
var born = read()

// Born returns the limit that our process was born with, and false if it could
// not be read.
func Born() (Limit, bool) { return born, born != Limit{} }

// Restore tells to which soft limit a child must be set when ours is now: the
// one that we were born with, if it is Go that raised it and nobody changed it
// since. Go raises to one less than the hard limit, which is how it tells
// itself.
func Restore(now Limit) (Limit, bool) {
	return restore(born, now)
}

func restore(born, now Limit) (Limit, bool) {
	raised := born.Hard > 0 && born.Soft < born.Hard-1
	untouched := now.Hard == born.Hard && now.Soft == born.Hard-1
	return born, raised && untouched
}

func read() Limit {
	var l Limit
	_, _, errno := rawSyscall6(prlimit64, 0, resource, 0, uintptr(unsafe.Pointer(&l)), 0, 0)
	if errno != 0 {
		return Limit{}
	}
	return l
}

// rawSyscall6 is syscall.RawSyscall6, which package syscall offers to linkers;
// importing it in the usual way would have it initialised before us.
//
//go:linkname rawSyscall6 syscall.RawSyscall6
//go:noescape
func rawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)
