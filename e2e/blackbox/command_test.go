package blackbox

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

var commandRows = []row{
	{"command/test-mode", "-t: 0 while no master holds the lock, 1 while one does", commandTest},
	{"command/wait-for-success", "-w: exit 0 once the daemon, another process, is initialised", commandWait},
	{"command/wait-for-failure", "-w: non-zero and a fatal line when the daemon fails", commandWaitFailure},
	{"command/no-detach", "-d: 0, 1 and 2 are kept, for the children too", commandNoDetach},
	{"command/keep-stdout", "-s: 1 is kept, 0 and 2 are /dev/null", commandKeepStdout},
	{"command/detached-from-terminal", "without -d the master leads a session of its own, and its 0, 1, 2 are /dev/null", commandSession},
	{"command/init-mode", "-i as pid 1: keeps stdout, leads no session, reaps strangers silently", commandInit},
	{"command/debugger", "-D runs debugger_command on the master", commandDebugger},
	{"command/mail-config", "without -c, MAIL_CONFIG says where the configuration is", commandMailConfig},
	{"command/usage", "unknown options, missing values, other arguments and wrong pairs are errors with status 1", commandUsage},
	{"command/superuser-only", "anybody but root is refused", commandRootOnly},
	{"command/lock-files", "pid/master.pid and master.lock: contents, mode, owner, held for life", commandLocks},
	{"command/second-master", "a second master is refused", commandSecond},
	{"command/stale-lock-files", "lock files that nobody holds are taken over", commandStale},
	{"command/held-data-lock", "master.lock held by somebody else: refused", commandHeldDataLock},
}

func commandTest(t *testing.T, m master) {
	in := newInstance(t, m)
	if status, _ := in.runToEnd("-t"); status != 0 {
		t.Errorf("before any master: exit status %d", status)
	}
	in.start()
	if status, _ := in.runToEnd("-t"); status != 1 {
		t.Errorf("beside a master: exit status %d", status)
	}
	in.run.signal(syscall.SIGTERM)
	in.run.wait()
	if status, _ := in.runToEnd("-t"); status != 0 {
		t.Errorf("after the master: exit status %d", status)
	}
	in.must(os.RemoveAll(in.path("queue/pid/master.pid")))
	if status, _ := in.runToEnd("-t"); status != 0 {
		t.Errorf("without a lock file: exit status %d", status)
	}
}

// pidFile is the pid in the master's lock file.
func (in *instance) pidFile() int {
	in.t.Helper()
	text, err := os.ReadFile(in.path("queue/pid/master.pid"))
	in.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	in.must(err)
	return pid
}

// adopt makes the daemon that -w left behind the instance's running master.
func (in *instance) adopt(foreground *exec.Cmd) {
	in.t.Helper()
	done := make(chan struct{})
	close(done)
	in.run = &running{t: in.t, cmd: foreground, done: done, pid: in.pidFile(), detached: true}
}

func commandWait(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	cmd := in.command("-w", "-e", "300")
	status, output := finish(t, cmd)
	if status != 0 || output != "" {
		t.Fatalf("exit status %d, output %q", status, output)
	}
	in.adopt(cmd)
	if in.run.pid == cmd.Process.Pid || !exists(in.run.pid) {
		t.Errorf("the daemon is %d, the foreground was %d", in.run.pid, cmd.Process.Pid)
	}
	in.dial("svc") // at once: the endpoints are there
	in.child("svc").accept()
}

func commandWaitFailure(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.service("svc unix - - n")
	status, _ := in.runToEnd("-w")
	if status == 0 {
		t.Errorf("exit status 0 for a broken master.cf")
	}
	in.log.want(t, fmt.Sprintf("fatal: %s: line 2: missing \"wakeup_time\" field", in.path("conf/master.cf")))
	in.log.want(t, "fatal: daemon initialization failure -- see logs for details")
}

// withPipes starts a master whose 0, 1 and 2 are files that are told apart.
func withPipes(t *testing.T, in *instance, options ...string) {
	t.Helper()
	cmd := in.command(append(options, "-e", "300")...)
	for i, name := range []string{"in", "out", "err"} {
		f, err := os.OpenFile(in.path("log", name), os.O_CREATE|os.O_RDWR, 0o600)
		in.must(err)
		defer f.Close()
		switch i {
		case 0:
			cmd.Stdin = f
		case 1:
			cmd.Stdout = f
		default:
			cmd.Stderr = f
		}
	}
	in.run = startRunning(t, cmd)
	in.log.wait(t, `^info: daemon started`)
}

