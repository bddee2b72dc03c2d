package blackbox

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

var lifeRows = []row{
	{"life/birth-on-demand", "a child is born when a client waits, and not before", birthOnDemand},
	{"life/manager-never-accepts", "a client stays in the accept queue until a child takes it", managerNeverAccepts},
	{"life/available-from-birth", "from its birth a child counts as available: no second one is born beside it", availableFromBirth},
	{"life/taken-and-available", "the master watches while every child is taken, and no longer once one is available", takenAndAvailable},
	{"life/limit", "children are born up to the limit and not beyond; a place that gets free is filled", limitHolds},
	{"life/default-limit", "maxproc - is default_process_limit", defaultLimit},
	{"life/no-limit", "maxproc 0 is no limit", noLimit},
	{"life/idle-exit", "a child that leaves with 0 is reaped and replaced when the next client waits, however young", idleExit},
	{"life/crash-at-birth-throttles", "a non-zero exit with use count 0 throttles the service and is logged", crashThrottles},
	{"life/signal-at-birth-throttles", "death by a signal with use count 0 throttles the service and is logged", signalThrottles},
	{"life/crash-after-use-is-only-logged", "an abnormal end with use count > 0 is logged and throttles nothing", crashAfterUse},
	{"life/taken-is-not-yet-a-use", "only taken-then-available is a use: a crash while the first client is served throttles", takenIsNoUse},
	{"life/missing-program-throttles", "a program that cannot be started throttles the service", missingProgram},
	{"life/throttled-socket-stays-open", "while a service is throttled its clients connect and wait, and are served afterwards", throttledSocketOpen},
	{"life/stress-period", "near the limit children are asked to restart and those born later get -o stress=yes", stressPeriod},
	{"life/stress-not-for-loopback", "services that only loopback can reach know no stress", stressNotForLoopback},
	{"life/limit-warning-once", "reaching the limit is warned of, once in 1000 s", limitWarningOnce},
	{"life/wakeup-at-start-and-periodic", "wakeup N: one byte W over a fresh connection at start and every N seconds", wakeupPeriodic},
	{"life/wakeup-conditional", "wakeup N?: the timer starts with the first child that was born for another reason", wakeupConditional},
	{"life/wakeup-fifo", "a fifo is woken by a W in the fifo", wakeupFifo},
	{"life/wakeup-fifo-as-mail-owner", "a fifo is opened with the mail owner's ids, never root's", wakeupFifoOwner},
	{"life/wakeup-inet", "an inet service is woken over a connection", wakeupInet},
	{"life/wakeup-pass", "a pass service is woken by a passed descriptor, at whose other end is the W", wakeupPass},
	{"life/wakeup-not-while-throttled", "a throttled service is not woken; it is once the throttle is over", wakeupNotWhileThrottled},
}

func birthOnDemand(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - - fake")
	in.start()
	if children := in.run.children(); len(children) != 0 {
		t.Errorf("children before any client: %v", children)
	}
	in.noBirth()
	conn := in.dial("svc")
	c := in.child("svc")
	c.accept()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != fmt.Sprintln(c.PID) {
		t.Errorf("the client read %q, %v; child %d served it", line, err, c.PID)
	}
}

func managerNeverAccepts(t *testing.T, m master) {
	in := newInstance(t, m)
	address := in.host + ":25"
	in.service(address + " inet n - n - 1 fake")
	in.start()
	in.dialAt("tcp", address)
	c := in.child(address)
	in.barrier()
	before := len(descriptorsOf(in.run.pid))
	in.dialAt("tcp", address)
	in.barrier()
	await.That(t, "both clients are in the accept queue", func() bool { return tcpWaiting(t, address) == 2 })
	if after := len(descriptorsOf(in.run.pid)); after != before {
		t.Errorf("the master went from %d to %d descriptors", before, after)
	}
	c.accept()
	await.That(t, "one client is left in the queue", func() bool { return tcpWaiting(t, address) == 1 })
}

func availableFromBirth(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 5 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	in.dial("svc")
	in.dial("svc")
	in.noBirth()
	// Accepting is not reporting: as long as the child has not said that it is
	// taken, it is available in the master's eyes.
	c.accept()
	in.noBirth()
}

