package blackbox

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// differences are what brood means to do better than Postfix, each with both
// expectations.
var differences = []difference{
	{
		"difference/broken-master-cf-on-reload",
		"a broken master.cf on reload ends the master", "the configuration in force serves on, the log names FILE:LINE, a mended file heals",
		func(t *testing.T, m master) { spoiledReloadKills(t, m, brokenRow) },
		func(t *testing.T, m master) { spoiledReloadIsRefused(t, m, brokenRow) },
	},
	{
		"difference/address-in-use-on-reload",
		"an address that is taken ends the master on reload", "the configuration in force serves on, as above",
		func(t *testing.T, m master) { spoiledReloadKills(t, m, takenAddress) },
		func(t *testing.T, m master) { spoiledReloadIsRefused(t, m, takenAddress) },
	},
	{
		"difference/unresolvable-host-on-reload",
		"a host that cannot be resolved ends the master on reload", "the configuration in force serves on, as above",
		func(t *testing.T, m master) { spoiledReloadKills(t, m, unknownHost) },
		func(t *testing.T, m master) { spoiledReloadIsRefused(t, m, unknownHost) },
	},
	{
		"difference/no-descriptors-on-reload",
		"a reload without a descriptor for a new service ends the master", "it is refused; with descriptors the same reload succeeds",
		func(t *testing.T, m master) {
			if state := starvedReload(t, m).run.wait(); state.Success() {
				t.Errorf("the master ended with %v", state)
			}
		}, starvedReloadIsRefused,
	},
	{
		"difference/empty-master-cf-on-reload",
		"a master.cf that is empty on reload ends all services", "it is refused, and those in force serve on",
		func(t *testing.T, m master) {
			in, c := emptied(t, m)
			in.reaped(c)
		},
		func(t *testing.T, m master) {
			in, c := emptied(t, m)
			in.log.wait(t, "^error: .*master.cf.*no service is left")
			in.log.wait(t, "^error: .*reload refused")
			c.release()
			in.noBirth()
		},
	},
	{
		"difference/removed-child-ignores-term",
		"a removed service whose child ignores TERM has the master spin for ever", "the loop goes on, KILL comes after a deadline and is logged",
		func(t *testing.T, _ master) {
			t.Log("not run: the master would take a whole processor until the child is killed")
		}, removedChildIsKilled,
	},
	{
		"difference/inet-interfaces-on-reload",
		"a change of inet_interfaces waits for stop and start", "applied on reload, with the old addresses closed and the children rolled",
		interfacesAreIgnored, interfacesAreApplied,
	},
	{
		"difference/forged-status",
		"a child can report in the name of a sibling", "a report counts only for the process that the kernel says sent it",
		func(t *testing.T, m master) { forgeStatus(t, m).child("svc") }, forgedStatusIsRefused,
	},
	{
		"difference/child-shuts-listener-down",
		"a child can shut its service's socket down for good", "it is opened anew",
		func(t *testing.T, m master) {
			in := listenerShut(t, m)
			in.barrier()
			if c, err := net.Dial("unix", in.endpoint("svc")); err == nil {
				c.Close()
				t.Error("the service can be reached")
			}
		},
		func(t *testing.T, m master) {
			in := listenerShut(t, m)
			in.dial("svc")
			in.child("svc").take()
			in.log.wait(t, "^warning: .*svc.*has shut down the socket")
		},
	},
	{
		"difference/short-record-names-sender",
		"the warning about a short record takes the pid from the fragment", "it names the process that the kernel says sent it",
		func(t *testing.T, m master) {
			in, _ := fragment(t, m)
			in.log.wait(t, `^warning: service svc\(private/svc\): child \(pid 757935405\) sent partial`)
		},
		func(t *testing.T, m master) {
			in, c := fragment(t, m)
			in.log.wait(t, fmt.Sprintf(`^warning: service "svc": child \(pid %d\) sent partial`, c.PID))
		},
	},
	{
		"difference/idle-child-at-reload",
		"an idle child of the old generation counts as available until it leaves, however long that takes", "the next client gets a new child",
		func(t *testing.T, m master) { idleAtReload(t, m).noBirth() },
		func(t *testing.T, m master) { idleAtReload(t, m).child("svc").accept() },
	},
	{
		"difference/throttle-says-why",
		"the throttle line names the program only", "it names the exit status or signal, age, uses, and the next try",
		func(t *testing.T, m master) {
			wantThrottleLine(t, m, `^warning: \S+: bad command startup -- throttling$`)
		},
		func(t *testing.T, m master) {
			wantThrottleLine(t, m, `^warning: \S+: bad command startup -- throttling .*"svc".*pid \d+.*exit status 42.*age .*uses 0.*next try`)
		},
	},
	{
		"difference/throttle-repeats-last-words",
		"what a child said last is somewhere else in the log", "the throttle line repeats it",
		func(t *testing.T, m master) { crashWithLastWords(t, m, `-- throttling$`) },
		func(t *testing.T, m master) { crashWithLastWords(t, m, `-- throttling .*no lead in the pencil`) },
	},
	{
		"difference/local-limit-is-reported",
		"a local service at its limit is silent", "it warns as a remote one does",
		func(t *testing.T, m master) { localLimit(t, m, 0) },
		func(t *testing.T, m master) { localLimit(t, m, 1) },
	},
	{
		"difference/full-disk-under-log",
		"a log file that takes no line ends the master", "it goes on without a log",
		func(t *testing.T, m master) {
			if state := fullLog(t, m).run.wait(); state.Success() {
				t.Errorf("the master ended with %v", state)
			}
		},
		func(t *testing.T, m master) {
			in := fullLog(t, m)
			in.dial("svc")
			in.child("svc").exit(1) // a line that has nowhere to go
			in.child("svc").take()
			in.barrier()
		},
	},
	{
		"difference/reload-of-many-services",
		"a reload compares every service with every other", "it takes time in proportion to their number",
		func(t *testing.T, m master) { reloadMany(t, m, 300) },
		func(t *testing.T, m master) { reloadMany(t, m, 1500) },
	},
}

