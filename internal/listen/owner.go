package listen

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
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
// root's capabilities over files. The ids belong to one thread of the kernel,
// which nobody can meet with the wrong ones: it is the batch's.
func (who ids) as(f func() error) (err error) {
	if who.uid <= 0 {
		return f()
	}
	batch.run(func() {
		defer batch.giveBack()
		if err = who.assume(&batch.gid); err == nil {
			err = f()
		}
	})
	return err
}

// keptThread is a thread that does nothing but what it is given. It is made
// once and kept: the Go runtime ends the process if the kernel has no thread to
// give when one is wanted (pids.max, RLIMIT_NPROC), and that is no time for a
// wake-up to kill its manager.
type keptThread struct {
	once sync.Once
	work chan func()
}

// run has the thread do f, and waits for it.
func (k *keptThread) run(f func()) {
	k.once.Do(func() {
		k.work = make(chan func())
		go k.serve()
	})
	done := make(chan struct{})
	k.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

func (k *keptThread) serve() {
	runtime.LockOSThread()
	for f := range k.work {
		f()
	}
}

// assume takes the ids on for the calling thread alone, which the wrappers of
// package syscall would do for all. Gid is the group that the thread has
// already, 0 if it has its first ones.
func (who ids) assume(gid *int) error {
	if *gid == 0 || *gid != who.gid {
		group := uint32(who.gid)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&group)), 0); errno != 0 {
			return errno
		}
		*gid = who.gid
	}
	return who.setFileSystemIDs()
}

// setFileSystemIDs works on the calling thread. As setfsuid(2) reports no
// failure, asking for an impossible id tells what is in force.
func (who ids) setFileSystemIDs() error {
	_, _ = unix.SetfsgidRetGid(who.gid)
	_, _ = unix.SetfsuidRetUid(who.uid)
	u, _ := unix.SetfsuidRetUid(-1)
	g, _ := unix.SetfsgidRetGid(-1)
	if u != who.uid || g != who.gid {
		return errors.New("the kernel refused the folder owner's ids")
	}
	return nil
}

// batch is work on sockets, on many at a time where that can be. It has one
// thread to itself, on which ids are taken on and given back, because a thread
// for each socket costs more than all else that is done for it. The groups stay;
// they add nothing to root's powers.
var batch batchThread

type batchThread struct {
	one    sync.Mutex
	thread keptThread
	tid    atomic.Int64 // while a batch is under way; 0 otherwise
	gid    int
	// folder is the one that was worked in last.
	folder struct {
		path string
		open *folder
	}
}

// run has f work as a batch, or as a part of the one that the caller is.
func (b *batchThread) run(f func()) {
	if b.here() || unix.Geteuid() != 0 {
		f()
		return
	}
	b.one.Lock()
	defer b.one.Unlock()
	b.thread.run(func() {
		b.tid.Store(int64(unix.Gettid()))
		defer b.tid.Store(0)
		defer b.keep("", nil)
		f()
	})
}

// here tells whether the caller is a part of the batch.
func (b *batchThread) here() bool {
	tid := b.tid.Load()
	return tid != 0 && tid == int64(unix.Gettid())
}

// keep has a folder stay open until the next one, or the end of the batch.
func (b *batchThread) keep(path string, d *folder) {
	if before := b.folder.open; before != nil {
		_ = unix.Close(before.fd)
	}
	b.folder.path, b.folder.open = path, d
}

// giveBack takes on our own ids again. A thread that has others must not go on
// as if it were root's.
func (b *batchThread) giveBack() {
	if err := (ids{gid: unix.Getegid()}).setFileSystemIDs(); err != nil {
		panic("listen: cannot take on our own ids again: " + err.Error())
	}
}