func takenAndAvailable(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 5 fake")
	in.start()
	in.dial("svc")
	first := in.child("svc")
	first.take()
	in.noBirth() // nobody waits
	in.dial("svc")
	second := in.child("svc")
	second.take()
	first.release()
	in.barrier()
	in.dial("svc")
	in.noBirth() // the first is available
	first.take()
	in.dial("svc")
	in.child("svc")
}

func limitHolds(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 3 fake")
	in.start()
	var all []*child
	for range 3 {
		in.dial("svc")
		c := in.child("svc")
		c.take()
		all = append(all, c)
	}
	in.dial("svc")
	in.noBirth()
	all[1].release()
	in.noBirth()
	all[1].exit(0)
	in.child("svc").take()
	in.dial("svc")
	in.noBirth()
}

func defaultLimit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("default_process_limit = 2")
	in.service("svc unix - - n - - fake")
	in.start()
	for range 2 {
		in.dial("svc")
		in.child("svc").take()
	}
	in.dial("svc")
	in.noBirth()
}

func noLimit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("default_process_limit = 2")
	in.service("svc unix - - n - 0 fake")
	in.start()
	for range 6 {
		in.dial("svc")
		in.child("svc").take()
	}
}

func idleExit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("service_throttle_time = 1h")
	in.service("svc unix - - n - 1 fake")
	in.start()
	for range 3 {
		conn := in.dial("svc")
		c := in.child("svc")
		c.accept()
		conn.Close()
		c.exit(0)
		in.reaped(c)
	}
	in.noBirth()
	if n := in.log.count("^(warning|error|fatal)"); n != 0 {
		t.Errorf("%d complaints about children that left with 0", n)
	}
}

// crashOf starts a service of one child, has it die without a use, and returns
// the instance while the service is throttled for crashThrottle.
func crashOf(t *testing.T, m master, die func(c *child)) (in *instance, c *child, before time.Time) {
	in = newInstance(t, m)
	in.set(fmt.Sprintf("service_throttle_time = %d", int(crashThrottle.Seconds())))
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	c = in.child("svc")
	before = time.Now()
	die(c)
	return in, c, before
}

const crashThrottle = 3 * time.Second

// afterThrottle is the next child of a service whose throttle has begun after a
// moment: nobody was born for the client that waits until the throttle was over.
func (in *instance) afterThrottle(service string, before time.Time, throttle time.Duration) *child {
	in.t.Helper()
	met := in.births
	c := in.child(service)
	in.notWithin(before, throttle)
	if g := c.generation(); g != met+1 {
		in.t.Errorf("%d children were born during the throttle", g-met-1)
	}
	return c
}

// notWithin asserts that a span has passed since a moment that lies before its
// beginning; then a machine that is slow makes it longer and never shorter. The
// stock master counts whole seconds of the clock: up to one of them is missing.
func (in *instance) notWithin(before time.Time, span time.Duration) {
	in.t.Helper()
	age := time.Since(before)
	if !in.m.ours() {
		span -= time.Second
	}
	if age < span {
		in.t.Errorf("that took %v, want %v and more", age, span)
	}
}

func crashThrottles(t *testing.T, m master) {
	in, c, before := crashOf(t, m, func(c *child) { c.exit(42) })
	program := in.path("lib", fakeCommand)
	in.log.want(t, fmt.Sprintf("warning: process %s pid %d exit status 42", program, c.PID))
	in.log.wait(t, "^warning: "+program+": bad command startup -- throttling")
	in.afterThrottle("svc", before, crashThrottle).take()
}

func signalThrottles(t *testing.T, m master) {
	in, c, before := crashOf(t, m, func(c *child) { c.raise(syscall.SIGKILL) })
	program := in.path("lib", fakeCommand)
	in.log.want(t, fmt.Sprintf("warning: process %s pid %d killed by signal 9", program, c.PID))
	in.log.wait(t, "^warning: "+program+": bad command startup -- throttling")
	in.afterThrottle("svc", before, crashThrottle).take()
}

func crashAfterUse(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("service_throttle_time = 1h")
	in.service("svc unix - - n - 1 fake")
	in.start()
	for _, die := range []func(c *child){
		func(c *child) { c.exit(3) },
		func(c *child) { c.raise(syscall.SIGKILL) },
	} {
		in.dial("svc")
		c := in.child("svc")
		c.take()
		c.release()
		in.barrier() // what it said is read before its death is seen
		die(c)
		in.log.wait(t, fmt.Sprintf("^warning: process %s pid %d (exit status 3|killed by signal 9)$", in.path("lib", fakeCommand), c.PID))
		in.reaped(c)
	}
	in.dial("svc")
	in.child("svc")
	if n := in.log.count("throttling"); n != 0 {
		t.Errorf("a used child's death throttled the service")
	}
}

