package child

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
// collector nor other births, even if there are more of them than processors
// and spawners.
func TestStalledBirths(t *testing.T) {
	l := newLoop(t, 2)
	gate := newBarrier(t)
	stalled := runtime.GOMAXPROCS(0) + 3
	for i := range stalled {
		l.nursery.Submit(uint64(i), gate.spec())
	}
	until(t, func() bool { return books.flights() == stalled })
	began := time.Now()
	runtime.GC()
	t.Logf("a collection beside %d stalled births took %v", stalled, time.Since(began))

	const others = 20
	for range others {
		l.nursery.Submit(100, &Spec{Path: "/bin/true"})
	}
	for len(l.deaths) < others {
		l.turn()
	}
	for _, b := range l.births {
		if b.Token != 100 || b.Err != nil {
			t.Fatalf("birth %+v was not expected while the others are stalled", b)
		}
	}
	if got := books.flights(); got != stalled {
		t.Errorf("%d births are stalled, want %d", got, stalled)
	}
	gate.open()
	for len(l.deaths) < others+stalled {
		l.turn()
	}
}

// TestKilledInFlight: a stalled birth whose process is killed is answered as
// born, and its death comes after.
func TestKilledInFlight(t *testing.T) {
	l := newLoop(t, 1)
	l.nursery.Submit(5, newBarrier(t).spec())
	pid := 0
	until(t, func() bool {
		books.mu.Lock()
		defer books.mu.Unlock()
		for c := range books.inFlight {
			pid = c.pid()
		}
		return pid != 0
	})
	if err := Signal(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for len(l.deaths) == 0 {
		l.turn()
	}
	if b := l.births[0]; b.PID != pid || b.Token != 5 || b.Err != nil {
		t.Errorf("birth %+v, want process %d", b, pid)
	}
	if d := l.deaths[0]; d.PID != pid || d.Status.Signal() != syscall.SIGKILL {
		t.Errorf("death %+v, want process %d killed", d, pid)
	}
}

// TestDeathBeforeBooks: one that dies before its id is in the books is left
// until it is, and so is its id.
func TestDeathBeforeBooks(t *testing.T) {
	pid, err := Start(&Spec{Path: "/bin/true"})
	if err != nil {
		t.Fatal(err)
	}
	awaitDeath(pid)
	if d, ok := Reap(func(int) bool { return false }); ok {
		t.Fatalf("buried %+v, which nobody knows yet", d)
	}
	if err := Signal(pid, syscall.SIGTERM); err != nil {
		t.Errorf("the id of the unburied is lost: %v", err)
	}
	d, ok := Reap(func(p int) bool { return p == pid })
	if !ok || d.PID != pid || !d.Status.Exited() || d.Status.ExitStatus() != 0 || d.Stranger {
		t.Errorf("death %+v %t", d, ok)
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
		l := newLoop(t, 4)
		high := someFiles(t, 7, 600)
		good := &Spec{
			Path:   "/bin/sh",
			Args:   []string{"sh", "-c", `test "$LISTEN_PID" = $$ -a -e /proc/self/fd/9`},
			Files:  append([]int{0, 1, 2}, high...),
			PIDEnv: []string{"LISTEN_PID"},
		}
		bad := &Spec{Path: "/no/such", Files: high}
		const births = 200
		for i := range births {
			s := good
			if i%4 == 3 {
				s = bad
			}
			l.nursery.Submit(uint64(i), s)
		}
		for len(l.births) < births || len(l.books) > 0 {
			l.turn()
		}
		seen := map[uint64]bool{}
		for _, b := range l.births {
			if seen[b.Token] {
				t.Errorf("birth %d was answered twice", b.Token)
			}
			seen[b.Token] = true
			if failed := b.Token%4 == 3; failed != errors.Is(b.Err, unix.ENOENT) || failed != (b.PID == 0) {
				t.Errorf("birth %+v", b)
			}
		}
		if q := l.nursery.queue; len(q) != 0 || l.nursery.head != 0 {
			t.Errorf("the queue still holds %d, from %d on", len(q), l.nursery.head)
		}
		if len(l.deaths) != births*3/4 {
			t.Errorf("%d deaths", len(l.deaths))
		}
		for _, d := range l.deaths {
			if d.Status != 0 || d.Stranger {
				t.Errorf("death %+v", d)
			}
		}
	})
}

// TestClose answers every submission, begun or not, before or after.
func TestClose(t *testing.T) {
	l := newLoop(t, 1)
	gate := newBarrier(t)
	l.nursery.Submit(1, gate.spec())
	until(t, func() bool { return books.flights() == 1 })
	l.nursery.Submit(2, &Spec{Path: "/bin/true"})
	l.nursery.Close()
	l.nursery.Submit(3, &Spec{Path: "/bin/true"})
	for len(l.births) < 2 {
		l.turn()
	}
	gate.open()
	for len(l.deaths) < 1 {
		l.turn()
	}
	for _, b := range l.births {
		if closed := b.Token > 1; closed != errors.Is(b.Err, ErrClosed) {
			t.Errorf("birth %+v", b)
		}
	}
}

// TestSpawnersLeave: those that joined for stalled births are not kept for
// ever.
func TestSpawnersLeave(t *testing.T) {
	l := newLoop(t, 1)
	gate := newBarrier(t)
	const stalled = 4
	for range stalled {
		l.nursery.Submit(1, gate.spec())
	}
	until(t, func() bool { return books.flights() == stalled })
	gate.open()
	for len(l.deaths) < stalled {
		l.turn()
	}
	until(t, func() bool {
		l.nursery.mu.Lock()
		defer l.nursery.mu.Unlock()
		return l.nursery.spawners == 1 && !l.nursery.watching
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
	if d := await(t, pid); d.Status.Signal() != syscall.SIGTERM {
		t.Errorf("death %+v", d)
	}
	// The pipe ends when the last of the group has.
	if n, err := r.Read(buf); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// TestDisown: the death of a process that was disowned is shown, as a
// stranger's, though the caller does not know it.
func TestDisown(t *testing.T) {
	pid, err := Start(program(t, 2, "/bin/true"))
	if err != nil {
		t.Fatal(err)
	}
	awaitDeath(pid)
	nobody := func(int) bool { return false }
	if d, ok := Reap(nobody); ok {
		t.Fatalf("%+v was buried before its birth was in the books", d)
	}
	Disown(pid)
	if d, ok := Reap(nobody); !ok || d.PID != pid || !d.Stranger {
		t.Fatalf("got %+v, %v; want the death of the stranger %d", d, ok, pid)
	}
}
