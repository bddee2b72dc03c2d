package master

import (
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// gateVariable names the fifo that a worker of the role "gated" opens, and so
// waits at, before it serves.
const gateVariable = "BROOD_TEST_GATE"

func init() {
	roles["gated"] = func() {
		if _, err := os.Open(os.Getenv(gateVariable)); err != nil {
			os.Exit(5)
		}
		muteWorker()
	}
}

// TestWhoServedAndDiedYoungIsNoFailedStart although another client waits at its
// end: who stood in the queue at its birth stands there no more. The age of the
// young is the pool's to say, where the plan sets no limit to a start too.
func TestWhoServedAndDiedYoungIsNoFailedStart(t *testing.T) {
	const hour = 3600 * pool.Second
	for name, timeout := range map[string]pool.Duration{"limit": hour, "no limit": 0} {
		t.Run(name, func(t *testing.T) {
			s := nativeOf(t, "web", "gated", plan.ProtocolNone, pool.Policy{
				Limit: 1, Opaque: true, Wait: hour, StartTimeout: timeout, Backoff: pool.Backoff{First: hour},
			})
			gate := filepath.Join(t.TempDir(), "gate")
			if err := unix.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			s.Command.Env = append(s.Command.Env, gateVariable+"="+gate)
			w := startNative(t, planOf(s))
			first := w.connect("web")
			w.eventually("somebody is born for the first", func() bool { return w.view("web").Available == 1 })
			w.eventually("the queue was looked at", func() bool { return !looking() })
			open, err := os.OpenFile(gate, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			w.answer(first)
			second := w.connect("web")
			w.call(func() {
				for pid := range w.m.children {
					w.m.kill(pid, syscall.SIGSEGV)
				}
			})
			w.answer(second)
		})
	}
}

// looking tells whether a look at a queue is under way.
func looking() bool {
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
	return strings.Contains(stacks.String(), "surveyOf")
}
