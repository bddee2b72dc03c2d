package examples

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// bin is where what the tests build is; it is made by TestMain.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "brood-examples"); err == nil {
		defer os.RemoveAll(bin)
		err = build("broodd", "../cmd/broodd")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build puts a command into bin.
func build(name, path string) error {
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w: %s", path, err, out)
	}
	return nil
}

// daemon is one broodd in a directory of its own, which has a brood.toml.
type daemon struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
	end     chan error

	mu  sync.Mutex
	log bytes.Buffer
}

var (
	written = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	idle    = regexp.MustCompile(`(?m)^idle( *)= "60s"$`)
)

// start serves a brood.toml as it is written, but for what a test cannot have:
// it listens at a free port, has a runtime directory of its own, and does not
// keep idle workers for a minute, but for as long as a slow machine may need to
// come back with the next client.
func start(t *testing.T, dir, toml string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: dir, address: fmt.Sprintf("127.0.0.1:%d", ports.Free(t)), end: make(chan error, 1)}
	if n := len(written.FindAllString(toml, -1)); n != 1 {
		t.Fatalf("there are %d addresses in this brood.toml, want one:\n%s", n, toml)
	}
	toml = written.ReplaceAllString(toml, d.address)
	toml = idle.ReplaceAllString(toml, `idle = "2s"`)
	toml += fmt.Sprintf("\n[brood]\nruntime = %q\n", filepath.Join(dir, "run"))
	d.write("brood.toml", toml)
	d.cmd = exec.Command(filepath.Join(bin, "broodd"))
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = dir, d, d
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.end <- d.cmd.Wait() }()
	t.Cleanup(d.stop)
	d.eventually("broodd has started", func() bool { return strings.Contains(d.said(), "daemon started") })
	if w := d.workers(); len(w) > 0 {
		t.Errorf("workers %v before the first client", w)
	}
	return d
}

func (d *daemon) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
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

// eventually is await.That, with the log as the evidence.
func (d *daemon) eventually(what string, ok func() bool) {
	d.t.Helper()
	await.That(d.t, what, ok, func() string { return "the log:\n" + d.said() })
}

// stop ends the daemon with its workers, and wants it to end well.
func (d *daemon) stop() {
	for range 2 {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case err := <-d.end:
		if err != nil {
			d.t.Errorf("broodd: %v; its log:\n%s", err, d.said())
		}
	case <-time.After(await.Patience):
		_ = d.cmd.Process.Kill()
		d.t.Errorf("broodd does not end; its log:\n%s", d.said())
	}
}

// workers are the ids of the daemon's children that have become another program.
func (d *daemon) workers() []string {
	d.t.Helper()
	var all []string
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			d.t.Fatal(err)
		}
		for _, pid := range strings.Fields(string(b)) {
			if exe, err := os.Readlink("/proc/" + pid + "/exe"); err == nil && filepath.Base(exe) != "broodd" {
				all = append(all, pid)
			}
		}
	}
	return all
}

// counted waits until so many workers live.
func (d *daemon) counted(n int) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("there are %d workers", n), func() bool { return len(d.workers()) == n })
}
