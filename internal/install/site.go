package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The oldest Postfix whose daemons, options and files are those that broodd
// knows.
const (
	majorLeast = 3
	minorLeast = 3
)

// commandTimeout bounds every command that is run.
const commandTimeout = 2 * time.Minute

// site is an installed Postfix as it was found.
type site struct {
	version    string
	daemonDir  string
	commandDir string
	queueDir   string
	mailOwner  string
	setgid     string

	// master is the file that Postfix's scripts run, aside is where the
	// distribution's is kept.
	master, aside binary
	// packaged: dpkg owns the file.
	packaged bool
	// diverter is who diverts the file: "" for nobody, "LOCAL" for the
	// operator (and for us), else a package. divertedTo goes with it.
	diverter, divertedTo string
	// running is the pid of the master that runs the default instance; 0 for
	// none. runs is its program.
	running int
	runs    binary
}

// Refusal is a reason not to begin.
type Refusal struct{ Reason string }

// Error says it.
func (r *Refusal) Error() string { return "refused: " + r.Reason }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// lookAround finds out all there is to know, and changes nothing.
func lookAround(ctx context.Context) (*site, error) {
	s := &site{}
	if err := s.askPostfix(ctx); err != nil {
		return nil, err
	}
	var err error
	path := filepath.Join(s.daemonDir, "master")
	if s.master, err = inspect(path); err != nil {
		return nil, err
	}
	if s.aside, err = inspect(path + ".distrib"); err != nil {
		return nil, err
	}
	if err := s.askDpkg(ctx); err != nil {
		return nil, err
	}
	return s, s.findRunning()
}

// askPostfix learns of postconf(1) where things are.
func (s *site) askPostfix(ctx context.Context) error {
	postconf, err := find("postconf")
	if err != nil {
		return refuse("there is no Postfix here: postconf is not in PATH; install Postfix first")
	}
	settings := []struct {
		name string
		to   *string
	}{
		{"mail_version", &s.version},
		{"daemon_directory", &s.daemonDir},
		{"command_directory", &s.commandDir},
		{"queue_directory", &s.queueDir},
		{"mail_owner", &s.mailOwner},
		{"setgid_group", &s.setgid},
	}
	for _, setting := range settings {
		out, err := output(ctx, postconf, "-h", "-x", setting.name)
		if err != nil {
			return refuse("Postfix's configuration can't be read: %v", err)
		}
		*setting.to = strings.TrimSpace(out)
	}
	return s.knownVersion()
}

// knownVersion refuses a Postfix that broodd was not made for.
func (s *site) knownVersion() error {
	var major, minor int
	if _, err := fmt.Sscanf(s.version, "%d.%d", &major, &minor); err != nil {
		return refuse("Postfix says that its version is %q, which broodd does not know", s.version)
	}
	if major < majorLeast || major == majorLeast && minor < minorLeast {
		return refuse("Postfix %s is too old; broodd takes the place of %d.%d and later", s.version, majorLeast, minorLeast)
	}
	return nil
}

// askDpkg learns whether a package owns the file and who diverts it.
func (s *site) askDpkg(ctx context.Context) error {
	divert, err := find("dpkg-divert")
	if err != nil {
		return nil // another distribution
	}
	_, err = output(ctx, "dpkg-query", "--search", s.master.path)
	s.packaged = err == nil
	out, err := output(ctx, divert, "--listpackage", s.master.path)
	if err != nil {
		return fmt.Errorf("cannot ask dpkg about %s: %w", s.master.path, err)
	}
	if s.diverter = strings.TrimSpace(out); s.diverter == "" {
		return nil
	}
	out, err = output(ctx, divert, "--truename", s.master.path)
	if err != nil {
		return fmt.Errorf("cannot ask dpkg about %s: %w", s.master.path, err)
	}
	s.divertedTo = strings.TrimSpace(out)
	return nil
}

// diverted tells whether dpkg has been told as we tell it.
func (s *site) diverted() bool { return s.diverter == "LOCAL" && s.divertedTo == s.aside.path }

// findRunning learns which master runs, by the lock that it holds and the pid
// that it wrote.
func (s *site) findRunning() error {
	if os.Geteuid() != 0 {
		return nil // the pid file is for root only
	}
	s.running, s.runs = 0, binary{}
	pidFile := filepath.Join(s.queueDir, "pid", "master.pid")
	f, err := os.Open(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot tell whether Postfix is running: %w", err)
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return nil
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return fmt.Errorf("cannot tell whether Postfix is running: %w", err)
	}
	if s.running, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return fmt.Errorf("cannot tell the pid of the running Postfix: %w", err)
	}
	s.runs, err = inspect(fmt.Sprintf("/proc/%d/exe", s.running))
	return err
}

// find looks for a command in PATH, and where system commands are when PATH is
// an ordinary user's.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("cannot find %s", name)
}

// output runs a command and returns what it printed. The error holds what it
// said about its failure.
func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	// A daemon that it starts may keep the pipes.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(append([]string{filepath.Base(name)}, args...), " "), err)
		if said := strings.TrimSpace(complaint.String() + out.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return "", err
	}
	return out.String(), nil
}
