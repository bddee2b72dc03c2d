package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait.
const patience = 60 * time.Second

// detached is a program in a session of its own without any descriptor of
// ours, as a daemon's parent should leave it.
func detached(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// until looks again and again until something is true.
func until(what string, every time.Duration, holds func() bool) error {
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain for %s", what)
		}
		time.Sleep(every)
	}
	return nil
}

// end sends a signal to a process, which need not be a child of ours, and waits
// until it is gone.
func end(pid int, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot watch process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot signal process %d: %w", pid, err)
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(patience); ; {
		n, err := unix.Poll(poll, int(max(0, time.Until(deadline).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
		case n == 1:
			return nil
		default:
			return fmt.Errorf("process %d does not end", pid)
		}
	}
}

// cpuTime is what all threads of a process have used, those that are gone
// included, to the nanosecond. See clock_getcpuclockid(3).
func cpuTime(pid int) (time.Duration, error) {
	const perProcessScheduler = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|perProcessScheduler), &t); err != nil {
		return 0, fmt.Errorf("cannot read the clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory is the proportional set size of a process in bytes.
func memory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kB, err := strconv.ParseFloat(f[1], 64)
			return kB * 1024, err
		}
	}
	return 0, fmt.Errorf("no Pss of process %d", pid)
}

// switches is how often all threads of a process have been given a processor.
func switches(pid int) (total float64, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no threads of process %d: %w", pid, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			if strings.HasSuffix(name, "_ctxt_switches") {
				n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				if err != nil {
					return 0, err
				}
				total += n
			}
		}
	}
	return total, nil
}

// stopped tells whether all threads of a process are stopped by a signal.
func stopped(pid int) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		text, failed := os.ReadFile(file)
		if failed == nil && !strings.Contains(string(text), "\nState:\tT") {
			return false
		}
	}
	return err == nil && len(files) > 0
}

// descriptors is how many descriptors a process has open: the size of its
// directory, since Linux 6.2.
func descriptors(pid int) int64 {
	info, err := os.Stat(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return -1
	}
	return info.Size()
}

// childrenOf lists the living and the dead children of a process.
func childrenOf(pid int) []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var all []int
	for _, list := range lists {
		if text, err := os.ReadFile(list); err == nil {
			all = append(all, pidsIn(string(text))...)
		}
	}
	return all
}

func pidsIn(text string) []int {
	var pids []int
	for word := range strings.FieldsSeq(text) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
