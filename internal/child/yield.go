package child

import (
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ordinary is the policy by which nearly all threads of a machine are scheduled,
// SCHED_OTHER of sched(7).
const ordinary = unix.SCHED_NORMAL

// yields is set once our threads were made to yield.
var yields atomic.Bool

// Yield has our threads give way to others when both want a processor that is
// busy: they are scheduled as SCHED_BATCH, see sched(7), which differs from what
// is usual only in that a thread which wakes up does not push aside the one that
// runs. On a machine with a free processor nothing changes. On one without, what
// happens meanwhile comes to us in fewer and larger portions, and those who do
// the work are interrupted less. Children are scheduled as if nothing had been
// done.
//
// A daemon calls it once, after [ReserveThreads]; threads that are made later
// take after those who make them. Threads of another policy are left alone, and
// so are all where the kernel, or a filter before it, does not allow it: it is a
// matter of speed.
func Yield() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil || attr.Policy != ordinary {
			continue
		}
		attr.Policy = unix.SCHED_BATCH
		if unix.SchedSetAttr(id, attr, 0) == nil {
			yields.Store(true)
		}
	}
}

// schedule gives the child back the policy that we had. Its nice value stays.
func (c *cradle) schedule() {
	if !yields.Load() {
		return
	}
	mem := c.room(8) // struct sched_param, all zero
	clear(mem)
	c.call(step{verb: "set the scheduling policy", number: unnumbered},
		unix.SYS_SCHED_SETSCHEDULER, 0, ordinary, address(mem)).mayFail = 1
}
