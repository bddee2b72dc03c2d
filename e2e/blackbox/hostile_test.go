package blackbox

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

var hostileRows = []row{
	{"hostile/flood-of-records", "a child that reports without end: the books end as it said last, and others are served", hostileFlood},
	{"hostile/flood-of-rubbish", "a child that sends rubbish without end harms nobody, and is understood when it stops", hostileRubbish},
	{"hostile/half-written-record", "a record in two halves is two warnings and no report", hostileHalves},
	{"hostile/closes-status-channel", "a child that closes 5 is served, reaped and replaced as any other", hostileCloses},
	{"hostile/stops-itself", "a child that stops itself holds up its own service only, and goes on where it stood", hostileStops},
	{"hostile/orphans", "orphans that hold all that the child held are no children: the service goes on", hostileOrphans},
	{"hostile/exhausts-descriptors", "a child that exhausts its descriptors exhausts only its own", hostileDescriptors},
	{"hostile/dies-before-exec-is-seen", "a program that ends at once, again and again, throttles each time and is reaped each time", hostileFlash},
	{"hostile/stalled-program", "a program that does not load, as on a dying disk, holds up its own service only", hostileStalled},
	{"hostile/fork-fails", "no process to be had: the service is throttled, and served when there is one", hostileFork},
	{"hostile/no-thread-left", "no process or thread to be had: wake-ups and reloads go on", hostileThread},
	{"hostile/no-descriptors-left", "no descriptor to be had: nobody is lost, and all goes on when there are some", hostileMasterDescriptors},
	{"hostile/full-disk-under-lock-file", "a lock file that cannot be written is a fatal line; with space the master starts", hostileFullDisk},
	{"hostile/no-syslog", "without any syslogd the master works", hostileNoSyslog},
	{"hostile/missing-directories", "each directory that is missing or belongs to the wrong user is a fatal line that says so; mended, the master starts", hostileDirectories},
	{"hostile/endpoint-is-a-directory", "an endpoint's place that cannot be had is a fatal line; once free, the master starts", hostileEndpoint},
}

func hostileFlood(t *testing.T, m master) {
	in, c := reporter(t, m)
	both := slices.Concat(record(c.PID, c.generation(), statusTaken), record(c.PID, c.generation(), statusAvailable))
	c.must(order{Do: "flood", FD: statusFd, Data: both, N: 20_000})
	in.barrier()
	in.dial("svc")
	in.births = in.barrier()
	// Whether a second child was born during the flood is a matter of time; now
	// the first one is available, so no third one is.
	in.dial("svc")
	in.noBirth()
	c.exit(1) // it has uses, so this throttles nothing
	in.log.wait(t, fmt.Sprintf("pid %d exit status 1$", c.PID))
	if n := in.log.count("throttling"); n != 0 {
		t.Errorf("20,000 uses were not counted")
	}
}

func hostileRubbish(t *testing.T, m master) {
	in, c := reporter(t, m)
	c.must(order{Do: "flood", FD: statusFd, Data: []byte("rubbish"), N: 2_000})
	in.barrier()
	in.barrier()
	c.report(statusTaken)
	in.dial("svc")
	in.child("svc").take()
}

func hostileHalves(t *testing.T, m master) {
	in, c := reporter(t, m)
	whole := record(c.PID, c.generation(), statusTaken)
	for _, half := range [][]byte{whole[:6], whole[6:]} {
		c.send(half)
		in.log.wait(t, `^warning: service .*svc.*child \(pid \d+\) sent partial.* \(?6 bytes`)
	}
	in.dial("svc")
	in.noBirth() // it was never taken
	c.report(statusTaken)
	in.child("svc")
}

func hostileCloses(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.accept()
	c.must(order{Do: "close", FD: statusFd})
	in.dial("svc")
	in.noBirth()
	c.exit(0)
	c = in.child("svc")
	c.take()
	c.release()
	in.noBirth()
}

func hostileStops(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.last(order{Do: "raise", N: int(syscall.SIGSTOP)})
	await.That(t, "the child stops", func() bool { return strings.HasPrefix(statusField(t, c.PID, "State"), "T") })
	in.dial("svc")
	in.noBirth() // it is alive and available, as far as anybody can know
	in.must(syscall.Kill(c.PID, syscall.SIGCONT))
	var stopped answer
	if err := c.in.Decode(&stopped); err != nil {
		t.Fatal(err)
	}
	c.take()
	in.child("svc").take()
}

