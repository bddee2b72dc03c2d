package master

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// channel is a status channel as openStatus makes it.
func channel(t *testing.T) (ours, theirs int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	return pair[0], pair[1]
}

// TestStatusReaderKeepsSendersApart has two processes write parts of records
// between ours.
func TestStatusReaderKeepsSendersApart(t *testing.T) {
	ours, theirs := channel(t)
	mine := masterproto.AppendStatus(nil, masterproto.Status{PID: 7, Generation: 8, State: masterproto.Taken})
	write := func(b []byte) {
		if _, err := unix.Write(theirs, b); err != nil {
			t.Fatal(err)
		}
	}
	other := func(text string) int {
		cmd := exec.Command("printf", text)
		cmd.Stdout = os.NewFile(uintptr(must(unix.Dup(theirs))), "channel")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return cmd.Process.Pid
	}
	write(mine)
	write(mine)
	first := other("half")
	second := other("another half")
	write(mine)

	var r statusReader
	want := []struct {
		sender int
		text   string
	}{
		{os.Getpid(), string(mine) + string(mine)}, {first, "half"}, {second, "another half"}, {os.Getpid(), string(mine)},
	}
	if n := r.read(ours); n != len(want) {
		t.Fatalf("read %d runs, want %d", n, len(want))
	}
	for i, w := range want {
		if string(r.run(i)) != w.text || r.sender(i) != int32(w.sender) {
			t.Errorf("run %d: got %q of %d, want %q of %d", i, r.run(i), r.sender(i), w.text, w.sender)
		}
	}
	if n := r.read(ours); n != 0 {
		t.Errorf("read %d runs from an empty channel", n)
	}
}

func must(fd int, err error) int {
	if err != nil {
		panic(err)
	}
	return fd
}

// TestStatusReaderTakesNoDescriptors has a child pass a descriptor, which must
// not become ours.
func TestStatusReaderTakesNoDescriptors(t *testing.T) {
	ours, theirs := channel(t)
	before := descriptors(t)
	for range 5 {
		if err := unix.Sendmsg(theirs, make([]byte, masterproto.StatusSize), unix.UnixRights(0, 1, 2), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	var r statusReader
	if n := r.read(ours); n == 0 || r.sender(0) != int32(os.Getpid()) {
		t.Fatalf("read %d runs, the first from %d", n, r.sender(0))
	}
	// What other tests have left behind may be closed meanwhile.
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func TestStatusReaderAllocatesNothing(t *testing.T) {
	ours, theirs := channel(t)
	record := masterproto.AppendStatus(nil, masterproto.Status{PID: 1})
	var r statusReader
	r.read(ours)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = unix.Write(theirs, record)
		r.read(ours)
	}); n != 0 {
		t.Errorf("%v allocations for a record", n)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func BenchmarkStatusBatch(b *testing.B) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	_ = unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	record := masterproto.AppendStatus(nil, masterproto.Status{PID: 1})
	var r statusReader
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 8 {
			_, _ = unix.Write(pair[1], record)
		}
		b.StartTimer()
		r.read(pair[0])
	}
}