func takenIsNoUse(t *testing.T, m master) {
	in, _, _ := crashOf(t, m, func(c *child) { c.take(); c.exit(1) })
	in.log.wait(t, "bad command startup -- throttling")
}

func missingProgram(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 absent")
	in.start()
	in.dial("svc")
	in.log.wait(t, "^warning: "+in.path("lib/absent")+": bad command startup -- throttling")
	in.barrier()
	in.log.wait(t, "^warning: "+in.path("lib/absent")+": bad command startup -- throttling")
}

func throttledSocketOpen(t *testing.T, m master) {
	in, _, before := crashOf(t, m, func(c *child) { c.exit(1) })
	in.log.wait(t, "bad command startup -- throttling")
	conn := in.dial("svc")
	c := in.afterThrottle("svc", before, crashThrottle)
	c.accept() // the client of the one that died
	c.accept()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != fmt.Sprintln(c.PID) {
		t.Errorf("the client that came during the throttle read %q, %v", line, err)
	}
}

// remote makes the instance listen at a port of all addresses, which is what
// makes a service one that remote clients can reach.
func remote(in *instance, limit string) (port, address string) {
	port = strconv.Itoa(ports.Free(in.t))
	in.set("inet_interfaces = all")
	in.service(port + " inet n - n - " + limit + " fake")
	return port, "127.0.0.1:" + port
}

func stressPeriod(t *testing.T, m master) {
	in := newInstance(t, m)
	port, address := remote(in, "3")
	in.start()
	in.dialAt("tcp", address)
	first := in.child(port)
	wantArgs(t, first, "-o", "stress=")
	first.take()
	in.dialAt("tcp", address)
	second := in.child(port)
	wantArgs(t, second, "-o", "stress=")
	second.take()
	// The third would be the last one allowed.
	in.dialAt("tcp", address)
	third := in.child(port)
	wantArgs(t, third, "-o", "stress=yes")
	first.toldToLeave()
	second.toldToLeave()
	first.exit(0)
	in.reaped(first)
	third.take()
	in.dialAt("tcp", address)
	wantArgs(t, in.child(port), "-o", "stress=yes")
}

// wantArgs asserts that some arguments stand somewhere in a child's vector,
// next to each other.
func wantArgs(t *testing.T, c *child, want ...string) {
	t.Helper()
	all := "\x00" + strings.Join(c.Args, "\x00") + "\x00"
	if !strings.Contains(all, "\x00"+strings.Join(want, "\x00")+"\x00") {
		t.Errorf("child %d has the arguments %q, without %q", c.PID, c.Args, want)
	}
}

func stressNotForLoopback(t *testing.T, m master) {
	in := newInstance(t, m)
	several, single := in.host+":25", in.host+":26"
	in.service(several+" inet n - n - 2 fake", single+" inet n - n - 1 fake",
		"svc unix - - n - 2 fake", "psvc pass - - n - 2 fake")
	in.start()
	in.dialAt("tcp", several)
	in.dialAt("tcp", single)
	in.dial("svc")
	for _, service := range []string{several, single, "svc"} {
		if c := in.child(service); strings.Contains(strings.Join(c.Args, " "), "stress") {
			t.Errorf("%s: arguments %q", service, c.Args)
		}
	}
	in.dial("psvc")
	wantArgs(t, in.child("psvc"), "-o", "stress=")
}

func limitWarningOnce(t *testing.T, m master) {
	in := newInstance(t, m)
	port, address := remote(in, "2")
	in.start()
	for range 2 {
		in.dialAt("tcp", address)
		in.child(port).take()
	}
	in.dialAt("tcp", address)
	in.log.want(t, fmt.Sprintf("warning: service %q (%s) has reached its process limit \"2\": new clients may experience noticeable delays", port, port))
	in.log.want(t, "warning: to avoid this condition, increase the process count in master.cf or reduce the service time per client")
	in.noBirth()
	in.dialAt("tcp", address)
	in.noBirth()
	if n := in.log.count("has reached its process limit"); n != 1 {
		t.Errorf("the warning came %d times within 1000 s", n)
	}
}