func hostileOrphans(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.take()
	list := in.path("log/orphans")
	c.must(order{Do: "orphans", N: 3, Data: []byte(list)})
	t.Cleanup(func() {
		text, _ := os.ReadFile(list)
		for _, field := range fieldsOf(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	in.dial("svc")
	c.exit(0)
	next := in.child("svc")
	next.take()
	next.release()
	in.noBirth()
}

func hostileDescriptors(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake", "other unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	if a := c.must(order{Do: "exhaust-descriptors"}); a.N == 0 {
		t.Errorf("it had no descriptor to begin with")
	}
	in.dial("other")
	in.child("other").take()
	c.exit(0)
	in.child("svc").take()
}

func hostileFlash(t *testing.T, m master) {
	in := newInstance(t, m)
	in.must(os.Symlink("/bin/false", in.path("lib/false")))
	in.service("svc unix - - n - 1 false", "done unix - - n - 1 true")
	in.must(os.Symlink("/bin/true", in.path("lib/true")))
	in.start()
	in.dial("svc")
	for range 3 {
		in.log.wait(t, "lib/false pid [0-9]+ exit status 1$")
		in.log.wait(t, "lib/false: bad command startup -- throttling")
	}
	// One that leaves with 0 before it took its client is born anew at once,
	// over and over, and still lets the others live.
	in.dial("done")
	for range 3 {
		in.dial(canary)
		in.child(canary).take()
	}
	if n := in.log.count("lib/true"); n != 0 {
		t.Errorf("%d lines about a child that left with 0", n)
	}
}

// stallProgram has the kernel ask before it executes a file, and nobody answer
// until the function that it returns is called; begun waits for the first to ask.
func stallProgram(t *testing.T, path string) (begun, release func()) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "fanotify")
	release = func() { _ = f.Close() }
	t.Cleanup(release)
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, path); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		await.That(t, "the program is to be loaded", func() bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n > 0
		})
	}, release
}

func hostileStalled(t *testing.T, m master) {
	in := newInstance(t, m)
	program, err := os.ReadFile("/bin/true")
	in.must(err)
	in.must(os.WriteFile(in.path("lib/slow"), program, 0o755))
	in.service("svc unix - - n - 2 fake", "slow unix - - n - 4 slow")
	in.start()
	begun, release := stallProgram(t, in.path("lib/slow"))
	in.dial("slow")
	begun()
	in.dial("svc")
	in.child("svc").take()
	name := in.endpoint("slow")
	if m.ours() { // Postfix would spin until the removed service's child is gone
		in.rewrite("slow ")
	}
	in.reload()
	if _, err := os.Lstat(name); m.ours() && err == nil {
		t.Errorf("the service is gone and clients still find it")
	}
	in.barrier()
	release()
	in.dial("svc")
	in.child("svc").take()
	in.barrier()
}

