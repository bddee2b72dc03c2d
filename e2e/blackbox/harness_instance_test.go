package blackbox

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// lifetime is handed to every master as -e, so that none outlives a test run
// that was killed.
const lifetime = 300 * time.Second

// mailOwner is the account that Postfix's packages create.
const mailOwner = "postfix"

// syslogName is the tag of every instance's log lines.
const syslogName = "bb"

// instance is one scratch Postfix: directories, files and at most one running
// master.
type instance struct {
	t      *testing.T
	m      master
	root   string
	host   string // a loopback address that no other instance uses
	params []string
	rows   []string
	env    []string
	attr   syscall.SysProcAttr
	bare   bool     // without -c
	wrap   []string // a command in front of the master, such as unshare -pf
	log    *logReader
	nest   *nest
	run    *running
	// births is the generation of the newest child that the test met.
	births int
}

// newInstance lays out a scratch instance. Rows of master.cf are added with
// service, settings of main.cf with set; nothing runs before start.
func newInstance(t *testing.T, m master) *instance {
	t.Helper()
	root, err := os.MkdirTemp("", "bb")
	if err != nil {
		t.Fatal(err)
	}
	in := &instance{t: t, m: m, root: root, host: fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 2+rand.IntN(250))}
	in.must(os.Chmod(root, 0o755))
	for _, dir := range []string{"conf", "data", "lib", "log", "queue", "queue/pid", "queue/public", "queue/private"} {
		in.must(os.Mkdir(in.path(dir), 0o755))
	}
	for _, dir := range []string{"data", "queue/public", "queue/private"} {
		in.must(os.Chown(in.path(dir), ownerID(t), -1))
	}
	self, err := os.Executable()
	in.must(err)
	in.must(os.Symlink(self, in.path("lib", fakeCommand)))
	in.must(os.Symlink(m.path, in.path("lib/master"))) // a diverted binary has another name
	in.must(os.WriteFile(in.path("lib/raw"), []byte(rawScript), 0o755))
	in.set("compatibility_level = 3.6",
		"queue_directory = "+in.path("queue"),
		"data_directory = "+in.path("data"),
		"daemon_directory = "+in.path("lib"),
		"mail_owner = "+mailOwner,
		"syslog_name = "+syslogName,
		"maillog_file = "+in.path("log/mail"),
		"maillog_file_prefixes = "+in.path("log"),
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"service_throttle_time = 1s")
	in.service(canary + " unix - - n - 0 " + fakeCommand)
	in.nest = newNest(t, in.path("queue", controlSocket))
	in.log = newLogReader(t, in.path("queue/public/postlog"), in.path("log/mail"))
	t.Cleanup(in.cleanup)
	return in
}

// cleanup leaves no process and no file behind. What a failed row needs to be
// understood is printed first.
func (in *instance) cleanup() {
	if in.t.Failed() {
		in.log.readFile()
		in.t.Logf("master: %s\nmaster.cf:\n%s\nlog:\n%s%s", in.m.path, strings.Join(in.rows[:min(len(in.rows), 20)], "\n"), in.log.all(), in.run.describe())
	}
	if in.run != nil {
		in.run.kill()
	}
	in.nest.close()
	in.log.close()
	_ = os.RemoveAll(in.root)
}

// head is the beginning of a file, bounded because a row may have put a device
// without end in its place.
func head(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return text
}

func (in *instance) path(parts ...string) string {
	return filepath.Join(append([]string{in.root}, parts...)...)
}

func (in *instance) must(err error) {
	in.t.Helper()
	if err != nil {
		in.t.Fatal(err)
	}
}

// ownSyslog gives the master a /dev of its own whose /dev/log is the test, for
// what a master says before it heeds maillog_file. Postfix heeds it only when
// it is all set up; a row that asks for an early line takes it from either.
func (in *instance) ownSyslog() {
	in.t.Helper()
	in.log.listen(in.t, in.path("log/syslog"))
	script := `mount -t tmpfs none /dev &&
		mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/full c 1 7 &&
		mknod -m 666 /dev/random c 1 8 && mknod -m 666 /dev/urandom c 1 9 &&
		ln -s "$0" /dev/log && exec "$@"`
	in.wrap = []string{"unshare", "--mount", "sh", "-c", script, in.path("log/syslog")}
}

