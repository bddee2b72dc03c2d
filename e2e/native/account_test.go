package native

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ordinary is an account that may do nothing in particular.
const ordinary = "nobody"

func numbers(t *testing.T, name string) (uid, gid uint32) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid64, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid64, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(uid64), uint32(gid64)
}

// letIn opens what the test has made for itself to other users.
func (d *daemon) letIn() {
	d.t.Helper()
	for _, dir := range []string{filepath.Dir(d.dir), filepath.Dir(d.cmd.Path)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			d.t.Fatal(err)
		}
	}
}

// ordinarily has the daemon run as an ordinary user, in a directory that is that
// user's.
func (d *daemon) ordinarily() {
	d.t.Helper()
	d.letIn()
	uid, gid := numbers(d.t, ordinary)
	if err := os.Chown(d.dir, int(uid), int(gid)); err != nil {
		d.t.Fatal(err)
	}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + d.dir}
}

// line is one client of a shell worker that answers with one line.
func (d *daemon) line(network, address string) string {
	d.t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		d.t.Fatalf("%v; the log:\n%s", err, d.lastLines())
	}
	defer c.Close()
	fmt.Fprintln(c)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		d.t.Fatalf("%v; the log:\n%s", err, d.lastLines())
	}
	return strings.TrimSuffix(line, "\n")
}

// TestTheSameFileForRootAndOthers serves one brood.toml as root and as an
// ordinary user, each with its own runtime directory. The workers are the same.
func TestTheSameFileForRootAndOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	n := port(t)
	toml := fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d", "unix://{runtime}/web.sock?mode=0600"]
command = ["sh", "-c", "read -r x && echo $(id -un) $(id -gn) $HOME $(ulimit -n) $(umask)"]
protocol = "inetd"
user = "nobody"
umask = "027"
limits.nofile = "64:128"

[service.pool]
listen = ["unix://{runtime}/pool.sock"]
command = ["/usr/bin/python3", "-c", """
import os, socket
l = socket.socket(fileno=3)
while True:
    c, _ = l.accept()
    c.recv(1)
    c.sendall(b'served by %%d as %%d\\n' %% (os.getpid(), os.getuid()))
    c.close()
"""]
protocol = "none"
user = "nobody"
workers.min = 2
`, n)
	uid, _ := numbers(t, ordinary)
	var answers []string
	for _, root := range []bool{true, false} {
		t.Run(fmt.Sprintf("root %v", root), func(t *testing.T) {
			d := prepare(t, "", nil)
			d.write("brood.toml", toml)
			runtime := filepath.Join(d.dir, "brood")
			d.letIn()
			if root {
				// A /run of its own, as the file names no runtime directory.
				d.cmd.Args = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /run && exec "$@"`, d.dir, d.cmd.Path}
				d.cmd.Path = "/usr/bin/unshare"
			} else {
				d.ordinarily()
			}
			d.run()
			d.logged("daemon started")
			answers = append(answers, d.line("tcp", fmt.Sprintf("127.0.0.1:%d", n)))
			if got := d.line("unix", filepath.Join(runtime, "web.sock")); got != answers[len(answers)-1] {
				t.Errorf("by tcp %q, by a path %q", answers[len(answers)-1], got)
			}
			if got := d.line("unix", filepath.Join(runtime, "pool.sock")); !strings.HasSuffix(got, fmt.Sprintf(" as %d", uid)) {
				t.Errorf("the pool says %q", got)
			}
			d.counted(2)
			d.reload()
			d.line("unix", filepath.Join(runtime, "pool.sock"))
		})
	}
	if len(answers) != 2 || answers[0] != answers[1] || !strings.HasPrefix(answers[0], "nobody nogroup /nonexistent 64 ") {
		t.Errorf("as root and as another: %q", answers)
	}
}

