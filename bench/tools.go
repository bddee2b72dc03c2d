package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

//go:embed c/*.c
var programs embed.FS

// stockMaster is Postfix's, where Debian has it.
const stockMaster = "/usr/lib/postfix/sbin/master"

// daemonPackage is what is measured.
const daemonPackage = "github.com/brood-project/brood/cmd/broodd"

// tools is the directory of one run and the programs in it.
type tools struct {
	dir    string
	worker string
	client string
	limit  string
	ours   string // broodd, under the name of master
	native string // the same, under its own name
	stock  string
	// count numbers what is made below dir.
	count int

	// ends stop what was started; each may be called again.
	mu   sync.Mutex
	ends []func()
}

// atEnd has a run that is interrupted leave nothing behind.
func (t *tools) atEnd(stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends = append(t.ends, stop)
}

// onSignal ends the run when it is interrupted.
func (t *tools) onSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	<-signals
	t.mu.Lock() // and nothing is started any more
	for _, stop := range t.ends {
		stop()
	}
	os.RemoveAll(t.dir)
	os.Exit(1)
}

// makeTools builds everything. The directory is in memory where the machine
// has such a file system, so that no disk is measured. Unless it is given, our
// daemon is built too.
func makeTools(ours, stock string) (*tools, error) {
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "brood-bench-")
	if err != nil {
		return nil, err
	}
	t := &tools{dir: dir, ours: ours, stock: stock}
	go t.onSignal()
	if err := t.build(); err != nil {
		t.remove()
		return nil, err
	}
	return t, nil
}

func (t *tools) remove() {
	t.mu.Lock() // for ever, if onSignal does it
	defer t.mu.Unlock()
	os.RemoveAll(t.dir)
}

func (t *tools) build() error {
	// The mail owner has to come through.
	if err := os.Chmod(t.dir, 0o755); err != nil {
		return err
	}
	for name, path := range map[string]*string{"worker": &t.worker, "client": &t.client, "limit": &t.limit} {
		*path = filepath.Join(t.dir, name)
		if err := t.compile(name, *path); err != nil {
			return err
		}
	}
	t.native = filepath.Join(t.dir, "broodd")
	if t.ours != "" {
		return linkTo(t.ours, t.native)
	}
	t.ours = filepath.Join(t.dir, "ours", "master")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", t.ours, daemonPackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", daemonPackage, err, out)
	}
	return linkTo(t.ours, t.native)
}

// linkTo gives a program another name.
func linkTo(program, name string) error {
	path, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	return os.Symlink(path, name)
}

func (t *tools) compile(name, to string) error {
	source, err := programs.ReadFile("c/" + name + ".c")
	if err != nil {
		return err
	}
	from := to + ".c"
	if err := os.WriteFile(from, source, 0o644); err != nil {
		return err
	}
	if out, err := exec.Command("gcc", "-O2", "-static", "-s", "-o", to, from).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot compile %s.c: %w\n%s", name, err, out)
	}
	return nil
}

// fresh makes a directory of its own.
func (t *tools) fresh(name string) (string, error) {
	t.count++
	dir := filepath.Join(t.dir, fmt.Sprintf("%s%d", name, t.count))
	return dir, os.Mkdir(dir, 0o755)
}
