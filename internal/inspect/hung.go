package inspect

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// longBusy is from when on a worker that is with one client is looked at, in
	// nanoseconds.
	longBusy = 60e9
	// hungMost is how many of them are told of.
	hungMost = 3
	// lookedAtMost is how many workers of a service are looked at.
	lookedAtMost = 500
)

// hung says where workers are that do not take their clients, or have had the
// same one for long, and which are stopped.
func (in *inspection) hung() {
	told := 0
	workers := in.service.Workers
	for _, w := range workers[:min(len(workers), lookedAtMost)] {
		if told == hungMost {
			return
		}
		dir := "/proc/" + strconv.Itoa(int(w.PID)) + "/"
		state := line(readText(dir+"status"), "State:")
		long := w.Busy > 0 && in.picture.At-w.Busy > longBusy
		switch {
		case state == "":
			continue
		case state[0] == 'T':
			in.wrong("worker", fmt.Sprintf("Worker %d is stopped by a signal, and clients that it should take wait.", w.PID),
				fmt.Sprintf("Let it go on with kill -CONT %d, or end it with kill -KILL %d.", w.PID, w.PID))
		case state[0] == 't':
			in.wrong("worker", fmt.Sprintf("Worker %d is stopped by a debugger, and clients that it should take wait.", w.PID),
				fmt.Sprintf("End the debugger (TracerPid in %sstatus), or the worker with kill -KILL %d.", dir, w.PID))
		case w.State == "deaf" || long:
			text := fmt.Sprintf("Worker %d is in the state %s", w.PID, state)
			if at := strings.TrimSpace(readText(dir + "wchan")); at != "" && at != "0" {
				text += " and waits in the kernel's " + at
			}
			in.note("worker", text+".")
		default:
			continue
		}
		told++
	}
}