// TestWhatNeedsRoot has an ordinary user ask for it: each is refused with its
// place, all at once, by the check and by the daemon.
func TestWhatNeedsRoot(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root to become somebody else")
	}
	d := prepare(t, "", nil)
	d.ordinarily()
	d.write("brood.toml", `[service.web]
listen = ["tcp://127.0.0.1:80", "unix://{runtime}/a?owner=root", "unix://{runtime}/b?group=root"]
command = ["cat"]
protocol = "none"
user = "root"
group = "daemon"
groups = ["daemon"]
limits = { nofile = 500000, core = "1G" }
log.to = "/var/log/web.log"
`)
	d.underLimits("ulimit -n 4096 && ulimit -c 0")
	check := *d.cmd
	check.Args = append(check.Args[:len(check.Args):len(check.Args)], "")
	check.Args[2] = strings.Replace(check.Args[2], `"$0"`, `"$0" --check`, 1)
	check.Stdout, check.Stderr = nil, nil
	out, err := check.CombinedOutput()
	status := (*exec.ExitError)(nil)
	if ok := errors.As(err, &status); !ok || status.ExitCode() != 1 {
		t.Errorf("the check: %v", err)
	}
	d.run()
	err = <-d.end
	d.gone = true
	if ok := errors.As(err, &status); !ok || status.ExitCode() != 1 {
		t.Errorf("the daemon: %v", err)
	}
	for _, want := range []string{
		"brood.toml:2:11: error: port 80 needs root",
		"brood.toml:2:33: error: giving the socket to root needs root",
		"brood.toml:2:66: error: giving the socket to the group root needs root",
		"brood.toml:5:8: error: running a worker as root needs root",
		"brood.toml:6:9: error: running a worker in the group daemon needs root",
		"brood.toml:7:11: error: running a worker in the group daemon needs root",
		"brood.toml:8:21: error: raising limits.nofile above brood's own hard limit of 4096 needs root",
		"brood.toml:8:36: error: raising limits.core above brood's own hard limit of 0 needs root",
		"brood.toml:9:10: error: cannot log to /var/log/web.log: permission denied, and brood runs as user",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the check does not say %q", want)
		}
		if !strings.Contains(d.said(), want) {
			t.Errorf("the daemon does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("the check says:\n%s\nthe daemon says:\n%s", out, d.said())
	}
}

// TestRuntimeOfSomebodyElse: a directory that another user has made is no place
// for our sockets.
func TestRuntimeOfSomebodyElse(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	d := prepare(t, fmt.Sprintf(serveToml, "web", port(t)), nil)
	uid, gid := numbers(t, ordinary)
	runtime := filepath.Join(d.dir, "run")
	if err := os.Mkdir(runtime, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(runtime, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	d.run()
	if err := <-d.end; err == nil {
		t.Error("it starts")
	}
	d.gone = true
	d.logged(fmt.Sprintf("it belongs to user %d; set brood.runtime in brood.toml", uid))
}

// TestNoProcessesToSpare has the user's limit of processes be reached. The
// client that was accepted meanwhile is not lost, broodd goes on, and does not
// spin.
func TestNoProcessesToSpare(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root to become somebody else")
	}
	n := port(t)
	d := prepare(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
backoff = { first = "200ms", max = "500ms" }
`, n), nil)
	d.ordinarily()
	d.run()
	d.logged("daemon started")
	d.served(n, "")
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &own); err != nil {
		t.Fatal(err)
	}
	limit := func(soft uint64) {
		t.Helper()
		cmd := exec.Command("prlimit", "--pid", fmt.Sprint(d.cmd.Process.Pid), fmt.Sprintf("--nproc=%d:%d", soft, own.Max))
		cmd.SysProcAttr = d.cmd.SysProcAttr
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	limit(1)
	var clients []net.Conn
	for range 5 {
		c, err := dial(n)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	d.loggedTimes("resource temporarily unavailable", 5)
	for range 5 { // also what else needs a thread
		d.reload()
	}
	limit(own.Max)
	for _, c := range clients {
		if _, err := askAt(c, ""); err != nil {
			t.Fatalf("a client: %v; the log:\n%s", err, d.lastLines())
		}
	}
}