// processLimit puts a master into a control group of its own and returns what
// sets the most tasks in it; 0 is what it has now.
func processLimit(t *testing.T, pid int) func(most string) {
	t.Helper()
	group := fmt.Sprintf("/sys/fs/cgroup/pids/blackbox-%d", pid)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
		group = fmt.Sprintf("/sys/fs/cgroup/blackbox-%d", pid)
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatalf("cannot make a control group that limits processes: %v", err)
	}
	set := func(file, value string) {
		t.Helper()
		if err := os.WriteFile(group+"/"+file, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	set("cgroup.procs", strconv.Itoa(pid))
	t.Cleanup(func() {
		await.That(t, "the control group is empty", func() bool { return os.Remove(group) == nil })
	})
	return func(most string) {
		t.Helper()
		if most == "now" {
			now, err := os.ReadFile(group + "/pids.current")
			if err != nil {
				t.Fatal(err)
			}
			most = strings.TrimSpace(string(now))
		}
		set("pids.max", most)
	}
}

func hostileFork(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.barrier() // a first birth has every thread that births need
	limit := processLimit(t, in.run.pid)
	// Rows clean up last in, first out: the group can go once the master has.
	t.Cleanup(func() { in.nest.close(); in.run.kill() })
	limit("now")
	in.dial("svc")
	in.log.wait(t, `^warning: .*(Resource temporarily unavailable|resource temporarily unavailable)`)
	limit("max")
	in.child("svc").take()
}

func hostileThread(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("tick fifo n - n 1 1 fake")
	in.start()
	in.child("tick")
	in.barrier()
	limit := processLimit(t, in.run.pid)
	t.Cleanup(func() { in.nest.close(); in.run.kill() })
	limit("1") // below what it has: a thread that ends is not replaced either
	for range 20 {
		before := in.log.count("^info: reload")
		await.That(t, "a reload", func() bool {
			in.run.signal(syscall.SIGHUP) // Postfix forgets one that comes during a reload
			return in.log.count("^info: reload") > before
		})
	}
	limit("max")
	in.barrier()
}

func hostileMasterDescriptors(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.barrier()
	open := descriptorsOf(in.run.pid)
	in.limitDescriptors(open[len(open)-1].FD + 1)
	in.dial("svc")
	in.dial(canary)
	in.limitDescriptors(1024)
	in.child("svc").take()
	last := in.child(canary)
	last.take()
	last.heard()
	in.reload()
	in.barrier()
}

func hostileFullDisk(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	full := in.path("full")
	in.must(os.Mkdir(full, 0o755))
	inner := in.wrap
	in.wrap = slices.Concat([]string{
		"unshare", "--mount", "sh", "-c",
		`mount -t tmpfs -o size=4k none "$0" && head -c 4096 /dev/zero >"$0/filler" && exec "$@"`, in.path("queue/pid"),
	}, inner)
	if status, _ := in.runToEnd(); status == 0 {
		t.Errorf("exit status 0")
	}
	if line := in.log.wait(t, "^fatal: "); !strings.Contains(line.Text, "master.pid") || !strings.Contains(strings.ToLower(line.Text), "no space left on device") {
		t.Errorf("the line does not say what is wrong: %s", line.Text)
	}
	in.wrap = inner
	in.start()
}

func hostileNoSyslog(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("maillog_file =")
	in.ownSyslog()
	in.must(os.Remove(in.path("log/syslog")))
	in.service("svc unix - - n - 1 fake")
	in.launch()
	in.dial("svc")
	in.child("svc").exit(1)
	in.child("svc").take()
	// A syslogd that comes later is found.
	in.log.listen(t, in.path("log/syslog"))
	in.writeConfiguration()
	in.run.signal(syscall.SIGHUP)
	in.log.wait(t, "^info: reload")
}

func hostileDirectories(t *testing.T, m master) {
	owner := ownerID(t)
	for _, broken := range []struct {
		name, dir, says string
		spoil           func(path string) error
		mend            func(path string) error
	}{
		{"no queue directory", "queue", "no such file", away, back},
		{"no pid directory", "queue/pid", "no such file", away, back},
		{"no data directory", "data", "no such file", away, back},
		{"data directory of root", "data", "permission denied", func(p string) error { return os.Chown(p, 0, -1) }, func(p string) error { return os.Chown(p, owner, -1) }},
		{"no private directory", "queue/private", "no such file", away, back},
		{"private directory of root", "queue/private", "permission denied", func(p string) error { return os.Chown(p, 0, -1) }, func(p string) error { return os.Chown(p, owner, -1) }},
		{"no configuration directory", "conf", "no such file", away, back},
	} {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.ownSyslog()
			cmd := in.command()
			in.must(broken.spoil(in.path(broken.dir)))
			if status, _ := finish(t, cmd); status == 0 {
				t.Errorf("exit status 0")
			}
			line := in.log.wait(t, "^fatal: ")
			if !strings.Contains(strings.ToLower(line.Text), broken.says) || !strings.Contains(line.Text, strings.TrimPrefix(broken.dir, "queue/")) {
				t.Errorf("the line does not say what is wrong: %s", line.Text)
			}
			in.must(broken.mend(in.path(broken.dir)))
			in.start()
			in.barrier()
		})
	}
}

func away(path string) error { return os.Rename(path, path+".away") }
func back(path string) error { return os.Rename(path+".away", path) }

func hostileEndpoint(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.service("svc unix - - n - 1 fake")
	in.must(os.Mkdir(in.path("queue/private/svc"), 0o755))
	if status, _ := in.runToEnd(); status == 0 {
		t.Errorf("exit status 0")
	}
	if line := in.log.wait(t, "^fatal: "); !strings.Contains(line.Text, "private/svc") {
		t.Errorf("the line does not name the endpoint: %s", line.Text)
	}
	in.must(os.Remove(in.path("queue/private/svc")))
	in.start()
	in.barrier()
}
