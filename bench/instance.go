package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The two that take master.cf.
const (
	brood   = "brood"
	postfix = "Postfix"
)

// masters are those two, in the order in which they take turns.
var masters = []string{brood, postfix}

// instance is one configuration and at most one master that runs on it.
type instance struct {
	binary string
	dir    string
	params []string
	rows   []string
	pid    int
}

// newInstance lays out an instance for the master of that name, with this many
// services whose worker is ours.
func (t *tools) newInstance(master string, services int, mode string) (*instance, error) {
	dir, err := t.fresh("i")
	if err != nil {
		return nil, err
	}
	in := &instance{binary: t.stock, dir: dir}
	t.atEnd(in.stop)
	if master == brood {
		in.binary = t.ours
	}
	if err := in.layOut(); err != nil {
		return nil, err
	}
	in.params = append(in.params, "daemon_directory = "+t.dir)
	in.serve(services, mode)
	return in, in.write()
}

// layOut makes the directories and the settings that every instance has.
func (in *instance) layOut() error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	for _, d := range []string{"conf", "log", "data", "queue", "queue/pid", "queue/private", "queue/public"} {
		if err := os.Mkdir(in.path(d), 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{"data", "queue/private", "queue/public"} {
		if err := os.Chown(in.path(d), uid, -1); err != nil {
			return err
		}
	}
	in.params = []string{
		"compatibility_level = 3.6",
		"queue_directory = " + in.path("queue"),
		"data_directory = " + in.path("data"),
		"maillog_file = " + in.path("log/mail"),
		"maillog_file_prefixes = " + in.path("log"),
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"service_throttle_time = 1s",
	}
	return nil
}

// serve makes the rows of master.cf.
func (in *instance) serve(services int, mode string) {
	in.rows = make([]string, services)
	for i := range in.rows {
		in.rows[i] = row0(fmt.Sprint("s", i), mode)
	}
}

// row0 is a row without a limit of processes.
func row0(name, mode string) string {
	return strings.TrimSpace(name + " unix - - n - 0 worker " + mode)
}

func (in *instance) path(name string) string { return filepath.Join(in.dir, name) }

// socket is where the service of that name listens.
func (in *instance) socket(name string) string { return in.path("queue/private/" + name) }

// write puts both files down. Postfix reads a file that was changed a moment
// ago again and again until it is quiet, hence the old date.
func (in *instance) write() error {
	old := time.Now().Add(-time.Hour)
	for name, lines := range map[string][]string{"main.cf": in.params, "master.cf": in.rows} {
		file := in.path("conf/" + name)
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			return err
		}
		if err := os.Chtimes(file, old, old); err != nil {
			return err
		}
	}
	return nil
}

// start runs the master until it says that it is ready, and tells how long that
// took.
func (in *instance) start() (time.Duration, error) {
	cmd := exec.Command(in.binary, "-w", "-c", in.path("conf"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("cannot start %s: %w\n%s", in.binary, err, in.lastLines())
	}
	took := time.Since(begun)
	text, err := os.ReadFile(in.path("queue/pid/master.pid"))
	if err != nil {
		return 0, err
	}
	in.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return took, err
}

// lastLines is the end of the log, for errors.
func (in *instance) lastLines() string {
	text, err := os.ReadFile(in.path("log/mail"))
	if err != nil {
		return "(no log)"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// stop ends the master and removes the instance.
func (in *instance) stop() {
	if in.pid > 0 {
		if err := end(in.pid, unix.SIGTERM); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			_ = end(in.pid, unix.SIGKILL)
		}
		in.pid = 0
	}
	os.RemoveAll(in.dir)
}

// reload has the master read its files again.
func (in *instance) reload() error {
	if err := in.write(); err != nil {
		return err
	}
	return unix.Kill(in.pid, unix.SIGHUP)
}

// started is a running instance, stopped if anything fails on the way.
func (t *tools) started(master string, services int, mode string) (*instance, error) {
	in, err := t.newInstance(master, services, mode)
	if err != nil {
		return nil, err
	}
	if _, err := in.start(); err != nil {
		in.stop()
		return nil, err
	}
	return in, nil
}
