package blackbox

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// running is a started master.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	// pid is the master's; it differs from the started process when a wrapper
	// or -w stands in front.
	pid int
	// detached masters outlive the process that was started.
	detached bool
}

func startRunning(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{t: t, cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait()
		close(r.done)
	}()
	return r
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(r.pid, s); err != nil {
		r.t.Fatalf("cannot send %v to the master: %v", s, err)
	}
}

// wait returns how the master ended.
func (r *running) wait() *os.ProcessState {
	r.t.Helper()
	select {
	case <-r.done:
		return r.cmd.ProcessState
	case <-time.After(await.Patience):
		r.t.Fatalf("the master did not end within %v", await.Patience)
		return nil
	}
}

// kill ends the master and all its children, whatever state they are in. The
// children are those of the books of the kernel, never of a name.
func (r *running) kill() {
	if r.alive() || r.detached {
		children := childrenOf(r.pid)
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if r.cmd.Process.Pid != r.pid {
			_ = r.cmd.Process.Kill()
		}
		<-r.done
	}
}

// alive tells whether the master still runs.
func (r *running) alive() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// describe is for the report of a failed row.
func (r *running) describe() string {
	switch {
	case r == nil:
		return "no master was started"
	case r.alive():
		return fmt.Sprintf("the master runs, with the children %v", r.children())
	default:
		return "the master ended: " + r.cmd.ProcessState.String()
	}
}

// children are the pids of the master's children, oldest first.
func (r *running) children() []int { return childrenOf(r.pid) }

func childrenOf(pid int) []int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	var all []int
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, field := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(field); err == nil {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return all
}

// statusField reads one field of /proc/PID/status.
func statusField(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("no %s in /proc/%d/status", name, pid)
	return ""
}

// processGroup and session are fields 5 and 6 of /proc/PID/stat.
func groupAndSession(t *testing.T, pid int) (group, session int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	group, _ = strconv.Atoi(fields[2])
	session, _ = strconv.Atoi(fields[3])
	return group, session
}

// environmentOf is the environment that a process was born with.
func environmentOf(t *testing.T, pid int) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// exists tells whether a process is still in the kernel's table; a child that
// died and was not reaped is.
func exists(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}