// set puts settings into main.cf, in the place of earlier ones of their names.
func (in *instance) set(lines ...string) {
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		in.params = slices.DeleteFunc(in.params, func(old string) bool {
			known, _, _ := strings.Cut(old, "=")
			return strings.TrimSpace(known) == strings.TrimSpace(name)
		})
		in.params = append(in.params, line)
	}
}

// service adds rows to master.cf.
func (in *instance) service(rows ...string) { in.rows = append(in.rows, rows...) }

// rewrite replaces the rows that start with prefix by others; no rows remove
// them.
func (in *instance) rewrite(prefix string, rows ...string) {
	var kept []string
	for _, row := range in.rows {
		if !strings.HasPrefix(row, prefix) {
			kept = append(kept, row)
		}
	}
	in.rows = slices.Concat(kept, rows)
}

// writeConfiguration puts both files down. Postfix re-reads a file that was
// changed a moment ago until it is quiet, seconds later, hence the old dates.
func (in *instance) writeConfiguration() {
	in.t.Helper()
	old := time.Now().Add(-time.Hour)
	for name, lines := range map[string][]string{"main.cf": in.params, "master.cf": in.rows} {
		file := in.path("conf", name)
		in.must(os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
		in.must(os.Chtimes(file, old, old))
	}
}

// command is the master's command line on this instance, not yet started.
func (in *instance) command(options ...string) *exec.Cmd {
	in.writeConfiguration()
	args := []string{in.path("lib/master")}
	if !in.bare {
		args = append(args, "-c", in.path("conf"))
	}
	args = append(args, options...)
	args = slices.Concat(in.wrap, args)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, in.env...)
	attr := in.attr
	cmd.SysProcAttr = &attr
	return cmd
}

// start runs a master and waits until it says that it is there.
func (in *instance) start(options ...string) *running {
	in.t.Helper()
	run := in.launch(options...)
	in.log.wait(in.t, `^info: daemon started -- version `)
	return run
}

// launch runs a master without waiting for anything.
func (in *instance) launch(options ...string) *running {
	in.t.Helper()
	cmd := in.command(append(options, "-e", strconv.Itoa(int(lifetime.Seconds())))...)
	in.run = startRunning(in.t, cmd)
	return in.run
}

// runToEnd runs a master that is expected to leave by itself and returns its
// exit status and what it wrote.
func (in *instance) runToEnd(options ...string) (status int, output string) {
	in.t.Helper()
	return finish(in.t, in.command(options...))
}

// finish waits for the end of a command. One that does not come to it is asked,
// by a QUIT, where it is; a master of ours answers with its goroutines.
func finish(t *testing.T, cmd *exec.Cmd) (status int, output string) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot run %v: %v", cmd.Args, err)
	}
	quit := time.AfterFunc(await.Patience, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	kill := time.AfterFunc(await.Patience+5*time.Second, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	kill.Stop()
	if !quit.Stop() {
		t.Fatalf("%v did not end: %v\n%s", cmd.Args, err, said.String())
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// reload rewrites the configuration, sends HUP and waits for the log line.
func (in *instance) reload() {
	in.t.Helper()
	in.writeConfiguration()
	in.run.signal(syscall.SIGHUP)
	in.log.wait(in.t, `^info: reload -- version `)
}

// dial connects to a unix service of the instance by its name in master.cf. A
// master that was only launched may still be on its way to listen.
func (in *instance) dial(name string) net.Conn {
	in.t.Helper()
	return in.dialAt("unix", in.endpoint(name))
}

// endpoint is the file of a unix service or fifo.
func (in *instance) endpoint(name string) string {
	in.t.Helper()
	found := ""
	await.That(in.t, "an endpoint called "+name, func() bool {
		for _, class := range []string{"private", "public"} {
			if _, err := os.Lstat(in.path("queue", class, name)); err == nil {
				found = in.path("queue", class, name)
			}
		}
		return found != ""
	})
	return found
}

func (in *instance) dialAt(network, address string) net.Conn {
	in.t.Helper()
	var conn net.Conn
	await.That(in.t, "a connection to "+address, func() bool {
		var err error
		conn, err = net.DialTimeout(network, address, await.Patience)
		return err == nil
	})
	in.t.Cleanup(func() { conn.Close() })
	return conn
}

func ownerID(t *testing.T) int {
	t.Helper()
	u, err := user.Lookup(mailOwner)
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
