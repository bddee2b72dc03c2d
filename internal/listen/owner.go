package listen

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ids are the user and group whose powers over files something is done with;
// the zero user stands for our own.
type ids struct {
	uid, gid int
}

// powersOver tells with whose powers to work in a folder: those of its owner,
// unless that is root or we are not root ourselves. The file's own group is
// taken where the owner is the same, as a file that he makes gets it.
func powersOver(dir *unix.Stat_t, uid, gid int) ids {
	if dir.Uid == 0 || unix.Geteuid() != 0 {
		return ids{}
	}
	if int(dir.Uid) == uid && gid >= 0 {
		return ids{uid: uid, gid: gid}
	}
	return ids{uid: int(dir.Uid), gid: int(dir.Gid)}
}

// as runs f with the file-system ids of somebody else, his groups and none of
// root's capabilities over files. The ids belong to one thread of the kernel;
// it ends with f, so that nobody can meet it with the wrong ones.
func (who ids) as(f func() error) error {
	if who.uid <= 0 {
		return f()
	}
	answer := make(chan error, 1)
	go func() {
		// Never unlocked: the runtime ends the thread with the goroutine.
		runtime.LockOSThread()
		err := who.assume()
		if err == nil {
			err = f()
		}
		answer <- err
	}()
	return <-answer
}

// assume takes the ids on for the calling thread alone, which the wrappers of
// package syscall would do for all.
func (who ids) assume() error {
	gid := uint32(who.gid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&gid)), 0); errno != 0 {
		return errno
	}
	// setfsuid(2) reports no failure; asking for an impossible id tells what
	// is in force.
	_, _ = unix.SetfsgidRetGid(who.gid)
	_, _ = unix.SetfsuidRetUid(who.uid)
	u, _ := unix.SetfsuidRetUid(-1)
	g, _ := unix.SetfsgidRetGid(-1)
	if u != who.uid || g != who.gid {
		return errors.New("the kernel refused the folder owner's ids")
	}
	return nil
}
