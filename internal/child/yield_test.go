package child

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// policies tells how the threads of this process are scheduled.
func policies() {
	tasks, err := os.ReadDir("/proc/self/task")
	must(err)
	seen := map[string]bool{}
	for _, task := range tasks {
		var id int
		_, err := fmt.Sscan(task.Name(), &id)
		must(err)
		attr, err := unix.SchedGetAttr(id, 0)
		must(err)
		if text := fmt.Sprintf("policy %d nice %d", attr.Policy, attr.Nice); !seen[text] {
			seen[text] = true
			fmt.Println(text)
		}
	}
}

// yielding is a manager that gives way to others.
func yielding() {
	runtime.LockOSThread() // a thread has a nice value of its own, and this one gives birth
	must(unix.Setpriority(unix.PRIO_PROCESS, 0, 7))
	ReserveThreads(4)
	Yield()
	attr, err := unix.SchedGetAttr(0, 0)
	must(err)
	fmt.Printf("manager's thread: policy %d nice %d\n", attr.Policy, attr.Nice)
	pid, err := Begin(&Spec{Path: "/proc/self/exe", Args: []string{"policies"}, Env: []string{roleEnv + "=policies"}, Files: []int{0, 1, 2}})
	must(err)
	awaitDeath(pid)
	if d, ok := Reap(); !ok || d.Status != 0 {
		pass(fmt.Sprint("failed: death ", d, ok))
	}
}

func TestYield(t *testing.T) {
	out, _ := output(t, func(fd int) *Spec { return self(t, "yielding", fd) })
	const want = "manager's thread: policy 3 nice 7\npolicy 0 nice 7\n"
	if out != want {
		t.Errorf("got:\n%swant:\n%s", out, want)
	}
}

func TestYieldOfAllThreads(t *testing.T) {
	out, _ := output(t, func(fd int) *Spec { return self(t, "all yield", fd) })
	if want := "policy 3 nice 0\n"; out != want {
		t.Errorf("got:\n%swant:\n%s", out, want)
	}
}

// allYield is a manager with more than one thread.
func allYield() {
	ReserveThreads(4)
	Yield()
	policies()
}
