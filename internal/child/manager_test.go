package child

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// must ends a role of the test binary on an error; the test shows the line.
func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func pass(text string) {
	fmt.Println(text)
	os.Exit(0)
}

// limits is a manager that shows which limits its child has, once with the
// limit of descriptors as Go has raised it, and once as it sets it itself.
func limits() {
	show := func() {
		pid, err := Start(&Spec{Path: "/bin/cat", Args: []string{"cat", "/proc/self/limits"}, Files: []int{0, 1, 2}})
		must(err)
		_, err = Wait(pid)
		must(err)
	}
	show()
	var l syscall.Rlimit
	must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l))
	l.Cur = l.Max - 2
	must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l))
	show()
}

func TestNofileRestored(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := output(t, func(fd int) *Spec {
		s := program(t, fd, "/bin/sh", "-c", `ulimit -Sn 700; ulimit -Hn 1800; exec "$0"`, exe)
		s.Env = []string{roleEnv + "=limits", "GORACE=atexit_sleep_ms=0"}
		return s
	})
	var got []string
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			got = append(got, strings.Join(strings.Fields(rest), " "))
		}
	}
	want := []string{"700 1800 files", "1798 1800 files"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("limits of descriptors %q, want %q", got, want)
	}
}

// crowded is a manager whose user may have no more processes, and no more
// threads.
func crowded() {
	const tries = 100
	must(Reserve())
	must(syscall.Setgroups(nil))
	must(syscall.Setresgid(54321, 54321, 54321))
	must(syscall.Setresuid(54321, 54321, 54321))
	must(unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 1, Max: 1000}))
	for range tries {
		var e *StartError
		if _, err := Begin(&Spec{Path: "/bin/true"}); !errors.As(err, &e) || e.Step != "clone" || e.Err != unix.EAGAIN {
			pass(fmt.Sprint("failed: answer ", err))
		}
	}
	must(unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 1000, Max: 1000}))
	pid, err := Begin(&Spec{Path: "/bin/true"})
	must(err)
	awaitDeath(pid)
	if d, ok := Reap(); !ok || d.PID != pid || d.Status != 0 {
		pass(fmt.Sprint("failed: death ", d, ok))
	}
	pass("recovered")
}

func TestNoProcessesLeft(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("the limit of processes is tested as root alone: it needs a user of its own")
		return
	}
	out, _ := output(t, func(fd int) *Spec { return self(t, "crowded", fd) })
	if out != "recovered\n" {
		t.Error(out)
	}
}

// subreaper is a manager that orphans come to, while a birth is stalled.
func subreaper() {
	must(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	var p [2]int
	must(unix.Pipe2(p[:], unix.O_CLOEXEC))
	late, err := Begin(stalled(p[0]))
	must(err)
	// The shell ends at once, and leaves an orphan that is waiting for it. The
	// orphan writes where we see the end of it.
	var q [2]int
	must(unix.Pipe2(q[:], unix.O_CLOEXEC))
	pid, err := Begin(&Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 0 & echo $! >&3"}, Files: []int{0, 1, 2, q[1]}})
	must(err)
	must(unix.Close(q[1]))
	orphan := readAll(q[0])
	fates := map[int]Death{}
	for len(fates) < 2 {
		if d, ok := Reap(); ok {
			fates[d.PID] = d
		}
	}
	stranger, err := strconv.Atoi(strings.TrimSpace(orphan))
	must(err)
	if fates[pid].Stranger || !fates[stranger].Stranger || fates[stranger].PID != stranger {
		pass(fmt.Sprint("failed: fates ", fates, " orphan ", stranger))
	}
	must(unix.Close(p[1]))
	awaitDeath(late)
	if d, ok := Reap(); !ok || d.PID != late || d.Stranger {
		pass(fmt.Sprint("failed: death ", d, ok))
	}
	pass("all buried")
}

func readAll(fd int) string {
	var b strings.Builder
	buf := make([]byte, 512)
	for {
		n, err := unix.Read(fd, buf)
		must(err)
		if n == 0 {
			return b.String()
		}
		b.Write(buf[:n])
	}
}

func TestStrangersBesideStalledBirth(t *testing.T) {
	out, _ := output(t, func(fd int) *Spec { return self(t, "subreaper", fd) })
	if out != "all buried\n" {
		t.Error(out)
	}
}

// stalled is a birth that waits, just before its program is executed, until
// the other end of the pipe is closed.
func stalled(pipe int) *Spec {
	return &Spec{
		Path:  "/bin/true",
		Files: []int{0, 1, 2, pipe},
		// There is nowhere to read to, which fails only when there is something
		// to read.
		hook: []op{{nr: unix.SYS_READ, args: [6]uintptr{3, 0, 1}, mayFail: 1}},
	}
}

// TestRelativePath: the program is looked for from the child's directory.
func TestRelativePath(t *testing.T) {
	path := script(t, "#!/bin/sh\necho found\n")
	out, _ := output(t, func(fd int) *Spec {
		s := program(t, fd, "./"+filepath.Base(path))
		s.Dir = filepath.Dir(path)
		return s
	})
	if out != "found\n" {
		t.Error(out)
	}
}
