package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// trialPatience is how long the trial may take: a birth, and an answer.
const trialPatience = 20 * time.Second

// trial runs broodd as master on an instance that is made for it and removed
// afterwards, and has two of the installed daemons serve: showq lists the empty
// queue, postlogd takes the log. Nothing of it listens on a network.
func (s *site) trial(ctx context.Context, broodd string) error {
	// A directory for temporary files may be closed to the mail owner, or its
	// name longer than is good for the name of a socket.
	dir, err := os.MkdirTemp("/run", "brood-trial-")
	if err != nil {
		return fmt.Errorf("cannot make a scratch instance: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := s.furnish(dir); err != nil {
		return fmt.Errorf("cannot make a scratch instance: %w", err)
	}
	if err := runTrial(ctx, dir, broodd); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return fmt.Errorf("cannot run %s with Postfix's daemons: %w\n%s", broodd, err, log)
	}
	return nil
}

// folders are what a Postfix needs below its own directory. Those that are not
// root's are the mail owner's.
var folders = []struct {
	name string
	mode os.FileMode
	root bool
}{
	{"", 0o755, true},
	{"conf", 0o755, true},
	{"data", 0o700, false},
	{"queue", 0o755, true},
	{"queue/pid", 0o755, true},
	{"queue/private", 0o700, false},
	{"queue/public", 0o755, false},
	{"queue/maildrop", 0o730, false},
	{"queue/incoming", 0o700, false},
	{"queue/active", 0o700, false},
	{"queue/deferred", 0o700, false},
	{"queue/hold", 0o700, false},
}

// furnish makes the instance below dir.
func (s *site) furnish(dir string) error {
	owner, err := user.Lookup(s.mailOwner)
	if err != nil {
		return err
	}
	mail, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	for _, f := range folders {
		uid, path := mail, filepath.Join(dir, f.name)
		if f.root {
			uid = 0
		}
		if err := os.MkdirAll(path, f.mode); err != nil {
			return err
		}
		if err := os.Chmod(path, f.mode); err != nil {
			return err
		}
		if err := os.Chown(path, uid, -1); err != nil {
			return err
		}
	}
	return s.configureTrial(dir)
}

// configureTrial writes main.cf and master.cf.
func (s *site) configureTrial(dir string) error {
	settings := []string{
		"compatibility_level = 2", "myhostname = localhost.localdomain",
		"inet_interfaces = loopback-only", "inet_protocols = ipv4",
		"queue_directory = " + dir + "/queue", "data_directory = " + dir + "/data",
		"daemon_directory = " + s.daemonDir, "command_directory = " + s.commandDir,
		"mail_owner = " + s.mailOwner, "setgid_group = " + s.setgid,
		"maillog_file = " + dir + "/log", "maillog_file_prefixes = " + dir,
	}
	rows := []string{
		"showq   unix        n  -  n  -  1  showq",
		"postlog unix-dgram  n  -  n  -  1  postlogd",
	}
	for name, lines := range map[string][]string{"main.cf": settings, "master.cf": rows} {
		text := strings.Join(lines, "\n") + "\n"
		if err := os.WriteFile(filepath.Join(dir, "conf", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// runTrial starts the master, asks showq, and ends the master again.
func runTrial(ctx context.Context, dir, broodd string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, trialPatience)
	defer cancel()
	cmd := exec.Command(broodd)
	cmd.Args = []string{"master", "-c", filepath.Join(dir, "conf")}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	// A session of its own: its end sends TERM to the process group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("it does not start: %w", err)
	}
	over := make(chan struct{})
	var ended error
	go func() { ended = cmd.Wait(); close(over) }()
	answered := make(chan error, 2)
	go func() { answered <- askShowq(ctx, filepath.Join(dir, "queue/public/showq")) }()
	go func() { answered <- awaitThrottle(ctx, filepath.Join(dir, "log")) }()
	select {
	case <-over:
		return fmt.Errorf("it ended at once (%w)", ended)
	case err = <-answered:
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-over: // by the signal that it was sent
	case <-ctx.Done():
		err = errors.Join(err, errors.New("it does not end when it is told to"))
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	return err
}

// awaitThrottle waits until the log tells of a daemon that can't be started.
func awaitThrottle(ctx context.Context, file string) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if log, err := os.ReadFile(file); err == nil && bytes.Contains(log, []byte("throttling")) {
			return errors.New("a daemon does not start")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// askShowq connects as soon as the socket is there, and wants an answer.
func askShowq(ctx context.Context, path string) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			defer conn.Close()
			return readAnswer(ctx, conn)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("showq's socket is not there after %v: %w", trialPatience, err)
		}
	}
}

func readAnswer(ctx context.Context, conn net.Conn) error {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return fmt.Errorf("showq does not answer: %w", err)
	}
	if len(answer) == 0 {
		return errors.New("showq has hung up without an answer")
	}
	return nil
}
