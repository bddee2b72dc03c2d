package inspect

import (
	"fmt"
	"path/filepath"
	"slices"
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
	if strings.Contains(said, "resource temporarily") || strings.Contains(said, "fork") || strings.Contains(said, "thread") {
		in.processes(groupOf(in.picture.PID, "pids"))
	}
	if d.OutOfMemory || d.Signal == 9 || strings.Contains(said, "memory") {
		in.memory(groupOf(in.picture.PID, "memory"))
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
	have := threadsOf(in.who.uid)
	text := fmt.Sprintf("%s has %d processes and threads now", in.whom(), have)
	if len(in.service.Workers) == 0 {
		in.note("limit", text+".")
		return
	}
	pid := in.service.Workers[0].PID
	limit := strings.Fields(line(readText("/proc/"+strconv.Itoa(int(pid))+"/limits"), "Max processes"))
	if len(limit) == 0 {
		return
	}
	text += fmt.Sprintf("; worker %d may have %s (RLIMIT_NPROC).", pid, limit[0])
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
	most, now := number(group, "memory.max", "memory.limit_in_bytes"), number(group, "memory.current", "memory.usage_in_bytes")
	if most > 0 && now >= 0 {
		in.note("limit", fmt.Sprintf("brood's cgroup uses %s of memory, of %s at most.", scoreboard.Size(now), scoreboard.Size(most)))
	}
	events := readText(filepath.Join(group, "memory.events")) + readText(filepath.Join(group, "memory.oom_control"))
	if kills := line(events, "oom_kill "); kills != "" && kills != "0" {
		in.note("limit", "Kills for want of memory in brood's cgroup, as the kernel has counted them: "+kills+".")
	}
}

// groupOf is the directory of a process's cgroup, of version 2, or of version 1
// for one controller; "" without one.
func groupOf(pid int32, controller string) string {
	table := readText("/proc/" + strconv.Itoa(int(pid)) + "/cgroup")
	for row := range strings.Lines(table) {
		f := strings.SplitN(strings.TrimSpace(row), ":", 3)
		if len(f) == 3 && slices.Contains(strings.Split(f[1], ","), controller) {
			return filepath.Join("/sys/fs/cgroup", controller, f[2])
		}
	}
	if path := line(table, "0::"); path != "" {
		return filepath.Join("/sys/fs/cgroup", path)
	}
	return ""
}

// number is that of the first of the files of a cgroup that there is; -1 where
// there is none, or no limit.
func number(group string, names ...string) int64 {
	for _, name := range names {
		text := strings.TrimSpace(readText(filepath.Join(group, name)))
		// Version 1 has a number of about 2^63 for no limit.
		if n, err := strconv.ParseInt(text, 10, 64); group != "" && err == nil && n < 1<<62 {
			return n
		}
	}
	return -1
}
