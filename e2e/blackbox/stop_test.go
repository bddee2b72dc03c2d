package blackbox

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

var stopRows = []row{
	{"stop/term", "TERM: logged, handed to the process group, and the master is gone", func(t *testing.T, m master) { stopBy(t, m, syscall.SIGTERM) }},
	{"stop/int", "INT is as TERM", func(t *testing.T, m master) { stopBy(t, m, syscall.SIGINT) }},
	{"stop/quit", "QUIT is as TERM", func(t *testing.T, m master) { stopBy(t, m, syscall.SIGQUIT) }},
	{"stop/spares-the-group-of-others", "TERM of a master in a process group of others, as with -i, ends nobody but its children", stopSparesOthers},
	{"stop/child-ignores-term", "a child that ignores TERM keeps nobody from stopping, and sees end-of-file on 5", stopStubborn},
	{"stop/kill", "KILL of the master alone: children see end-of-file on 5, finish in peace, and a report fails with EPIPE", stopKill},
	{"stop/locks-are-free-again", "after a stop the next master starts, on the same endpoints", stopAndStart},
	{"stop/exit-time", "-e N: the master ends after N seconds with 0, its children live on", stopExitTime},
}

func stopBy(t *testing.T, m master, signal syscall.Signal) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	taken := in.child("svc")
	taken.take()
	in.dial("svc")
	idle := in.child("svc")
	in.run.signal(signal)
	line := in.log.want(t, fmt.Sprintf("info: terminating on signal %d", signal))
	if line.PID != fmt.Sprint(in.run.pid) {
		t.Errorf("%s logged it, not the master %d", line.PID, in.run.pid)
	}
	state := in.run.wait()
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
		t.Errorf("the master ended with %v, not of the signal", state)
	}
	for _, c := range []*child{taken, idle} {
		await.That(t, "the children are gone with the master", func() bool { return gone(c.PID) })
	}
}

// stopSparesOthers starts a master in a pid namespace of its own and in the
// process group of a bystander. Ours may be in such a group without -i as well,
// where Postfix's does not find its children.
func stopSparesOthers(t *testing.T, m master) {
	bystander := exec.Command("sleep", "100")
	bystander.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bystander.Process.Kill()
		_ = bystander.Wait()
	})
	stop := func(options ...string) {
		in := newInstance(t, m)
		in.attr = syscall.SysProcAttr{Setpgid: true, Pgid: bystander.Process.Pid}
		in.service("svc unix - - n - 2 fake")
		if options[0] == "-i" {
			in.wrap = []string{"unshare", "--fork", "--pid", "--mount-proc"}
		}
		in.start(options...)
		if options[0] == "-i" {
			in.run.pid = childrenOf(in.run.pid)[0]
		}
		in.dial("svc")
		in.child("svc").take()
		before := in.run.children()
		in.run.signal(syscall.SIGTERM)
		in.run.wait()
		for _, pid := range before {
			await.That(t, "the children are gone with the master", func() bool { return gone(pid) })
		}
		if gone(bystander.Process.Pid) {
			t.Fatalf("%s: the bystander got the signal", options)
		}
	}
	stop("-i")
	if m.ours() {
		stop("-d")
	}
}

// gone tells whether a process has ended, whoever may have to bury it.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ") || strings.Contains(string(text), ") X ")
}

func stopStubborn(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.take()
	c.must(order{Do: "ignore", N: int(syscall.SIGTERM)})
	in.barrier() // an unread report would turn the end-of-file into a reset
	in.run.signal(syscall.SIGTERM)
	in.run.wait()
	c.toldToLeave()
}

func stopKill(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake", "other unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	in.dial("other")
	taken, idle := in.child("svc"), in.child("other")
	taken.take()
	in.barrier()
	in.run.signal(syscall.SIGKILL)
	in.run.wait()
	for _, c := range []*child{taken, idle} {
		c.toldToLeave()
		if a := c.do(order{Do: "write", FD: statusFd, Data: record(c.PID, c.generation(), statusAvailable)}); !strings.Contains(a.Err, "broken pipe") {
			t.Errorf("a report to a dead master was answered with %q", a.Err)
		}
	}
}

func stopAndStart(t *testing.T, m master) {
	in := newInstance(t, m)
	address := in.host + ":25"
	in.service("svc unix - - n - 2 fake", address+" inet n - n - 2 fake", "ff fifo n - n - 2 fake")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		in.start()
		conn := in.dialAt("tcp", address)
		c := in.child(address)
		c.take()
		in.run.signal(signal)
		in.run.wait()
		if signal == syscall.SIGKILL {
			c.exit(0)
		}
		// TCP ports are shared with whoever still holds the old socket, so the
		// next client could stand in a queue that dies with the old child.
		await.That(t, "the child leaves", func() bool { return gone(c.PID) })
		conn.Close()
	}
}

func stopExitTime(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	cmd := in.command("-e", "6") // long enough for a client to be taken
	before := time.Now()
	run := startRunning(t, cmd)
	in.run = run
	in.log.wait(t, `^info: daemon started`)
	in.dial("svc")
	c := in.child("svc")
	c.take()
	in.log.want(t, "info: master exit time has arrived")
	if state := run.wait(); state.ExitCode() != 0 {
		t.Errorf("the master ended with %v", state)
	}
	in.notWithin(before, 6*time.Second)
	c.must(order{Do: "hangup"})
	c.toldToLeave()
	if status, _ := in.runToEnd("-e", "0"); status != 0 {
		t.Errorf("with no time at all: exit status %d", status)
	}
}
