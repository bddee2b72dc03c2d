package master

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// familyMost is in how many processes the sockets of one worker are looked for.
const familyMost = 256

// openSockets are the numbers of the sockets that a worker holds open, or those
// who descend from it: a client may be in the hands of a process that it has
// started. What cannot be read is not there.
func openSockets(pid int) map[uint32]struct{} {
	open := map[uint32]struct{}{}
	family := []int{pid}
	for i := 0; i < len(family) && i < familyMost; i++ {
		addSockets(open, family[i])
		family = append(family, childrenOf(family[i])...)
	}
	return open
}

func addSockets(open map[uint32]struct{}, pid int) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		at, err := os.Readlink(dir + "/" + e.Name())
		number, ok := strings.CutPrefix(at, "socket:[")
		if err != nil || !ok {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32); err == nil {
			open[uint32(n)] = struct{}{}
		}
	}
}

// childrenOf are the processes that the threads of one have started and that live.
func childrenOf(pid int) (children []int) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, _ := os.ReadDir(dir)
	for _, t := range threads {
		text, _ := os.ReadFile(dir + "/" + t.Name() + "/children")
		for word := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				children = append(children, n)
			}
		}
	}
	return children
}