func (in *instance) wantStandard(list []descriptor, want ...string) {
	in.t.Helper()
	for fd, name := range want {
		if name != os.DevNull {
			name = in.path("log", name)
		}
		if d := at(in.t, list, fd); d.Link != name {
			in.t.Errorf("descriptor %d is %s, not %s", fd, d.Link, name)
		}
	}
}

func commandNoDetach(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	withPipes(t, in, "-d")
	in.dial("svc")
	in.wantStandard(in.child("svc").Descriptors, "in", "out", "err")
	in.wantStandard(descriptorsOf(in.run.pid), "in", "out", "err")
}

func commandKeepStdout(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	withPipes(t, in, "-s")
	in.dial("svc")
	in.wantStandard(in.child("svc").Descriptors, os.DevNull, "out", os.DevNull)
	in.wantStandard(descriptorsOf(in.run.pid), os.DevNull, "out", os.DevNull)
}

func commandSession(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	withPipes(t, in)
	in.dial("svc")
	in.wantStandard(in.child("svc").Descriptors, os.DevNull, os.DevNull, os.DevNull)
	in.wantStandard(descriptorsOf(in.run.pid), os.DevNull, os.DevNull, os.DevNull)
	if group, session := groupAndSession(t, in.run.pid); group != in.run.pid || session != in.run.pid {
		t.Errorf("the master %d has group %d and session %d", in.run.pid, group, session)
	}
}

func commandInit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.wrap = []string{"unshare", "--fork", "--pid", "--kill-child"}
	cmd := in.command("-i", "-e", "300")
	out, err := os.Create(in.path("log/out"))
	in.must(err)
	defer out.Close()
	cmd.Stdout = out
	in.run = startRunning(t, cmd)
	in.log.wait(t, `^info: daemon started`)
	in.run.pid = childrenOf(cmd.Process.Pid)[0]
	in.dial("svc")
	c := in.child("svc")
	in.wantStandard(c.Descriptors, os.DevNull, "out", os.DevNull)
	if _, session := groupAndSession(t, in.run.pid); session == in.run.pid {
		t.Errorf("the master leads a session")
	}
	c.take()
	strangers := in.path("log/strangers")
	c.must(order{Do: "orphans", N: 1, Data: []byte(strangers)})
	// In its namespace the child is not known by the pid that /proc has here.
	before := in.run.children()
	c.exit(0)
	await.That(t, "the stranger becomes the master's child, the other is reaped", func() bool {
		now := in.run.children()
		return len(now) == 1 && !slices.Contains(before, now[0])
	})
	stranger := in.run.children()[0]
	in.must(syscall.Kill(stranger, syscall.SIGKILL))
	await.That(t, "the master reaps the stranger", func() bool { return !exists(stranger) })
	in.dial(canary)
	in.child(canary).exit(0)
	if n := in.log.count("^(warning|error|fatal|panic)"); n != 0 {
		t.Errorf("%d complaints", n)
	}
}

func commandDebugger(t *testing.T, m master) {
	in := newInstance(t, m)
	proof := in.path("log/debugger")
	in.set("debugger_command = echo $process_name $process_id >" + proof)
	in.start("-D")
	want := fmt.Sprintf("master %d\n", in.run.pid)
	await.That(t, "the debugger's proof", func() bool {
		text, _ := os.ReadFile(proof)
		return string(text) == want
	})
	for range 2 {
		in.barrier() // it is reaped, and so are those that die after it
	}
}

func commandMailConfig(t *testing.T, m master) {
	in := newInstance(t, m)
	in.bare = true
	in.env = []string{"MAIL_CONFIG=" + in.path("conf")}
	in.service(rawService)
	in.start()
	if got := environmentMap(environmentOf(t, in.raw()))["MAIL_CONFIG"]; got != in.path("conf") {
		t.Errorf("a child has MAIL_CONFIG=%q", got)
	}
}

