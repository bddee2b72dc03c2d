package tour

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/brood-project/brood/internal/demo"
)

// patience is how long the tour waits for what should take milliseconds.
const patience = 10 * time.Second

// farewell is how long broodd may take to end before it is killed.
const farewell = 5 * time.Second

// daemon is a running broodd and all that it has logged.
type daemon struct {
	dir  string
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended and its log is read

	mu    sync.Mutex
	lines []string
	news  chan struct{} // closed and replaced with every line
}

// startDaemon starts broodd in dir, with the arguments given. It becomes the leader of a process group
// of its own, so that a key pressed at the terminal reaches only the tour, and
// everything of it can be ended at once. It does not outlive the tour, however
// that ends. BEFORE: the goroutine is locked to its thread until the end.
func startDaemon(broodd, dir string, logged func(string), args ...string) (*daemon, error) {
	d := &daemon{dir: dir, over: make(chan struct{}), news: make(chan struct{})}
	d.cmd = exec.Command(broodd, args...)
	d.cmd.Dir = dir
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	log, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("cannot start broodd: %w", err)
	}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start broodd: %w", err)
	}
	go d.read(log, logged)
	return d, nil
}

// read shows and keeps the log until broodd has ended.
func (d *daemon) read(log io.Reader, logged func(string)) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		logged(lines.Text())
		d.mu.Lock()
		d.lines = append(d.lines, lines.Text())
		close(d.news)
		d.news = make(chan struct{})
		d.mu.Unlock()
	}
	_ = d.cmd.Wait()
	close(d.over)
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

func (d *daemon) signal(s syscall.Signal) error {
	if err := d.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("cannot send %v to broodd: %w", s, err)
	}
	return nil
}

// mark is the place in the log from which await looks for what comes.
func (d *daemon) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// await waits until broodd has logged a line with text in it, since from.
func (d *daemon) await(ctx context.Context, from int, text string) error {
	deadline := time.After(patience)
	for {
		d.mu.Lock()
		lines, news := d.lines[from:], d.news
		d.mu.Unlock()
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) }) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-d.over:
			return d.early()
		case <-deadline:
			return fmt.Errorf("cannot go on: broodd has not logged %q within %v", text, patience)
		}
	}
}

// early is the error of a broodd that has ended without being asked to.
func (d *daemon) early() error {
	words, _ := os.ReadFile(filepath.Join(d.dir, demo.WordsFile))
	return fmt.Errorf("cannot go on: broodd has ended (%v)\n%s", d.cmd.ProcessState, words)
}

// workers are the pids of broodd's children, as the kernel has them
// (/proc/PID/task/TID/children, proc(5)).
func (d *daemon) workers() []int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.pid()))
	var pids []int
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return pids
}

// awaitWorkers waits until the workers are as ok wants them. The kernel tells
// nobody, so it looks again and again.
func (d *daemon) awaitWorkers(ctx context.Context, what string, ok func(pids []int) bool) error {
	deadline := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok(d.workers()) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-d.over:
			return d.early()
		case <-deadline:
			return fmt.Errorf("cannot go on: waited %v in vain for %s", patience, what)
		}
	}
	return nil
}

// stop ends broodd, and says so if it or one of its workers would not end.
func (d *daemon) stop() error {
	_ = d.signal(syscall.SIGTERM) // it may have ended already
	var err error
	select {
	case <-d.over:
	case <-time.After(farewell):
		err = fmt.Errorf("cannot end broodd within %v: killed it", farewell)
	}
	// All its workers are in its process group.
	if groupErr := syscall.Kill(-d.pid(), syscall.SIGKILL); groupErr == nil && err == nil {
		err = errors.New("cannot leave cleanly: broodd had left workers behind: killed them")
	}
	<-d.over
	return err
}
