package child

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

func init() { roles["dying"] = dying }

// dying is a manager with one child that outlives threads of it, and not the
// whole.
func dying() {
	// Whoever gives birth keeps its thread.
	runtime.LockOSThread()
	s := &Spec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Files: []int{-1, 1, 2}, DeathSignal: syscall.SIGTERM}
	if os.Geteuid() == 0 {
		s.Credential = &Credential{UID: 65534, GID: 65534}
	}
	pid, failed := Start(s)
	for range 20 {
		var all, present sync.WaitGroup
		present.Add(4)
		for range 4 {
			all.Go(func() {
				// The thread ends with the goroutine.
				runtime.LockOSThread()
				present.Done()
				present.Wait()
			})
		}
		all.Wait()
	}
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	fmt.Println("outlived threads:", failed == nil && err == nil && info.Signo == 0)
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
}

// TestDeathSignal: a child with a death signal outlives the threads of its
// manager, but not the manager.
func TestDeathSignal(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleEnv+"=dying")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	_ = cmd.Wait() // it kills itself
	_ = r.SetReadDeadline(time.Now().Add(await.Patience))
	said, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("the child lives on: %v", err)
	}
	if !strings.Contains(string(said), "outlived threads: true") {
		t.Errorf("the manager said %q", said)
	}
}
