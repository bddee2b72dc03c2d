package postfix

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/brood-project/brood/internal/await"
)

// The commands of postfix(1) work with nothing but the options, the pid file
// and the signals that they know.
func TestLifecycle(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		in.chroot()
		for _, sub := range []struct {
			name string
			test func(in *instance)
		}{
			{"check finds nothing", (*instance).testCheck},
			{"status, reload, stop, abort of what does not run", (*instance).testNotRunning},
			{"start", (*instance).testStart},
			{"a second start is refused", (*instance).testSecondStart},
			{"status", (*instance).testStatus},
			{"reload", (*instance).testReload},
			{"stop leaves nothing behind", (*instance).testStop},
			{"a start that fails says so", (*instance).testFailedStart},
			{"abort", (*instance).testAbort},
			{"start-fg", (*instance).testForeground},
		} {
			t.Run(sub.name, func(t *testing.T) { sub.test(in.within(t)) })
		}
	}, both()...)
}

// refused runs postfix with a command that must fail, and waits for what it
// says: postfix-script tells it to the log, which another process may write.
func (in *instance) refused(command, says string) {
	in.Helper()
	from := in.mark()
	out, err := in.try("postfix", "-c", in.conf, command)
	if err == nil {
		in.Errorf("postfix %s succeeded:\n%s", command, out)
	}
	if !strings.Contains(out, says) {
		in.await(from, regexp.QuoteMeta(says))
	}
}

func (in *instance) testCheck() {
	from := in.mark()
	if out := in.postfix("check"); out != "" || in.since(from) != "" {
		in.Errorf("postfix check says %q; the log:\n%s", out, in.since(from))
	}
}

func (in *instance) testNotRunning() {
	for _, command := range []string{"status", "reload", "stop", "abort"} {
		in.refused(command, "the Postfix mail system is not running")
	}
}

func (in *instance) testStart() {
	from := in.mark()
	pid := in.start()
	in.await(from, fmt.Sprintf(`postfix/master\[%d\]: daemon started -- version \S+, configuration %s$`, pid, in.conf))
	p, ok := readProcess(pid)
	if !ok || p.name != "master" || p.sid != pid || p.pgid != pid {
		in.Errorf("the master is %+v", p)
	}
	for _, fd := range []string{"0", "1", "2"} {
		if open := descriptors(pid)[fd]; open != "/dev/null" {
			in.Errorf("the master's descriptor %s is %s", fd, open)
		}
	}
	in.pidFiles()
	dial(in.T, address(in.smtp)).say(221, "QUIT")
	in.seen("smtpd", "qmgr", "pickup", "postlogd")
}

// pidFiles looks at what postfix-script and administrators read.
func (in *instance) pidFiles() {
	in.Helper()
	text, err := os.ReadFile(in.queue + "/pid/master.pid")
	must(in, err)
	if want := fmt.Sprintf("%*d\n", 32, in.master()); string(text) != want {
		in.Errorf("master.pid says %q, not %q", text, want)
	}
	for file, owner := range map[string]int{
		in.queue + "/pid/master.pid": 0, in.data + "/master.lock": lookup(in, "postfix"),
	} {
		info, err := os.Stat(file)
		must(in, err)
		if info.Mode().Perm() != 0o600 || ownerOf(info) != owner {
			in.Errorf("%s has mode %v and owner %d", file, info.Mode(), ownerOf(info))
		}
		f, err := os.Open(file)
		must(in, err)
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			in.Errorf("%s is not locked", file)
		}
		must(in, f.Close())
	}
}

func (in *instance) testSecondStart() {
	pid := in.master()
	in.refused("start", "the Postfix mail system is already running")
	if in.master() != pid || !alive(pid) {
		in.Error("a second start disturbed the master")
	}
	// The program refuses as well, without the script in front of it.
	if out, err := in.try(in.sbin+"/master", "-w"); err == nil {
		in.Errorf("a second master started:\n%s", out)
	}
	if in.master() != pid || !alive(pid) {
		in.Error("a second master disturbed the first")
	}
}

func (in *instance) testStatus() {
	from := in.mark()
	in.postfix("status")
	in.await(from, fmt.Sprintf(`the Postfix mail system is running: PID: +%d$`, in.master()))
	if out, err := in.try(in.sbin+"/master", "-t"); err == nil {
		in.Errorf("master -t says that nobody runs: %s", out)
	}
}

func (in *instance) testReload() {
	pid, from := in.master(), in.mark()
	old := in.children("qmgr")
	in.reload()
	in.await(from, fmt.Sprintf(`postfix/master\[%d\]: reload -- version \S+, configuration %s$`, pid, in.conf))
	await.That(in, "another qmgr", func() bool {
		now := in.children("qmgr")
		return len(now) == 1 && now[0] != old[0]
	})
}

func (in *instance) testStop() {
	session := dial(in.T, address(in.smtp)) // somebody is still being served
	pid := in.master()
	in.postfix("stop")
	in.gone(pid)
	if _, err := session.ReadLine(); err == nil {
		in.Error("somebody still answers the session")
	}
}

// gone waits until nothing of a stopped instance is left: no process below its
// directory, none in the master's session or group, nobody at the ports, and
// nobody at a socket.
func (in *instance) gone(master int) {
	in.Helper()
	await.That(in, "the instance's processes to be gone", func() bool {
		for _, p := range everyProcess() {
			if (p.sid == master || p.pgid == master) && p.state != "Z" {
				return false
			}
		}
		return len(in.processes()) == 0
	})
	if listening(address(in.smtp)) {
		in.Error("somebody listens at the port")
	}
	sockets := append(glob(in.T, in.queue+"/private/*"), glob(in.T, in.queue+"/public/*")...)
	for _, socket := range sockets {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			in.Errorf("somebody listens at %s", socket)
		}
	}
}

func (in *instance) testFailedStart() {
	rival, err := net.Listen("tcp", address(in.smtp))
	must(in, err)
	from := in.mark()
	in.refused("start", "mail system startup failed")
	in.await(from, fmt.Sprintf(`fatal: bind 127\.0\.0\.1 port %d: Address already in use`, in.smtp))
	must(in, rival.Close())
	await.That(in, "the instance's processes to be gone", func() bool { return len(in.processes()) == 0 })
}

func (in *instance) testAbort() {
	pid := in.start()
	dial(in.T, address(in.smtp)).say(221, "QUIT")
	in.postfix("abort")
	in.gone(pid)
}

func (in *instance) testForeground() {
	cmd := in.command(context.Background(), "postfix", "-c", in.conf, "start-fg")
	from := in.mark()
	must(in, cmd.Start())
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	in.await(from, `postfix/master\[\d+\]: daemon started`)
	dial(in.T, address(in.smtp)).say(221, "QUIT")
	select {
	case err := <-over:
		in.Fatalf("start-fg left the foreground: %v", err)
	default:
	}
	pid := in.master()
	must(in, syscall.Kill(pid, syscall.SIGTERM))
	err := <-over
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() != 128+int(syscall.SIGTERM) {
		in.Errorf("start-fg ends with %v", err)
	}
	in.gone(pid)
}
