package master

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/scoreboard"
)

const (
	// measuredMost is of how many workers memory and CPU are read for one
	// picture: the kernel walks through all the memory of each.
	measuredMost = 1000
	// measuringMost is how long that may take.
	measuringMost = 2 * time.Second
	// ticksPerSecond is the unit of times in /proc/PID/stat: USER_HZ, which is
	// 100 on every machine that Go runs on.
	ticksPerSecond = 100
)

// measureAll reads memory and CPU of the daemon and of its workers. What cannot
// be read, because the worker has gone or there is no free descriptor, is left
// out and counted.
func measureAll(ctx context.Context, p *scoreboard.Picture) {
	p.Memory = proportional("/proc/self")
	var own unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &own) == nil {
		p.CPU = own.Utime.Nano() + own.Stime.Nano()
	}
	deadline := time.Now().Add(measuringMost)
	measured := 0
	for i := range p.Services {
		sv := &p.Services[i]
		for n := range sv.Workers {
			w := &sv.Workers[n]
			if w.PID == 0 || measured >= measuredMost || ctx.Err() != nil || time.Now().After(deadline) {
				p.Unmeasured++
				continue
			}
			measured++
			dir := procOf(w.PID)
			w.Memory, w.CPU = proportional(dir), used(dir)
			if w.Memory == 0 {
				p.Unmeasured++
			}
			sv.Memory += w.Memory
			sv.CPU += w.CPU
		}
	}
}

// proportional is the proportional set size of a process, in bytes: what it has
// alone, and its part of what it shares. See proc_pid_smaps(5).
func proportional(dir string) int64 {
	text, err := os.ReadFile(dir + "/smaps_rollup")
	if err != nil {
		return 0
	}
	size, _, _ := strings.Cut(field(string(text), "Pss"), " ")
	kib, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// used is the CPU time of a process and of those that it has waited for, in
// nanoseconds.
func used(dir string) int64 {
	const first = 14 - statFirst // utime
	f := statFields(dir)
	if len(f) < first+4 {
		return 0
	}
	var ticks int64
	for _, v := range f[first : first+4] {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks * (int64(time.Second) / ticksPerSecond)
}

// statFirst is the number of the first field that statFields gives, the state, as
// proc_pid_stat(5) counts them.
const statFirst = 3

// statFields is the fields of /proc/PID/stat behind the name of the program, which
// is in parentheses and may hold any letter; nil if they cannot be read. The file
// is made from the process's books without a lock that it could hold.
func statFields(dir string) []string {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}