// A spoiler breaks the configuration of an instance, says what the log must
// name, and returns what mends it.
type spoiler func(in *instance) (names string, mend func())

// listenerShut has a child shut down the socket that it was given, and leave.
func listenerShut(t *testing.T, m master) *instance {
	in := newInstance(t, m)
	in.service("svc unix - - n - 3 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.take()
	c.release()
	c.must(order{Do: "shutdown", FD: listenFd})
	c.exit(0)
	in.reaped(c)
	return in
}

// emptied has a master read a master.cf that an editor has cut off and not yet
// written, while a child serves a client.
func emptied(t *testing.T, m master) (*instance, *child) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 3 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.take()
	in.must(os.Truncate(in.path("conf/master.cf"), 0))
	old := time.Now().Add(-time.Hour)
	in.must(os.Chtimes(in.path("conf/master.cf"), old, old))
	in.run.signal(syscall.SIGHUP)
	return in, c
}

func brokenRow(in *instance) (string, func()) {
	in.service("bad unix - - n - many fake")
	return fmt.Sprintf("%s(: line |:)%d", in.path("conf/master.cf"), len(in.rows)), func() { in.rewrite("bad ") }
}

func takenAddress(in *instance) (string, func()) {
	l, err := net.Listen("tcp", in.host+":26")
	in.must(err)
	in.service(in.host + ":26 inet n - n - 1 fake")
	return in.host + ".*26.*(?i:address already in use)", func() { l.Close() }
}

func unknownHost(in *instance) (string, func()) {
	in.service("no-such-host.invalid:26 inet n - n - 1 fake")
	return "no-such-host.invalid", func() { in.rewrite("no-such-host") }
}

func spoiled(t *testing.T, m master, spoil spoiler) (in *instance, names string, mend func()) {
	in = newInstance(t, m)
	in.service("svc unix - - n - 3 fake")
	in.start()
	names, mend = spoil(in)
	in.writeConfiguration()
	in.run.signal(syscall.SIGHUP)
	return in, names, mend
}

