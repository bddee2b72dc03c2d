package postfix

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/await"
)

// process is a row of the process table.
type process struct {
	pid, ppid, pgid, sid int
	name                 string
	state                string
}

// readProcess reads /proc/PID/stat; see proc_pid_stat(5). The name stands in
// parentheses and may hold anything.
func readProcess(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	stat := string(text)
	open, shut := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || shut < open {
		return process{}, false
	}
	p := process{pid: pid, name: stat[open+1 : shut]}
	if _, err := fmt.Sscan(stat[shut+1:], &p.state, &p.ppid, &p.pgid, &p.sid); err != nil {
		return process{}, false
	}
	return p, true
}

// everyProcess is the process table.
func everyProcess() []process {
	names, _ := filepath.Glob("/proc/[0-9]*")
	var all []process
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		if p, ok := readProcess(pid); ok {
			all = append(all, p)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].pid < all[j].pid })
	return all
}

// alive tells whether a process runs; a zombie does not.
func alive(pid int) bool {
	p, ok := readProcess(pid)
	return ok && p.state != "Z"
}

// processes are those of this instance: they live in its directories. A master
// and its daemons never leave the queue directory.
func (in *instance) processes() []process {
	var ours []process
	for _, p := range everyProcess() {
		dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.pid))
		if err == nil && p.pid != os.Getpid() && (dir == in.dir || strings.HasPrefix(dir, in.dir+"/")) {
			ours = append(ours, p)
		}
	}
	return ours
}

// processTable is the same for a reader.
func (in *instance) processTable() string {
	var b strings.Builder
	for _, p := range in.processes() {
		fmt.Fprintf(&b, "%6d ppid %6d pgid %6d sid %6d %s %s\n", p.pid, p.ppid, p.pgid, p.sid, p.state, p.name)
	}
	return b.String()
}

// children are the pids of a daemon's processes that the running master has
// given birth to.
func (in *instance) children(daemon string) []int {
	in.Helper()
	master := in.master()
	var pids []int
	for _, p := range everyProcess() {
		if p.ppid == master && p.name == daemon && p.state != "Z" {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// seen waits until each daemon was given birth to by the running master and
// lives. Postfix daemons stay for a while when their work is done, so that
// looking after the fact is enough; one that nobody has had an answer from may
// still be on its way.
func (in *instance) seen(daemons ...string) {
	in.Helper()
	for _, daemon := range daemons {
		await.That(in, daemon+" to live below the master", func() bool { return len(in.children(daemon)) > 0 }, in.processTable)
	}
}

// argv is the command line of a process.
func argv(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

// descriptors says what each open descriptor of a process is.
func descriptors(pid int) map[string]string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, _ := os.ReadDir(dir)
	open := make(map[string]string, len(names))
	for _, n := range names {
		if target, err := os.Readlink(dir + "/" + n.Name()); err == nil {
			open[n.Name()] = target
		}
	}
	return open
}

// programOf is the file that a process runs.
func (in *instance) programOf(pid int) string {
	in.Helper()
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	must(in, err)
	return path
}
