package master

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// channel is a status channel as openStatus makes it.
func channel(t *testing.T) (ours, theirs int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	return pair[0], pair[1]
}

func TestStatusReaderKeepsRecordsApartAndKnowsTheSender(t *testing.T) {
	ours, theirs := channel(t)
	sent := [][]byte{
		masterproto.AppendStatus(nil, masterproto.Status{PID: 7, Generation: 8, State: masterproto.Taken}),
		[]byte("short"),
		make([]byte, 400),
		masterproto.AppendStatus(nil, masterproto.Status{PID: 9, Generation: 10, State: masterproto.Available}),
	}
	for _, b := range sent {
		if _, err := unix.Write(theirs, b); err != nil {
			t.Fatal(err)
		}
	}
	var r statusReader
	if n := r.read(ours); n != len(sent) {
		t.Fatalf("read %d records, want %d", n, len(sent))
	}
	for i, b := range sent {
		got := r.record(i)
		if want := min(len(b), len(r.records[i])); len(got) != want || string(got) != string(b[:want]) {
			t.Errorf("record %d: got %q, want the first %d bytes of %q", i, got, want, b)
		}
		if r.sender(i) != int32(os.Getpid()) {
			t.Errorf("record %d: sender is %d, want %d", i, r.sender(i), os.Getpid())
		}
	}
	if n := r.read(ours); n != 0 {
		t.Errorf("read %d records from an empty channel", n)
	}
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
	if n := r.read(ours); n != 5 || r.sender(0) != int32(os.Getpid()) {
		t.Fatalf("read %d records, the first from %d", n, r.sender(0))
	}
	if after := descriptors(t); after != before {
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
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
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
