package blackbox

import (
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wakeupBytes is what a wake-up writes to a stream: the request, terminated. A
// fifo gets the request alone.
const wakeupBytes = "W\x00"

// wokenBy reads what a wake-up of a stream service brought.
func (c *child) wokenBy() string {
	c.t.Helper()
	return c.readsOf(wakeupBytes, c.must(order{Do: "accept", FD: listenFd}).N)
}

// readsOf is what a child reads at a descriptor, as much as there is of a text
// that is expected. The stock master writes the request and the byte that
// terminates it one after the other, and a reader may come in between.
func (c *child) readsOf(want string, fd int) string {
	c.t.Helper()
	var got []byte
	for len(got) < len(want) {
		more := c.must(order{Do: "read", FD: fd, N: len(want) - len(got)})
		if len(more.Data) == 0 {
			break
		}
		got = append(got, more.Data...)
	}
	return string(got)
}

func wakeupPeriodic(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n 2 1 fake")
	before := time.Now()
	in.start()
	c := in.child("svc") // at start, nobody asked
	for i := range 3 {
		if got := c.wokenBy(); got != wakeupBytes {
			t.Errorf("wake-up %d brought %q", i, got)
		}
	}
	// Wake-ups wait for a reader that comes late, so what is sure is that the
	// master was there for two periods.
	in.notWithin(before, 2*2*time.Second)
}

func wakeupConditional(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n 1? 1 fake", "other unix - - n 1 1 fake")
	in.start()
	other := in.child("other")
	for range 3 {
		other.wokenBy()
	}
	in.noBirth() // three periods of a sibling, and svc was left alone
	in.dial("svc")
	c := in.child("svc")
	c.accept()
	if got := c.wokenBy(); got != wakeupBytes {
		t.Errorf("the wake-up brought %q", got)
	}
}

func wakeupFifo(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc fifo n - n 1 1 fake")
	in.start()
	c := in.child("svc")
	if got := c.readsOf("WW", listenFd); got != "WW" { // at start, and one period
		t.Errorf("the fifo held %q", got)
	}
}

// wakeupFifoOwner puts a fifo that only root may open in the place of the
// service's own; a wake-up that arrived there would be root's.
func wakeupFifoOwner(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc fifo n - n 1 1 fake", "other unix - - n 1 1 fake")
	in.start()
	in.child("svc")
	other := in.child("other")
	path := in.endpoint("svc")
	in.must(os.Remove(path))
	in.must(unix.Mkfifo(path, 0o600))
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	in.must(err)
	defer f.Close()
	for range 3 { // at start, and two periods
		other.wokenBy()
	}
	in.barrier()
	buf := make([]byte, 8)
	if n, err := unix.Read(int(f.Fd()), buf); err == nil {
		t.Errorf("root's fifo got %q", buf[:n])
	}
	in.must(os.Chown(path, ownerID(t), -1))
	in.must(waitReadable(int(f.Fd())))
	if n, _ := unix.Read(int(f.Fd()), buf[:1]); string(buf[:n]) != "W" { // another may be there already
		t.Errorf("the mail owner's fifo got %q", buf[:n])
	}
}

func wakeupInet(t *testing.T, m master) {
	in := newInstance(t, m)
	address := in.host + ":25"
	in.service(address + " inet n - n 1 1 fake")
	in.start()
	if got := in.child(address).wokenBy(); got != wakeupBytes {
		t.Errorf("the wake-up brought %q", got)
	}
}

func wakeupPass(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc pass - - n 1 2 fake")
	in.start()
	c := in.child("svc")
	c.accept()
	if got := c.readsOf(wakeupBytes, c.must(order{Do: "receive-descriptor"}).N); got != wakeupBytes {
		t.Errorf("the passed descriptor brought %q", got)
	}
}

func wakeupNotWhileThrottled(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("service_throttle_time = 10s") // what is looked at while it lasts takes a second or two
	in.service("svc unix - - n 1 1 fake", "other unix - - n 1 1 fake")
	in.start()
	c := in.child("svc")
	c.wokenBy()
	c.exit(1)
	in.log.wait(t, "bad command startup -- throttling")
	before, _ := unixQueues(t, c) // one may have come between the end and the throttle
	other := in.child("other")
	other.wokenBy()
	other.wokenBy()
	in.noBirth()
	if waiting, _ := unixQueues(t, c); waiting != before {
		t.Errorf("%d wake-ups wait at the throttled service, %d did when it was throttled", waiting, before)
	}
	if got := in.child("svc").wokenBy(); got != wakeupBytes {
		t.Errorf("after the throttle the wake-up brought %q", got)
	}
}
