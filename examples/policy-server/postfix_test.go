package main

import (
	"bufio"
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

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// TestMain makes the test binary the policy server when a master calls it so.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "policy-server" {
		main()
	}
	os.Exit(m.Run())
}

// masterVariable names the environment variable that says which master to test
// under, instead of Postfix's own.
const masterVariable = "WORKER_TEST_MASTER"

const daemons = "/usr/lib/postfix/sbin"

// mailSystem is a Postfix of the test's own: configuration, queue, data, port.
type mailSystem struct {
	t    *testing.T
	dir  string
	port int
}

const mainCF = `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
daemon_directory = DIR/sbin
maillog_file = DIR/log
maillog_file_prefixes = DIR
import_environment = MAIL_CONFIG MAIL_LOGTAG GORACE=atexit_sleep_ms=0
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.test
mydestination = example.test
local_transport = discard
local_recipient_maps =
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtpd_recipient_restrictions = check_policy_service unix:private/policy, permit_mynetworks, reject
`

const masterCF = `127.0.0.1:PORT inet n - n - 5 smtpd
policy    unix  -  n  y  -  1  policy-server
    -o policy_table=DIR/etc/policy -o policy_rate=3
anvil     unix  -  -  n  -  1  anvil
rewrite   unix  -  -  n  -  -  trivial-rewrite
cleanup   unix  n  -  n  -  0  cleanup
qmgr      unix  n  -  n  300 1 qmgr
discard   unix  -  -  n  -  -  discard
bounce    unix  -  -  n  -  0  bounce
defer     unix  -  -  n  -  0  bounce
trace     unix  -  -  n  -  0  bounce
proxymap  unix  -  -  n  -  -  proxymap
postlog   unix-dgram n - n - 1 postlogd
`

const policyTable = `
spammer@example.com  REJECT Not you
example.org          DEFER Not now
`

func startMail(t *testing.T) *mailSystem {
	t.Helper()
	base, err := os.MkdirTemp("", "policy")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(base) })
	must(t, os.Chmod(base, 0o755))
	m := &mailSystem{t: t, dir: base, port: ports.Free(t)}
	m.makeTree()
	fill := strings.NewReplacer("DIR", base, "PORT", strconv.Itoa(m.port))
	for name, text := range map[string]string{"main.cf": mainCF, "master.cf": masterCF, "policy": policyTable} {
		must(t, os.WriteFile(filepath.Join(base, "etc", name), []byte(fill.Replace(text)), 0o644))
	}
	m.start()
	return m
}

func (m *mailSystem) makeTree() {
	owner, err := user.Lookup("postfix")
	must(m.t, err)
	uid, err := strconv.Atoi(owner.Uid)
	must(m.t, err)
	for _, d := range []string{"etc", "sbin", "queue", "queue/pid"} {
		must(m.t, os.Mkdir(filepath.Join(m.dir, d), 0o755))
	}
	for _, d := range []string{
		"data", "queue/private", "queue/public", "queue/incoming", "queue/active",
		"queue/deferred", "queue/defer", "queue/bounce", "queue/trace", "queue/corrupt", "queue/hold", "queue/flush",
	} {
		path := filepath.Join(m.dir, d)
		must(m.t, os.Mkdir(path, 0o700))
		must(m.t, os.Chown(path, uid, -1))
	}
	all, err := os.ReadDir(daemons)
	must(m.t, err)
	for _, d := range all {
		must(m.t, os.Symlink(filepath.Join(daemons, d.Name()), filepath.Join(m.dir, "sbin", d.Name())))
	}
	self, err := os.Executable()
	must(m.t, err)
	must(m.t, os.Symlink(self, filepath.Join(m.dir, "sbin", "policy-server")))
}

func (m *mailSystem) start() {
	program := os.Getenv(masterVariable)
	if program == "" {
		program = filepath.Join(daemons, "master")
	}
	var out bytes.Buffer
	cmd := exec.Command(program, "-c", filepath.Join(m.dir, "etc"), "-d")
	cmd.Stdout, cmd.Stderr = &out, &out
	// A master signals its whole process group when it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(m.t, cmd.Start())
	m.t.Cleanup(func() {
		must(m.t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait() // it dies of the signal
		if m.t.Failed() {
			log, _ := os.ReadFile(m.log())
			m.t.Logf("output: %s\nlog: %s", out.String(), log)
		}
	})
	await.Line(m.t, m.log(), "daemon started")
}

func (m *mailSystem) log() string { return filepath.Join(m.dir, "log") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestProtocolUnderMaster speaks to the server as smtpd would.
func TestProtocolUnderMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	m := startMail(t)
	conn, err := net.DialTimeout("unix", filepath.Join(m.dir, "queue/private/policy"), await.Patience)
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(await.Patience))
	in := bufio.NewReader(conn)
	ask := func(sender, client string) string {
		t.Helper()
		fmt.Fprintf(conn, "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=%s\n"+
			"recipient=a@example.test\nclient_address=%s\n\n", sender, client)
		line, err := in.ReadString('\n')
		must(t, err)
		_, err = in.ReadString('\n')
		must(t, err)
		return strings.TrimSuffix(line, "\n")
	}
	for _, c := range []struct{ sender, client, want string }{
		{"spammer@example.com", "192.0.2.1", "action=REJECT Not you"},
		{"x@example.org", "192.0.2.1", "action=DEFER Not now"},
		{"x@example.com", "192.0.2.1", "action=DUNNO"},
		{"x@example.com", "192.0.2.1", "action=DUNNO"},
		{"x@example.com", "192.0.2.1", "action=DUNNO"},
		{"x@example.com", "192.0.2.1", "action=DEFER_IF_PERMIT Too many recipients from your address, please slow down"},
		{"x@example.com", "192.0.2.2", "action=DUNNO"},
	} {
		if got := ask(c.sender, c.client); got != c.want {
			t.Errorf("%s from %s: %s, want %s", c.sender, c.client, got, c.want)
		}
	}
}

// TestSmtpdAsksThePolicyServer sends mail with a real client through a real
// smtpd.
func TestSmtpdAsksThePolicyServer(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	m := startMail(t)
	for _, c := range []struct {
		sender string
		code   int // swaks: 0 sent, 24 no recipient was accepted
		want   string
	}{
		{"friend@example.com", 0, "250 2.1.5 Ok"},
		{"spammer@example.com", 24, "554 5.7.1 <to@example.test>: Recipient address rejected: Not you"},
		{"x@example.org", 24, "450 4.7.1 <to@example.test>: Recipient address rejected: Not now"},
		{"friend@example.com", 0, "250 2.1.5 Ok"},
		{"friend@example.com", 0, "250 2.1.5 Ok"},
		{"friend@example.com", 24, "450 4.7.1 <to@example.test>: Recipient address rejected: Too many recipients"},
	} {
		cmd := exec.Command("swaks", "--server", "127.0.0.1", "--port", strconv.Itoa(m.port), "--timeout", "20",
			"--helo", "client.example.com", "--from", c.sender, "--to", "to@example.test")
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: swaks said %v, want %d and %q in\n%s", c.sender, err, c.code, c.want, out)
		}
	}
	await.Line(m.t, m.log(), "relay=none, delay=")
	await.Line(m.t, m.log(), "status=sent (example.test)")
}