func spoiledReloadKills(t *testing.T, m master, spoil spoiler) {
	in, names, _ := spoiled(t, m, spoil)
	in.log.wait(t, "^fatal: .*"+names)
	if state := in.run.wait(); state.Success() {
		t.Errorf("the master ended with %v", state)
	}
}

func spoiledReloadIsRefused(t *testing.T, m master, spoil spoiler) {
	in, names, mend := spoiled(t, m, spoil)
	line := in.log.wait(t, "^error: .*"+names)
	if !strings.Contains(line.Text, fmt.Sprintf("%s:%d", in.path("conf/master.cf"), len(in.rows))) {
		t.Errorf("the line does not begin with FILE:LINE: %s", line.Text)
	}
	in.log.wait(t, "^error: .*reload refused")
	in.dial("svc")
	c := in.child("svc")
	c.take()
	mend()
	in.reload()
	c.toldToLeave()
	in.dial("svc")
	in.child("svc").take()
}

func removedChildIsKilled(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 3 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.take()
	c.must(order{Do: "ignore", N: int(syscall.SIGTERM)})
	in.rewrite("svc ")
	before := time.Now()
	in.reload()
	in.barrier() // the loop goes on
	in.log.wait(t, fmt.Sprintf(`^warning: .*"svc".*pid %d ignored SIGTERM.*killing`, c.PID))
	in.reaped(c)
	in.notWithin(before, 10*time.Second)
	in.barrier()
}

// interfaces starts an instance on 127.0.0.1 and reloads it with ::1 instead.
func interfaces(t *testing.T, m master) (in *instance, port string, old *child) {
	in = newInstance(t, m)
	port = strconv.Itoa(ports.Free(t))
	in.set("inet_protocols = all", "inet_interfaces = 127.0.0.1")
	in.service(port + " inet n - n - 3 fake")
	in.start()
	in.dialAt("tcp", "127.0.0.1:"+port)
	old = in.child(port)
	old.take()
	in.set("inet_interfaces = ::1")
	in.reload()
	in.barrier()
	return in, port, old
}

func interfacesAreIgnored(t *testing.T, m master) {
	in, port, _ := interfaces(t, m)
	if conn, err := net.Dial("tcp", "[::1]:"+port); err == nil {
		conn.Close()
		t.Errorf("the new address is listened at")
	}
	in.dialAt("tcp", "127.0.0.1:"+port)
	in.child(port).accept()
}

func interfacesAreApplied(t *testing.T, m master) {
	in, port, old := interfaces(t, m)
	old.toldToLeave()
	in.dialAt("tcp", "[::1]:"+port)
	c := in.child(port)
	c.accept()
	if got := listenerAddresses(t, c); len(got) != 1 || got[0] != "[::1]:"+port {
		t.Errorf("the new child listens at %v", got)
	}
	old.exit(0)
	in.reaped(old)
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Errorf("the old address is listened at")
	}
}

// forgeStatus has one child report that its idle sibling is taken, while a
// client waits.
func forgeStatus(t *testing.T, m master) *instance {
	in := newInstance(t, m)
	in.service("svc unix - - n - 3 fake")
	in.start()
	in.dial("svc")
	forger := in.child("svc")
	forger.take()
	in.dial("svc")
	sibling := in.child("svc")
	sibling.accept()
	in.dial("svc")
	forger.send(record(sibling.PID, sibling.generation(), statusTaken))
	return in
}

func forgedStatusIsRefused(t *testing.T, m master) {
	in := forgeStatus(t, m)
	in.log.wait(t, `^warning: .*"svc".*in the name of`)
	in.noBirth()
}

func wantThrottleLine(t *testing.T, m master, pattern string) {
	in, _, _ := crashOf(t, m, func(c *child) { c.exit(42) })
	in.log.wait(t, pattern)
}

