package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/scoreboard"
)

// limits looks at those of processes and memory, where the failure is about
// them.
func (in *inspection) limits() {
	d := in.service.Failure
	if d == nil {
		return
	}
	said := strings.ToLower(d.Cause + "\n" + strings.Join(d.Words, "\n"))
	group := groupOf(in.picture.PID)
	if strings.Contains(said, "resource temporarily") || strings.Contains(said, "fork") || strings.Contains(said, "thread") {
		in.processes(group)
	}
	if d.OutOfMemory || d.Signal == 9 || strings.Contains(said, "memory") {
		in.memory(group)
	}
}

// processes compares how many there are with how many there may be.
func (in *inspection) processes(group string) {
	if most, now := number(group, "pids.max"), number(group, "pids.current"); most > 0 && now >= 0 {
		text := fmt.Sprintf("brood's cgroup has %d processes and threads, of %d at most (pids.max).", now, most)
		if now >= most {
			in.wrong("limit", text, "Raise pids.max, or have fewer of them.")
		} else {
			in.note("limit", text)
		}
	}
	if in.who == nil || in.who.uid == 0 {
		return // RLIMIT_NPROC does not hold for root.
	}
	pid := in.picture.PID
	for _, w := range in.service.Workers {
		pid = w.PID
	}
	limit := strings.Fields(line(readText("/proc/"+strconv.Itoa(int(pid))+"/limits"), "Max processes"))
	have := threadsOf(in.who.uid)
	if len(limit) == 0 {
		return
	}
	text := fmt.Sprintf("%s has %d processes and threads now; process %d may have %s (RLIMIT_NPROC).", in.whom(), have, pid, limit[0])
	if most, err := strconv.Atoi(limit[0]); err == nil && have >= most {
		in.wrong("limit", text, "Raise limits.nproc, or end some of them: ps -L -u "+in.whom()+".")
	} else {
		in.note("limit", text)
	}
}

// threadsOf counts the threads of a user, which is what the kernel does.
func threadsOf(uid uint32) int {
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	n := 0
	for _, path := range all {
		status := readText(path)
		uids := strings.Fields(line(status, "Uid:"))
		if len(uids) == 0 || uids[0] != strconv.FormatUint(uint64(uid), 10) {
			continue
		}
		threads, _ := strconv.Atoi(line(status, "Threads:"))
		n += threads
	}
	return n
}

// memory tells how much there is, and how often there was none.
func (in *inspection) memory(group string) {
	most, now := number(group, "memory.max"), number(group, "memory.current")
	if most > 0 && now >= 0 {
		in.note("limit", fmt.Sprintf("brood's cgroup uses %s of memory, of %s at most (memory.max).", scoreboard.Size(now), scoreboard.Size(most)))
	}
	if kills := line(readText(filepath.Join(group, "memory.events")), "oom_kill "); kills != "" && kills != "0" {
		in.note("limit", "The kernel has killed "+kills+" processes of brood's cgroup for want of memory so far.")
	}
}

// groupOf is the directory of a process's cgroup, version 2; "" without one.
func groupOf(pid int32) string {
	path := line(readText("/proc/"+strconv.Itoa(int(pid))+"/cgroup"), "0::")
	if path == "" {
		return ""
	}
	dir := filepath.Join("/sys/fs/cgroup", path)
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// number is that of a file of a cgroup; -1 where there is none, or no limit.
func number(group, name string) int64 {
	if group == "" {
		return -1
	}
	n, err := strconv.ParseInt(strings.TrimSpace(readText(filepath.Join(group, name))), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
