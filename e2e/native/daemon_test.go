package native

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// broodd is the daemon under test, built once.
var broodd = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "brood-native")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "broodd")
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/broodd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(role, os.Args[1:])
		syscall.Exit(0) // os.Exit takes a second where races are looked for
	}
	_ = flag.Set("test.parallel", "4") // they mostly wait; -parallel overrides it
	status := m.Run()
	if path, err := broodd(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// daemon is one broodd with its brood.toml, in a directory of its own.
type daemon struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
	end chan error
	// gone: the test has ended it already.
	gone bool
	// startup is how long the daemon ran until it served.
	startup time.Duration

	mu  sync.Mutex
	log bytes.Buffer
}

// start serves a brood.toml below a new directory with the files given.
// {dir} in the configuration is that directory, {self} this program, which plays
// the role in roleVariable.
func start(t *testing.T, toml string, files map[string]string) *daemon {
	t.Helper()
	d := prepare(t, toml, files)
	d.run()
	d.started()
	return d
}

// started waits until the daemon serves, and takes down what that took of a
// processor.
func (d *daemon) started() {
	d.t.Helper()
	d.logged("daemon started")
	d.startup = d.cpu()
}

// prepare is a daemon that is still to be run. Its command may be changed before.
func prepare(t *testing.T, toml string, files map[string]string) *daemon {
	t.Helper()
	path, err := broodd()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: t.TempDir(), end: make(chan error, 1)}
	for name, text := range files {
		d.write(name, text)
	}
	d.configure(toml)
	d.cmd = exec.Command(path)
	d.cmd.Dir = d.dir
	d.cmd.Stdout, d.cmd.Stderr = d, d
	return d
}

// run starts the daemon; it is stopped when the test ends.
func (d *daemon) run() {
	d.t.Helper()
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() { d.end <- d.cmd.Wait() }()
	d.t.Cleanup(d.stop)
}

func (d *daemon) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// configure writes the brood.toml.
func (d *daemon) configure(toml string) {
	d.t.Helper()
	head := fmt.Sprintf("[brood]\nruntime = %q\n", filepath.Join(d.dir, "run"))
	toml = strings.NewReplacer("{dir}", d.dir, "{self}", os.Args[0]).Replace(toml)
	d.write("brood.toml", head+toml)
}

// Write takes what the daemon says.
func (d *daemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(b)
}

func (d *daemon) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// lastLines is as much of the log as a failed test shows.
func (d *daemon) lastLines() string {
	said := d.said()
	return said[max(0, len(said)-4000):]
}

// logged waits until the log has a text so often.
func (d *daemon) loggedTimes(text string, times int) {
	d.t.Helper()
	d.eventually("the log has "+text, func() bool { return strings.Count(d.said(), text) >= times })
}

func (d *daemon) logged(text string) {
	d.t.Helper()
	d.loggedTimes(text, 1)
}

// eventually is await.That, with the end of the log as the evidence.
func (d *daemon) eventually(what string, ok func() bool) {
	d.t.Helper()
	await.That(d.t, what, ok, func() string { return "the log:\n" + d.lastLines() })
}

// kill has the daemon end without a word.
func (d *daemon) kill() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	if err := <-d.end; err == nil {
		d.t.Error("broodd was killed and ended well")
	}
	d.gone = true
}

// stop ends the daemon with its workers, and wants it to end well.
func (d *daemon) stop() {
	if d.gone {
		return
	}
	// The first signal asks workers to finish, another one hurries them. Two
	// that come at once are one for the kernel.
	hurry := time.NewTicker(100 * time.Millisecond)
	defer hurry.Stop()
	deadline := time.After(await.Patience)
	for {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-d.end:
			d.tellKilled()
			if err != nil {
				d.t.Errorf("broodd: %v; its log:\n%s", err, d.lastLines())
			}
			return
		case <-hurry.C:
		case <-deadline:
			_ = d.cmd.Process.Kill()
			d.t.Errorf("broodd does not end; its log:\n%s", d.lastLines())
			return
		}
	}
}

// tellKilled says which workers had to be killed: a test that passes may have
// waited for them.
func (d *daemon) tellKilled() {
	for line := range strings.Lines(d.said()) {
		if strings.Contains(line, "of the stop signal: killing it") {
			d.t.Log(strings.TrimSuffix(line, "\n"))
		}
	}
}

// reload has the daemon read its file again and waits until it is in force.
func (d *daemon) reload() {
	d.t.Helper()
	before := strings.Count(d.said(), "reload -- ")
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	d.loggedTimes("reload -- ", before+1)
}

// workers are the pids of the daemon's children that have become another
// program.
func (d *daemon) workers() []int {
	d.t.Helper()
	var all []int
	// Who is still there after the last one was listed was there at that moment:
	// the dead are never counted with their successors.
	for _, word := range d.children() {
		pid, err := strconv.Atoi(word)
		if exe, e := os.Readlink("/proc/" + word + "/exe"); err == nil && e == nil && filepath.Base(exe) != "broodd" {
			all = append(all, pid)
		}
	}
	return all
}

// children are the pids of the daemon's children. The kernel's list may leave one
// out while another ends, see proc_pid_task(5), so it has to say the same twice.
func (d *daemon) children() []string {
	d.t.Helper()
	list := func() []string {
		return strings.Fields(strings.Join(glob(d.t, fmt.Sprintf("/proc/%d/task/*/children", d.cmd.Process.Pid)), " "))
	}
	for before := list(); ; {
		now := list()
		if slices.Equal(before, now) {
			return now
		}
		before = now
	}
}

// counted waits until so many workers live.
func (d *daemon) counted(n int) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("there are %d workers", n), func() bool { return len(d.workers()) == n })
}

// port is a TCP port that nobody has now.
func port(t *testing.T) int {
	t.Helper()
	return ports.Free(t)
}

// program writes a script that can be executed. It takes the place of an
// earlier one in one step.
func (d *daemon) program(name, text string) {
	d.t.Helper()
	d.write(name+".new", strings.ReplaceAll(text, "{self}", os.Args[0]))
	path := filepath.Join(d.dir, name)
	if err := os.Chmod(path+".new", 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		d.t.Fatal(err)
	}
}

// glob is the content of the files of a pattern below /proc; those that are gone
// meanwhile are left out.
func glob(t *testing.T, pattern string) (texts []string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil {
			texts = append(texts, string(b))
		}
	}
	return texts
}
