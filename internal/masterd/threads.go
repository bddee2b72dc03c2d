package masterd

import (
	"runtime"
	"sync"
)

// threadsReserved is more than all that the daemon does at one time: the loop,
// a reload, wake-ups, last words, the collector.
const threadsReserved = 8

// reserveThreads has the Go runtime make threads, which it keeps. The runtime
// ends the process if it wants a thread just when the kernel has none to give
// (RLIMIT_NPROC, pids.max), which is when births must fail and nothing else.
func reserveThreads(n int) {
	var present, gone sync.WaitGroup
	present.Add(n)
	for range n {
		gone.Go(func() {
			// Locked goroutines can't share a thread, even while they wait.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			present.Done()
			present.Wait()
		})
	}
	gone.Wait()
}
