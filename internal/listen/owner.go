package listen

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// ids are the user and group whose powers over files something is done with;
// the zero user stands for our own.
type ids struct {
	uid, gid int
}

// powersOver tells with whose powers to work in a folder: those of its owner,
// unless that is root or we are not root ourselves, or those of the endpoint's
// owner if he is to make it by himself. The file's own group is
// taken where the owner is the same, as a file that he makes gets it.
func powersOver(dir *unix.Stat_t, e *plan.Endpoint) ids {
	if unix.Geteuid() != 0 || dir.Uid == 0 && !e.AsOwner {
		return ids{}
	}
	if e.AsOwner || int(dir.Uid) == e.UID && e.GID >= 0 {
		return ids{uid: e.UID, gid: e.GID}
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