func commandUsage(t *testing.T, m master) {
	usage := `^fatal: .*usage: \S*master \[-c config_dir\] .*\[-t \(test\)\]`
	for _, wrong := range []struct{ options, line string }{
		{"-x", usage},
		{"-e", usage},
		{"argument", usage},
		{"-v argument", usage},
		{"-t -w", "^fatal: the -t and -w options cannot be used together$"},
		{"-tw", "^fatal: the -t and -w options cannot be used together$"},
		{"-i", "^fatal: -i is allowed only for PID 1 process$"},
	} {
		t.Run(wrong.options, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.ownSyslog()
			if status, _ := in.runToEnd(fieldsOf(wrong.options)...); status != 1 {
				t.Errorf("exit status %d", status)
			}
			in.log.wait(t, wrong.line)
		})
	}
	t.Run("-c with nothing", func(t *testing.T) {
		t.Parallel()
		in := newInstance(t, m)
		in.ownSyslog()
		if status, _ := in.runToEnd("-t", "-c", ""); status != 1 {
			t.Errorf("exit status %d", status)
		}
		in.log.wait(t, "^fatal: ")
	})
	for _, options := range []string{"-i -d", "-i -D", "-i -w", "-iw"} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.ownSyslog()
			in.wrap = slices.Concat([]string{"unshare", "--fork", "--pid", "--kill-child"}, in.wrap)
			if status, _ := in.runToEnd(fieldsOf(options)...); status != 1 {
				t.Errorf("exit status %d", status)
			}
			in.log.want(t, "fatal: the -i option cannot be used with -D, -d, or -w")
		})
	}
}

func commandRootOnly(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.wrap = append(in.wrap, "setpriv", "--reuid", mailOwner, "--clear-groups", "--")
	if status, _ := in.runToEnd(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	in.log.want(t, "fatal: the master command is reserved for the superuser")
}

func commandLocks(t *testing.T, m master) {
	in := newInstance(t, m)
	in.start()
	for file, state := range map[string]string{"queue/pid/master.pid": "-rw------- 0", "data/master.lock": "-rw------- " + mailOwner} {
		path := in.path(file)
		wantFile(t, path, state)
		text, err := os.ReadFile(path)
		in.must(err)
		if want := fmt.Sprintf("%32s\n", fmt.Sprint(in.run.pid)); len(text) != 33 || !strings.HasSuffix(want, strings.TrimLeft(string(text), " ")) {
			t.Errorf("%s holds %q, not %q", file, text, want)
		}
		f, err := os.Open(path)
		in.must(err)
		defer f.Close()
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			t.Errorf("%s is not locked", file)
		}
	}
	// A child must not hold the locks beyond the master's life.
	in.dial(canary)
	c := in.child(canary)
	for _, d := range c.Descriptors {
		if strings.Contains(d.Link, "master.") {
			t.Errorf("a child holds %+v", d)
		}
	}
}

const lockRefused = "fatal: open lock file %s: unable to set exclusive lock: Resource temporarily unavailable"

func commandSecond(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.service("svc unix - - n - 1 fake")
	in.start()
	file := inode(t, in.endpoint("svc"))
	if status, _ := in.runToEnd(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	in.log.want(t, fmt.Sprintf(lockRefused, "pid/master.pid"))
	if inode(t, in.endpoint("svc")) != file {
		t.Errorf("the second master replaced an endpoint of the first")
	}
	in.dial("svc")
	in.child("svc").accept()
}

func commandStale(t *testing.T, m master) {
	in := newInstance(t, m)
	for _, file := range []string{"queue/pid/master.pid", "data/master.lock"} {
		in.must(os.WriteFile(in.path(file), fmt.Appendf(nil, "%32d\nmore than a pid\n", os.Getpid()), 0o600))
	}
	in.must(os.Chown(in.path("data/master.lock"), ownerID(t), -1))
	in.start()
	text, err := os.ReadFile(in.path("queue/pid/master.pid"))
	in.must(err)
	if want := fmt.Sprintf("%32d\n", in.run.pid); !strings.HasPrefix(string(text), want) {
		t.Errorf("master.pid holds %q, not %q", text, want)
	}
}

func commandHeldDataLock(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	path := in.path("data/master.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	in.must(err)
	defer f.Close()
	in.must(os.Chown(path, ownerID(t), -1))
	in.must(unix.Flock(int(f.Fd()), unix.LOCK_EX))
	if status, _ := in.runToEnd(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	in.log.want(t, fmt.Sprintf(lockRefused, path))
}