// crashWithLastWords has a child log a fatal line, as every Postfix daemon
// does before it gives up, and die of it. The line goes to the master's own
// log, where a daemon's goes.
func crashWithLastWords(t *testing.T, m master, pattern string) {
	in := newInstance(t, m)
	in.log.close()
	in.must(os.RemoveAll(in.path("queue/public/postlog")))
	in.service("svc unix - - n - 1 fake")
	in.launch()
	in.dial("svc")
	c := in.child("svc")
	f, err := os.OpenFile(in.path("log/mail"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	in.must(err)
	defer f.Close()
	_, err = fmt.Fprintf(f, "%s host %s/fake[%d]: fatal: no lead in the pencil\n", time.Now().Format(time.Stamp), syslogName, c.PID)
	in.must(err)
	c.exit(1)
	re := regexp.MustCompile(`(?m)` + pattern)
	await.That(t, "a throttle line like "+pattern, func() bool {
		text, _ := os.ReadFile(in.path("log/mail"))
		return re.Match(text)
	})
}

func localLimit(t *testing.T, m master, warnings int) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	for range 2 {
		in.dial("svc")
		in.child("svc").take()
	}
	in.dial("svc")
	in.noBirth()
	if warnings > 0 {
		in.log.want(t, `warning: service "svc" (private/svc) has reached its process limit "2": new clients may experience noticeable delays`)
	}
	if n := in.log.count("has reached its process limit"); n != warnings {
		t.Errorf("%d warnings, not %d", n, warnings)
	}
}

func reloadMany(t *testing.T, m master, services int) {
	in := newInstance(t, m)
	for i := range services {
		in.service(fmt.Sprintf("svc%d unix - - n - 1 fake", i))
	}
	in.start()
	in.reload()
	in.barrier()
	last := fmt.Sprintf("svc%d", services-1)
	in.dial(last)
	in.child(last).take()
}

// fullLog launches a master whose log is a full disk.
func fullLog(t *testing.T, m master) *instance {
	in := newInstance(t, m)
	in.log.close()
	in.must(os.RemoveAll(in.path("queue/public/postlog")))
	in.set("maillog_file = /dev/full", "maillog_file_prefixes = /dev")
	in.service("svc unix - - n - 1 fake")
	in.launch()
	return in
}

// limitDescriptors sets the soft limit of a running master.
func (in *instance) limitDescriptors(most int) {
	in.t.Helper()
	if status, out := finish(in.t, exec.Command("prlimit", "--pid", strconv.Itoa(in.run.pid), fmt.Sprintf("--nofile=%d:", most))); status != 0 {
		in.t.Fatal(out)
	}
}

// starvedReload asks for more services than a master has descriptors for.
func starvedReload(t *testing.T, m master) *instance {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.barrier()
	open := descriptorsOf(in.run.pid)
	in.limitDescriptors(open[len(open)-1].FD + 6)
	for i := range 20 {
		in.service(fmt.Sprintf("more%d unix - - n - 1 fake", i))
	}
	in.writeConfiguration()
	in.run.signal(syscall.SIGHUP)
	return in
}

func starvedReloadIsRefused(t *testing.T, m master) {
	in := starvedReload(t, m)
	in.log.wait(t, "^error: .*(?i:too many open files)")
	in.log.wait(t, "^error: .*reload refused")
	in.dial("svc")
	in.child("svc").take()
	in.limitDescriptors(1024)
	in.reload()
	in.dial("more19")
	in.child("more19").take()
}

// idleAtReload has a child that is idle in the master's eyes stay over a reload,
// while a client waits.
func idleAtReload(t *testing.T, m master) *instance {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	old := in.child("svc")
	old.accept()
	in.reload()
	old.toldToLeave()
	in.dial("svc")
	return in
}

// fragment has a child send less than a record: dashes, which as a pid are
// 757935405.
func fragment(t *testing.T, m master) (*instance, *child) {
	in, c := reporter(t, m)
	c.send([]byte("-----"))
	return in, c
}
