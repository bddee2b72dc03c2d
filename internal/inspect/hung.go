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
)

// hung says where workers are that do not take their clients, or have had the
// same one for long.
func (in *inspection) hung() {
	told := 0
	for _, w := range in.service.Workers {
		long := w.Busy > 0 && in.picture.At-w.Busy > longBusy
		if w.State != "deaf" && !long || told == hungMost {
			continue
		}
		dir := "/proc/" + strconv.Itoa(int(w.PID)) + "/"
		state := line(readText(dir+"status"), "State:")
		if state == "" {
			continue
		}
		text := fmt.Sprintf("Worker %d is in the state %s", w.PID, state)
		if at := strings.TrimSpace(readText(dir + "wchan")); at != "" && at != "0" {
			text += " and waits in the kernel's " + at
		}
		in.note("worker", text+".")
		told++
	}
}
