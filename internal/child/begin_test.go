package child

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

// barrier is a pipe that stalled births read from until it is opened.
type barrier struct{ r, w *os.File }

func newBarrier(t *testing.T) *barrier {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := &barrier{r, w}
	t.Cleanup(func() {
		b.open()
		_ = r.Close()
	})
	return b
}

func (b *barrier) spec() *Spec { return stalled(int(b.r.Fd())) }

// open lets all stalled births go on.
func (b *barrier) open() { _ = b.w.Close() }

// TestStalledBirths: births whose programs do not load hold up neither the
// collector nor other births, nor keep the descriptors of the caller.
func TestStalledBirths(t *testing.T) {
	eachTable(t, func(t *testing.T) {
		gate := newBarrier(t)
		const stalled, others = 40, 20
		for range stalled {
			begin(t, gate.spec())
		}
		began := time.Now()
		runtime.GC()
		t.Logf("a collection beside %d stalled births took %v", stalled, time.Since(began))
		await.That(t, "the children have their own descriptors", func() bool { begun, settled := Tidy(); return begun == settled })
		if pad.free != 1<<slotCount-1 {
			t.Errorf("slots %b are free beside stalled births, want all", pad.free)
		}
		for range others {
			begin(t, &Spec{Path: "/bin/true"})
		}
		for _, d := range reapAll(t, others) {
			if d.Status != 0 || d.Failed != nil || d.Stranger {
				t.Errorf("death %+v", d)
			}
		}
		gate.open()
		reapAll(t, stalled)
		if n := len(books.flight) + len(books.alive); n != 0 || len(books.free) > cradlesKept {
			t.Errorf("%d left in the books, %d cradles", n, len(books.free))
		}
	})
}

// TestKilledInFlight: a stalled birth whose process is killed did not fail.
func TestKilledInFlight(t *testing.T) {
	pid := begin(t, newBarrier(t).spec())
	if err := Signal(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if d := reapAll(t, 1)[0]; d.PID != pid || d.Status.Signal() != syscall.SIGKILL || d.Failed != nil {
		t.Errorf("death %+v, want process %d killed", d, pid)
	}
}

func init() { roles["traced"] = traced }

// traced is a child that makes its parent its tracer, and stops for it.
func traced() {
	runtime.LockOSThread()
	if _, _, errno := unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0); errno != 0 {
		must(errno)
	}
	must(unix.Tgkill(os.Getpid(), unix.Gettid(), syscall.SIGUSR1))
	select {}
}

// TestTraced: who stops because it has made us its tracer is not dead, but will
// be.
func TestTraced(t *testing.T) {
	killed := func(t *testing.T, pid int, d Death) {
		t.Helper()
		if d.PID != pid || d.Status.Signal() != syscall.SIGKILL || d.Stranger {
			t.Errorf("death %+v, want process %d killed", d, pid)
		}
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d was told to be dead, and lives: %v", pid, err)
		}
	}
	t.Run("reaped", func(t *testing.T) {
		pid := begin(t, self(t, "traced", 2))
		killed(t, pid, reapAll(t, 1)[0])
	})
	t.Run("waited for", func(t *testing.T) {
		pid, err := Start(self(t, "traced", 2))
		if err != nil {
			t.Fatal(err)
		}
		killed(t, pid, bury(t, pid))
	})
}

// TestStartedIsLeftToWait: Reap does not bury who has somebody waiting, and
// the id is not free before.
func TestStartedIsLeftToWait(t *testing.T) {
	pid, err := Start(&Spec{Path: "/bin/true"})
	if err != nil {
		t.Fatal(err)
	}
	awaitDeath(pid)
	if d, ok := Reap(); ok {
		t.Fatalf("buried %+v, which is awaited", d)
	}
	if err := Signal(pid, syscall.SIGTERM); err != nil {
		t.Errorf("the id of the unburied is lost: %v", err)
	}
	d := bury(t, pid)
	if d.PID != pid || !d.Status.Exited() || d.Status.ExitStatus() != 0 {
		t.Errorf("death %+v", d)
	}
	if d.Usage.Maxrss == 0 {
		t.Error("no resource usage")
	}
	if err := Signal(pid, syscall.SIGTERM); err != syscall.ESRCH {
		t.Errorf("signal to the buried: %v", err)
	}
	if err := Signal(1, 0); err != syscall.ESRCH {
		t.Errorf("signal to a stranger: %v", err)
	}
}

// TestParallelBirths has many births under way at once, some of which fail,
// and each child check the id that it was told.
func TestParallelBirths(t *testing.T) {
	eachMeans(t, func(t *testing.T) {
		high := someFiles(t, 7, 600)
		good := &Spec{
			Path:   "/bin/sh",
			Args:   []string{"sh", "-c", `test "$LISTEN_PID" = $$ -a -e /proc/self/fd/9`},
			Files:  append([]int{0, 1, 2}, high...),
			PIDEnv: []string{"LISTEN_PID"},
		}
		bad := &Spec{Path: "/no/such", Files: high}
		const births, batch = 200, 20
		failing := map[int]bool{}
		for done := 0; done < births; done += batch {
			for i := range batch {
				s := good
				if i%4 == 3 {
					s = bad
				}
				failing[begin(t, s)] = s == bad
			}
			for _, d := range reapAll(t, batch) {
				failed, known := failing[d.PID]
				delete(failing, d.PID)
				if !known || d.Stranger || failed != (d.Failed != nil) || !failed && d.Status != 0 {
					t.Errorf("death %+v", d)
				}
				if failed && (d.Failed.Step != "exec /no/such" || d.Failed.Err != unix.ENOENT || d.Status.ExitStatus() != 127) {
					t.Errorf("failed: %v, status %#x", d.Failed, d.Status)
				}
			}
		}
	})
}

// TestPassedMayBeClosed: what a Spec has named may be closed as soon as Tidy
// says so, even if the program has not been loaded yet.
func TestPassedMayBeClosed(t *testing.T) {
	eachTable(t, func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		gate := newBarrier(t)
		s := gate.spec()
		s.Path, s.Args = "/bin/echo", []string{"echo", "x"}
		s.Files = []int{0, int(w.Fd()), 2, s.Files[3]}
		begin(t, s)
		await.That(t, "the children have their own descriptors", func() bool { begun, settled := Tidy(); return begun == settled })
		_ = w.Close()
		gate.open()
		buf := make([]byte, 9)
		if n, err := r.Read(buf); err != nil || string(buf[:n]) != "x\n" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
		reapAll(t, 1)
	})
}

// TestSignalGroup reaches what a child has started.
func TestSignalGroup(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	s := program(t, int(w.Fd()), "/bin/sh", "-c", "sleep 1000 & echo ready; wait")
	s.Setpgid = true
	pid, err := Start(s)
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 6)
	if _, err := r.Read(buf); err != nil {
		t.Fatal(err)
	}
	if err := SignalGroup(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if d := bury(t, pid); d.Status.Signal() != syscall.SIGTERM {
		t.Errorf("death %+v", d)
	}
	// The pipe ends when the last of the group has.
	if n, err := r.Read(buf); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// TestSignalAll ends all children at once.
func TestSignalAll(t *testing.T) {
	var pids []int
	for range 3 {
		pids = append(pids, begin(t, program(t, 2, "/bin/sleep", "60")))
	}
	SignalAll(syscall.SIGTERM)
	for _, pid := range pids {
		if d := bury(t, pid); d.Status.Signal() != syscall.SIGTERM {
			t.Errorf("death %+v, want one by TERM", d)
		}
	}
}
