package child

import (
	"runtime"
	"sync"
)

// ReserveThreads has the Go runtime make threads, which it keeps. The runtime
// ends the process if it wants a thread just when the kernel has none to give
// (RLIMIT_NPROC, pids.max), which is when births must fail and nothing else. A
// daemon calls it before its first birth, with more than all that it does at one
// time.
func ReserveThreads(n int) {
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
