package master

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// GarbagePercent is how much the heap may grow, in percent of what is alive,
// before it is collected. A daemon at rest makes no garbage; a small heap is
// worth more to its machine than a rare collection.
const GarbagePercent = 25

// Shed gives back what only the start or a reload needed: the memory in which
// the configuration was read, and the pages of our own program that run once.
// Whatever is needed again comes back from the page cache.
func Shed() {
	runtime.GC() // what pools hold is free after the second collection
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	var parts [][2]uintptr
	for line := range bytes.Lines(maps) {
		if start, length, ok := readOnly(string(line), self); ok {
			parts = append(parts, [2]uintptr{start, length})
		}
	}
	for _, part := range parts {
		// Only a hint to the kernel: that it fails changes nothing.
		_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, part[0], part[1], unix.MADV_DONTNEED)
	}
}

// readOnly reads a line of /proc/PID/maps (proc_pid_maps(5)) and tells whether
// it is a part of the file that nobody writes to.
func readOnly(line, file string) (start, length uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[5] != file || !strings.HasPrefix(fields[1], "r-") {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	a, err1 := strconv.ParseUint(from, 16, 64)
	b, err2 := strconv.ParseUint(to, 16, 64)
	return uintptr(a), uintptr(b - a), err1 == nil && err2 == nil && a < b
}
