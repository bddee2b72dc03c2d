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

// ours are our own powers.
var ours ids

// privileged tells whether we are root, who alone can take on other ids.
var privileged = sync.OnceValue(func() bool { return unix.Geteuid() == 0 })

// powersOver tells with whose powers to work in a folder: those of its owner,
// unless that is root or we are not root ourselves, or those of the endpoint's
// owner if he is to make it by himself. The file's own group is
// taken where the owner is the same, as a file that he makes gets it.
func powersOver(dir *unix.Stat_t, e *plan.Endpoint) ids {
	if !privileged() || dir.Uid == 0 && !e.AsOwner {
		return ours
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
		who = ours
		if !batch.here() {
			return f()
		}
	}
	batch.run(func() {
		if err = batch.become(who); err == nil {
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
	done := make(chan struct{})
	k.start(func() {
		defer close(done)
		f()
	})
	<-done
}

// start has the thread do f.
func (k *keptThread) start(f func()) {
	k.once.Do(func() {
		k.work = make(chan func())
		go k.serve()
	})
	k.work <- f
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
// thread to itself, because a thread for each socket costs more than all else
// that is done for it. On it ids are taken on for as long as the next socket
// wants the same, and given back at the end; so whatever a batch does with files
// it does within [ids.as], with our own powers too. What forgets it has too few
// of them, never too many. The groups stay; they add nothing to root's powers.
var batch batchThread

type batchThread struct {
	one    sync.Mutex
	thread keptThread
	tid    atomic.Int64 // while a batch is under way; 0 otherwise
	now    ids          // whose powers the thread has
	gid    int
	// umask is the thread's own, apart from the process's; sharedUmask where
	// the kernel gives it none.
	umask int
	// folder is the one that was worked in last.
	folder struct {
		path string
		open *folder
	}
}

// run has f work as a batch, or as a part of the one that the caller is.
func (b *batchThread) run(f func()) {
	if b.here() || !privileged() {
		f()
		return
	}
	b.one.Lock()
	defer b.one.Unlock()
	b.thread.run(func() {
		b.begin()
		defer b.end()
		f()
	})
}

// later has f work as a batch, which may end after the call. Those that begin
// afterwards wait for it.
func (b *batchThread) later(f func()) {
	if b.here() || !privileged() {
		f()
		return
	}
	b.one.Lock()
	b.thread.start(func() {
		defer b.one.Unlock()
		b.begin()
		defer b.end()
		f()
	})
}

func (b *batchThread) begin() {
	if b.umask == 0 {
		b.umask = sharedUmask
		if unix.Unshare(unix.CLONE_FS) == nil {
			b.umask = umaskUnset
		}
	}
	b.tid.Store(int64(unix.Gettid()))
}

func (b *batchThread) end() {
	b.keep("", nil)
	if err := b.become(ours); err != nil {
		// A thread that has others' ids must not go on as if it were root's.
		panic("listen: cannot take on our own ids again: " + err.Error())
	}
	b.tid.Store(0)
}

// here tells whether the caller is a part of the batch.
func (b *batchThread) here() bool {
	tid := b.tid.Load()
	return tid != 0 && tid == int64(unix.Gettid())
}

// become takes on ids, unless the thread has them already.
func (b *batchThread) become(who ids) error {
	if who == b.now {
		return nil
	}
	b.now = ids{uid: -1} // if it fails, nobody knows
	err := error(nil)
	if who == ours {
		err = ids{gid: unix.Getegid()}.setFileSystemIDs()
	} else {
		err = who.assume(&b.gid)
	}
	if err == nil {
		b.now = who
	}
	return err
}

// Values of umask that are none.
const (
	sharedUmask = -1
	umaskUnset  = -2
)

// bornWith has the files that the batch makes from here on be born with a mode.
// It returns false where the process's umask has a say in it.
func (b *batchThread) bornWith(mode uint32) bool {
	if !b.here() || b.umask == sharedUmask {
		return false
	}
	if mask := int(^mode & 0o777); mask != b.umask {
		unix.Umask(mask)
		b.umask = mask
	}
	return true
}

// keep has a folder stay open until the next one, or the end of the batch.
func (b *batchThread) keep(path string, d *folder) {
	if before := b.folder.open; before != nil {
		_ = unix.Close(before.fd)
	}
	b.folder.path, b.folder.open = path, d
}
