package worker_test

import (
	"bytes"
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
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// masterVariable names the environment variable that says which master to test
// under, instead of Postfix's own.
const masterVariable = "WORKER_TEST_MASTER"

// daemons is where Postfix's own master and its children are.
const daemons = "/usr/lib/postfix/sbin"

// instance is a running master with a configuration, queue and data directory
// of its own, whose daemons are the programs of this test.
type instance struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// startMaster runs the rows, in which PORT is a free port of 127.0.0.1.
func startMaster(t *testing.T, rows string) *instance {
	t.Helper()
	base, err := os.MkdirTemp("", "worker")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(base) })
	// The mail owner must be able to pass.
	must(t, os.Chmod(base, 0o755))
	m := &instance{t: t, dir: base, port: ports.Free(t)}
	owner := lookupOwner(t)
	for _, d := range []string{"etc", "data", "sbin", "queue", "queue/pid", "queue/private", "queue/public"} {
		must(t, os.Mkdir(m.path(d), 0o755))
		if d == "data" || d == "queue/private" || d == "queue/public" {
			must(t, os.Chown(m.path(d), owner, -1))
		}
	}
	self, err := os.Executable()
	must(t, err)
	for name := range programs {
		must(t, os.Symlink(self, m.path("sbin/"+name)))
	}
	must(t, os.Symlink(filepath.Join(daemons, "postlogd"), m.path("sbin/postlogd")))
	m.write("etc/main.cf", fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
daemon_directory = %[1]s/sbin
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
import_environment = MAIL_CONFIG MAIL_LOGTAG %[2]s
max_use = 3
`, base, raceAtExit))
	m.write("etc/master.cf", strings.ReplaceAll(rows, "PORT", strconv.Itoa(m.port))+
		"\npostlog unix-dgram n - n - 1 postlogd\n")
	m.start()
	return m
}

func (m *instance) path(name string) string { return filepath.Join(m.dir, name) }

func (m *instance) write(name, text string) {
	m.t.Helper()
	must(m.t, os.WriteFile(m.path(name), []byte(text), 0o644))
}

func (m *instance) start() {
	m.t.Helper()
	program := os.Getenv(masterVariable)
	if program == "" {
		program = filepath.Join(daemons, "master")
	}
	m.cmd = exec.Command(program, "-c", m.path("etc"), "-d")
	m.cmd.Stdout, m.cmd.Stderr = &m.out, &m.out
	// The master signals its whole process group when it ends.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(m.t, m.cmd.Start())
	m.t.Cleanup(func() {
		must(m.t, m.cmd.Process.Signal(syscall.SIGTERM))
		_ = m.cmd.Wait() // it dies of the signal
		if m.t.Failed() {
			log, _ := os.ReadFile(m.path("log"))
			m.t.Logf("output: %s\nlog: %s", m.out.String(), log)
		}
	})
	await.Line(m.t, m.path("log"), "daemon started")
}

// private dials a service of the private directory.
func (m *instance) private(name string) *client {
	m.t.Helper()
	return dial(m.t, "unix", m.path("queue/private/"+name))
}

func lookupOwner(t *testing.T) int {
	t.Helper()
	u, err := user.Lookup("postfix")
	must(t, err)
	uid, err := strconv.Atoi(u.Uid)
	must(t, err)
	return uid
}

// rowsOfAll is one service for every loop and every way of being confined.
const rowsOfAll = `
127.0.0.1:PORT inet n - n - 2 single
locked  unix  - - n - 2 single -o accept_order=serial
jail    unix  - - y - 2 single
root    unix  - n n - 2 single
many    unix  - - n - 1 multi
web     unix  - - n - 1 web
passed  pass  - - n - 1 single
alarm   unix  - - n 1 1 trigger
pipe    fifo  - - n 1 1 trigger
gram    unix-dgram - - n - 1 dgram
broken  unix  - - n - 1 broken
`

func TestUnderMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	m := startMaster(t, rowsOfAll)
	t.Run("clients are served and the worker wears out", m.wearsOut)
	t.Run("accept lock", m.acceptLock)
	t.Run("confinement", m.confinement)
	t.Run("multi", m.multi)
	t.Run("pass", m.pass)
	t.Run("wake-up", m.wakeUp)
	t.Run("datagram", m.datagram)
	t.Run("fatal", m.fatal)
	t.Run("reload", m.reload)
}

func (m *instance) wearsOut(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", m.port)
	pids := map[int]int{}
	for range 7 {
		k := dial(t, "tcp", address)
		pids[k.greet()]++
		k.bye()
	}
	// max_use of main.cf is 3.
	for pid, n := range pids {
		if n > 3 {
			t.Errorf("worker %d served %d clients", pid, n)
		}
		if line := await.Line(t, m.path("log"), fmt.Sprintf("postfix/single[%d]: ready", pid)); !strings.Contains(line, "service=127.0.0.1:") {
			t.Errorf("log line %q", line)
		}
	}
	// The limit is two: both are served at the same time by different workers.
	a, b := dial(t, "tcp", address), dial(t, "tcp", address)
	if pa, pb := a.greet(), b.greet(); pa == pb {
		t.Errorf("worker %d serves two clients at the same time", pa)
	}
	a.bye()
	b.bye()
}

func (m *instance) acceptLock(t *testing.T) {
	k := m.private("locked")
	k.greet()
	k.bye()
	info, err := os.Stat(m.path("queue/pid/unix.locked"))
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("lock file mode %v", info.Mode())
	}
	// Idle again, the worker holds the lock, so that we can't have it.
	f, err := os.OpenFile(m.path("queue/pid/unix.locked"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	await.That(t, "the idle worker holds the lock", func() bool {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EWOULDBLOCK {
			return true
		}
		must(t, unix.Flock(int(f.Fd()), unix.LOCK_UN))
		return false
	})
}

func (m *instance) confinement(t *testing.T) {
	owner, err := user.Lookup("postfix")
	must(t, err)
	var queue, top syscall.Stat_t
	must(t, syscall.Stat(m.path("queue"), &queue))
	must(t, syscall.Stat("/", &top))
	mail := fmt.Sprintf("uid=%[1]s euid=%[1]s gid=%[2]s groups=[%[2]s]", owner.Uid, owner.Gid)
	for service, want := range map[string]string{
		"locked": fmt.Sprintf("%s cwd=%d root=%d", mail, queue.Ino, top.Ino),
		"jail":   fmt.Sprintf("%s cwd=%d root=%d", mail, queue.Ino, queue.Ino),
		"root":   fmt.Sprintf("uid=0 euid=0 gid=0 groups=[0] cwd=%d root=%d", queue.Ino, top.Ino),
	} {
		k := m.private(service)
		pid := k.greet()
		if got := k.ask("who"); got != want && !(service == "root" && strings.HasPrefix(got, "uid=0 euid=0 gid=0 ")) {
			t.Errorf("%s: %s, want %s", service, got, want)
		}
		k.bye()
		// Logging works on from inside.
		await.Line(t, m.path("log"), fmt.Sprintf("postfix/single[%d]: ready", pid))
	}
}

func (m *instance) multi(t *testing.T) {
	a, b := m.private("many"), m.private("many")
	if pa, pb := a.greet(), b.greet(); pa != pb {
		t.Errorf("served by %d and %d, want one worker", pa, pb)
	}
	a.bye()
	b.bye()
	k := m.private("web")
	fmt.Fprint(k.conn, "GET / HTTP/1.0\r\n\r\n")
	if got := k.line(); got != "HTTP/1.0 200 OK\r" {
		t.Errorf("answer %q", got)
	}
}

func (m *instance) pass(t *testing.T) {
	ours, theirs := unixPair(t)
	sender, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: m.path("queue/private/passed")})
	must(t, err)
	defer sender.Close()
	_, _, err = sender.WriteMsgUnix([]byte{0}, unix.UnixRights(theirs), nil)
	must(t, err)
	must(t, unix.Close(theirs))
	fmt.Fprint(sender, "client_address\x00192.0.2.9\x00\x00")
	ours.greet()
	if got := ours.ask("attr"); got != "192.0.2.9" {
		t.Errorf("client_address %q", got)
	}
	ours.bye()
}

func (m *instance) wakeUp(t *testing.T) {
	await.Line(t, m.path("log"), `woken by "W" over unix`)
	await.Line(t, m.path("log"), `woken by "W" over fifo`)
}

func (m *instance) datagram(t *testing.T) {
	me := &net.UnixAddr{Net: "unixgram", Name: m.path("queue/me")}
	conn, err := net.DialUnix("unixgram", me, &net.UnixAddr{Net: "unixgram", Name: m.path("queue/private/gram")})
	must(t, err)
	defer conn.Close()
	// The worker answers as the mail owner.
	must(t, os.Chmod(me.Name, 0o666))
	conn.SetDeadline(time.Now().Add(await.Patience))
	fmt.Fprint(conn, "hello")
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	must(t, err)
	if got := string(buf[:n]); got != "re: hello" {
		t.Errorf("reply %q", got)
	}
}

func (m *instance) fatal(t *testing.T) {
	dial(t, "unix", m.path("queue/private/broken"))
	await.Line(t, m.path("log"), "]: fatal: cannot open table: no?such file")
	await.Line(t, m.path("log"), "broken: bad command startup -- throttling")
}

// reload: an idle worker leaves when the master renews its status channel, a
// busy one once its client is done, and a new one takes over.
func (m *instance) reload(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", m.port)
	k := dial(t, "tcp", address)
	old := k.greet()
	must(t, m.cmd.Process.Signal(syscall.SIGHUP))
	if got := k.ask("leave?"); got != "leaving" {
		t.Errorf("after a reload the worker is %s", got)
	}
	k.bye()
	next := dial(t, "tcp", address)
	if pid := next.greet(); pid == old {
		t.Errorf("worker %d serves on after a reload", pid)
	}
	next.bye()
}
