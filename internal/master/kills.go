package master

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// kernelKills tells kills for want of memory from those by some process: both
// are by the signal KILL, but the kernel counts its own. It counts them for the
// control group that the workers share with us (memory.events of cgroup v2,
// memory.oom_control of v1), and, where there is none, for the whole machine
// (oom_kill in /proc/vmstat).
type kernelKills struct {
	mu   sync.Mutex
	file string
	seen uint64
	// unclaimed are kills that were counted and of which no death was found yet.
	unclaimed uint64
	at        time.Time
}

// claimSpan is how long after a count its kills can still be somebody's: several
// workers may be killed at once, and their deaths be heard of one by one.
const claimSpan = 2 * time.Second

// begin finds the count, and what it is before any worker was killed.
func (k *kernelKills) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == "" {
		groups, _ := os.ReadFile("/proc/self/cgroup")
		k.file = killsFile("/sys/fs/cgroup", string(groups))
	}
	k.seen, _ = readKills(k.file)
}

// claim tells how many kills were counted for a number of deaths that are just
// known.
func (k *kernelKills) claim(deaths int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	count, err := readKills(k.file)
	if err != nil || count < k.seen {
		return 0
	}
	now := time.Now()
	if now.Sub(k.at) > claimSpan {
		k.unclaimed = 0
	}
	if count > k.seen {
		k.unclaimed += count - k.seen
		k.seen, k.at = count, now
	}
	ours := min(uint64(deaths), k.unclaimed)
	k.unclaimed -= ours
	return int(ours)
}

// killsFile is the file with the count that is closest to the processes in
// groups, the text of /proc/self/cgroup (see cgroups(7)).
func killsFile(root, groups string) string {
	for line := range strings.Lines(groups) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		var candidates []string
		switch controllers {
		case "":
			candidates = []string{root + path + "/memory.events", root + "/unified" + path + "/memory.events"}
		case "memory":
			candidates = []string{root + "/memory" + path + "/memory.oom_control"}
		}
		for _, file := range candidates {
			if _, err := readKills(file); err == nil {
				return file
			}
		}
	}
	return "/proc/vmstat"
}

// readKills reads the line "oom_kill N", which all these files have.
func readKills(file string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if n, found := strings.CutPrefix(line, "oom_kill "); found {
			return strconv.ParseUint(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, os.ErrNotExist
}
