package master

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/pool"
)

const (
	// pictureMost is how long a worker that is to be ended waits for its
	// picture. Reading takes less than a millisecond, unless its memory is
	// locked.
	pictureMost = 200 * time.Millisecond
	// pictureDescriptors is how many open descriptors a picture names.
	pictureDescriptors = 16
	// pictureFile bounds what is read of one file.
	pictureFile = 4 << 10
)

// picture has a worker looked at outside the loop, before anything is done to it.
func (m *Master) picture(pid int32) {
	w := m.children[pid]
	if w == nil || w.look != nil && w.look.taking {
		return
	}
	// The handle stays that of this process, whoever gets its id next.
	dir, err := unix.Open(procOf(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	w.look = &look{taking: true}
	age := seconds(pool.Duration(m.now() - w.service.born(pid)))
	timeout := time.AfterFunc(pictureMost, func() { m.inLoop(func() { m.carryOn(w) }) })
	go func() {
		text := lookAt(dir)
		unix.Close(dir)
		timeout.Stop()
		m.inLoop(func() {
			w.look.place = text
			m.logPicture(w, age, text)
			m.carryOn(w)
		})
	}()
}

// born is when the birth of a child was asked for.
func (s *service) born(pid int32) pool.Time {
	c, _ := s.pool.Child(pid)
	return c.Since
}

// carryOn does what waited for a picture.
func (m *Master) carryOn(w *worker) {
	w.look.taking = false
	waiting := w.look.waiting
	w.look.waiting = nil
	if m.children[w.pid] != w {
		return
	}
	for _, f := range waiting {
		f()
	}
}

// inLoop has f run in the loop, some time; not at all once the loop has ended.
func (m *Master) inLoop(f func()) {
	select {
	case m.calls <- f:
	case <-m.over:
	}
}

func procOf(pid int32) string { return "/proc/" + strconv.Itoa(int(pid)) }

// lookAt says where a process is and what it holds open, see proc(5). What may
// not be read is left out.
func lookAt(dir int) string {
	var parts []string
	status := procFile(dir, "status")
	for _, name := range []string{"State", "Threads", "VmRSS"} {
		if v := field(status, name); v != "" {
			parts = append(parts, strings.ToLower(name)+" "+v)
		}
	}
	if wchan := strings.TrimSpace(procFile(dir, "wchan")); wchan != "" && wchan != "0" {
		parts = append(parts, "waits in "+wchan)
	}
	if call := strings.Fields(procFile(dir, "syscall")); len(call) > 0 {
		parts = append(parts, "system call "+strings.Join(call[:min(len(call), 4)], " "))
	}
	if stack := kernelStack(procFile(dir, "stack")); stack != "" {
		parts = append(parts, "kernel stack "+stack)
	}
	return strings.Join(append(parts, openFiles(dir)), "; ")
}

// procFile reads a file below a handle of /proc/PID; "" if it cannot be read.
func procFile(dir int, name string) string {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	b := make([]byte, pictureFile)
	n, err := unix.Read(fd, b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// field is one of the lines of /proc/PID/status.
func field(status, name string) string {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	return ""
}

// kernelStack is the names of the functions in /proc/PID/stack, the innermost
// first.
func kernelStack(text string) string {
	var names []string
	for line := range strings.Lines(text) {
		_, name, _ := strings.Cut(line, "] ")
		name, _, _ = strings.Cut(name, "+")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " < ")
}

// openFiles names the first descriptors and counts them all.
func openFiles(dir int) string {
	base := "/proc/self/fd/" + strconv.Itoa(dir) + "/fd"
	entries, err := os.ReadDir(base)
	if err != nil {
		return "its descriptors cannot be read"
	}
	numbers := make([]int, 0, len(entries))
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	sort.Ints(numbers)
	var names []string
	for _, n := range numbers[:min(len(numbers), pictureDescriptors)] {
		if to, err := os.Readlink(filepath.Join(base, strconv.Itoa(n))); err == nil {
			names = append(names, strconv.Itoa(n)+" "+to)
		}
	}
	return fmt.Sprintf("%d descriptors: %s", len(numbers), strings.Join(names, ", "))
}

// measure finds out how much memory a worker has, outside the loop.
func (m *Master) measure(pid int32) {
	w := m.children[pid]
	if w == nil {
		return
	}
	dir, err := unix.Open(procOf(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	go func() {
		resident := strings.Fields(procFile(dir, "statm"))
		unix.Close(dir)
		if len(resident) < 2 {
			return
		}
		pages, err := strconv.ParseInt(resident[1], 10, 64)
		if err != nil {
			return
		}
		m.inLoop(func() {
			if m.children[pid] == w {
				ev := w.event(pool.Measured)
				ev.Memory = pages * int64(os.Getpagesize())
				m.step(w.service, ev)
			}
		})
	}()
}
