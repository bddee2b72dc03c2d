package postfix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// instance is one complete mail system below a directory of its own.
type instance struct {
	*testing.T
	dir   string            // all of it is below
	conf  string            // main.cf and master.cf
	queue string            // queue_directory
	data  string            // data_directory
	sbin  string            // daemon_directory, the master under test included
	mail  string            // where virtual(8) puts its maildirs
	logs  string            // the file that postlogd writes
	smtp  int               // the port of smtpd
	main  map[string]string // main.cf
	rows  map[string]string // master.cf: "name type" -> the other columns
	order []string          // the keys of rows, as written
}

// newInstance makes an instance that is configured but not started. It is
// stopped, whatever state it is in, and removed when the test ends.
func newInstance(t *testing.T, master flavour) *instance {
	t.Helper()
	// t.TempDir is closed to the mail owner, and longer than is good for the
	// name of a unix-domain socket.
	dir, err := os.MkdirTemp("", "brood-pf-")
	if err != nil {
		t.Fatal(err)
	}
	in := &instance{
		T: t, dir: dir,
		conf: dir + "/conf", queue: dir + "/queue", data: dir + "/data",
		sbin: dir + "/sbin", mail: dir + "/mail", logs: dir + "/log/mail.log",
		smtp: ports.Free(t),
		rows: map[string]string{},
	}
	t.Cleanup(in.bury)
	for _, d := range []string{dir, in.conf, in.queue, in.data, in.sbin, in.mail, filepath.Dir(in.logs), dir + "/meta"} {
		must(t, os.MkdirAll(d, 0o755))
		must(t, os.Chmod(d, 0o755))
	}
	postfix := lookup(t, "postfix")
	must(t, os.Chown(in.data, postfix, -1))
	must(t, os.Chmod(in.data, 0o700))
	must(t, os.Chown(in.mail, nobody, nobody))
	in.installDaemons()
	in.use(master)
	in.main = in.defaultMain()
	in.defaultRows()
	in.write()
	return in
}

// within is the same instance for a subtest.
func (in *instance) within(t *testing.T) *instance {
	other := *in
	other.T = t
	return &other
}

// nobody owns the delivered mail.
const nobody = 65534

// installDaemons copies Debian's daemons, so that the instance's own daemon
// directory passes postfix's checks, which dislike links that lead elsewhere.
func (in *instance) installDaemons() {
	in.Helper()
	entries, err := os.ReadDir(debianDaemons)
	must(in, err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "master") {
			copyFile(in, debianDaemons+"/"+e.Name(), in.sbin+"/"+e.Name())
		}
	}
	copyFile(in, "/etc/postfix/postfix-files", in.dir+"/meta/postfix-files")
}

// use puts a master into the instance's daemon directory. One that runs goes on
// running the old file.
func (in *instance) use(master flavour) {
	in.Helper()
	if master.name == brood.name {
		must(in, broodBuilt())
	}
	fresh := in.sbin + "/master.new"
	copyFile(in, master.path, fresh)
	must(in, os.Rename(fresh, in.sbin+"/master"))
}

func (in *instance) defaultMain() map[string]string {
	return map[string]string{
		"compatibility_level":              "3.7",
		"queue_directory":                  in.queue,
		"data_directory":                   in.data,
		"daemon_directory":                 in.sbin,
		"meta_directory":                   in.dir + "/meta",
		"maillog_file":                     in.logs,
		"maillog_file_prefixes":            in.dir,
		"myhostname":                       "brood.test",
		"mydomain":                         "brood.test",
		"mydestination":                    "local.test, $myhostname",
		"mynetworks":                       "127.0.0.0/8",
		"inet_interfaces":                  "127.0.0.1",
		"inet_protocols":                   "ipv4",
		"smtpd_peername_lookup":            "no",
		"smtp_dns_support_level":           "disabled",
		"smtp_host_lookup":                 "native",
		"smtputf8_enable":                  "no",
		"biff":                             "no",
		"local_recipient_maps":             "",
		"alias_maps":                       "",
		"alias_database":                   "",
		"mail_spool_directory":             in.mail,
		"virtual_mailbox_domains":          "virtual.test",
		"virtual_mailbox_base":             in.mail,
		"virtual_mailbox_maps":             "static:box/",
		"virtual_uid_maps":                 fmt.Sprint("static:", nobody),
		"virtual_gid_maps":                 fmt.Sprint("static:", nobody),
		"virtual_transport":                "virtual",
		"transport_maps":                   "texthash:" + in.conf + "/transport",
		"relay_domains":                    "relay.test",
		"service_throttle_time":            "1s",
		"smtp_destination_recipient_limit": "1",
	}
}

// defaultRows are Debian's, but for smtpd's port.
func (in *instance) defaultRows() {
	in.row(in.port(in.smtp)+" inet", "n - y - - smtpd")
	in.row("pickup unix", "n - y 60 1 pickup")
	in.row("cleanup unix", "n - y - 0 cleanup")
	in.row("qmgr unix", "n - n 300 1 qmgr")
	in.row("tlsmgr unix", "- - y 1000? 1 tlsmgr")
	in.row("rewrite unix", "- - y - - trivial-rewrite")
	in.row("bounce unix", "- - y - 0 bounce")
	in.row("defer unix", "- - y - 0 bounce")
	in.row("trace unix", "- - y - 0 bounce")
	in.row("verify unix", "- - y - 1 verify")
	in.row("flush unix", "n - y 1000? 0 flush")
	in.row("proxymap unix", "- - n - - proxymap")
	in.row("proxywrite unix", "- - n - 1 proxymap")
	in.row("smtp unix", "- - y - - smtp")
	in.row("relay unix", "- - y - - smtp")
	in.row("showq unix", "n - y - - showq")
	in.row("error unix", "- - y - - error")
	in.row("retry unix", "- - y - - error")
	in.row("discard unix", "- - y - - discard")
	in.row("local unix", "- n n - - local")
	in.row("virtual unix", "- n n - - virtual")
	in.row("lmtp unix", "- - y - - lmtp")
	in.row("anvil unix", "- - y - 1 anvil")
	in.row("scache unix", "- - y - 1 scache")
	in.row("postlog unix-dgram", "n - n - 1 postlogd")
}

// set changes main.cf. The running master learns of it with a reload.
func (in *instance) set(name, value string) {
	in.Helper()
	in.main[name] = value
	in.write()
}

// row adds a row to master.cf or replaces it; the key is "name type".
func (in *instance) row(key, columns string) {
	if _, known := in.rows[key]; !known {
		in.order = append(in.order, key)
	}
	in.rows[key] = columns
}

// drop takes a row out of master.cf.
func (in *instance) drop(key string) {
	delete(in.rows, key)
	for i, k := range in.order {
		if k == key {
			in.order = append(in.order[:i:i], in.order[i+1:]...)
			return
		}
	}
}

// line is where a row stands in master.cf, counted from 1.
func (in *instance) line(key string) int {
	for i, k := range in.order {
		if k == key {
			return i + 1
		}
	}
	in.Helper()
	in.Fatalf("master.cf has no row %q", key)
	return 0
}

// write writes main.cf, master.cf and an empty transport map, if there is none.
func (in *instance) write() {
	in.Helper()
	names := make([]string, 0, len(in.main))
	for name := range in.main {
		names = append(names, name)
	}
	sort.Strings(names)
	var main, master strings.Builder
	for _, name := range names {
		fmt.Fprintf(&main, "%s = %s\n", name, in.main[name])
	}
	for _, key := range in.order {
		fmt.Fprintf(&master, "%s %s\n", key, in.rows[key])
	}
	in.file("main.cf", main.String())
	in.file("master.cf", master.String())
	if _, err := os.Stat(in.conf + "/transport"); errors.Is(err, fs.ErrNotExist) {
		in.file("transport", "")
	}
}

// file replaces a file of the configuration directory in one step, as a daemon
// may be born while it is written. It is given an older date, because Postfix
// reads a file again and again for as long as it looks freshly written, which
// costs each program that starts a second or two.
func (in *instance) file(name, content string) {
	in.Helper()
	fresh := in.conf + "/." + name
	must(in, os.WriteFile(fresh, []byte(content), 0o644))
	before := time.Now().Add(-10 * time.Second)
	must(in, os.Chtimes(fresh, before, before))
	must(in, os.Rename(fresh, in.conf+"/"+name))
}

// transport says which service delivers a domain's mail; the daemons learn of
// it with a reload or when they are born.
func (in *instance) transport(domainToNexthop map[string]string) {
	in.Helper()
	var b strings.Builder
	for domain, nexthop := range domainToNexthop {
		fmt.Fprintf(&b, "%s %s\n", domain, nexthop)
	}
	in.file("transport", b.String())
}

// chroot fills the queue directory with what chrooted daemons need, with
// Debian's own script.
func (in *instance) chroot() {
	in.Helper()
	in.run("/usr/lib/postfix/configure-instance.sh")
}

// command is a program that speaks to this instance and to no other.
func (in *instance) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = in.dir
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+in.conf, "LC_ALL=C")
	cmd.WaitDelay = await.Patience
	return cmd
}

// try runs a program and returns what it printed and how it ended. The output
// goes through a file, so that a daemon that wrongly keeps it open cannot stall
// us.
func (in *instance) try(name string, args ...string) (string, error) {
	return in.tryWith("", name, args...)
}

func (in *instance) tryWith(input, name string, args ...string) (string, error) {
	in.Helper()
	out, err := os.CreateTemp(in.dir, ".out-")
	must(in, err)
	defer os.Remove(out.Name())
	defer out.Close()
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	defer cancel()
	cmd := in.command(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), out, out
	err = cmd.Run()
	printed, readErr := os.ReadFile(out.Name())
	must(in, readErr)
	return string(printed), err
}

// run runs a program that must succeed.
func (in *instance) run(name string, args ...string) string {
	in.Helper()
	out, err := in.try(name, args...)
	if err != nil {
		in.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// postfix runs postfix -c DIR, which must succeed.
func (in *instance) postfix(args ...string) string {
	in.Helper()
	return in.run("postfix", append([]string{"-c", in.conf}, args...)...)
}

// start starts the instance and returns the master's pid.
func (in *instance) start() int {
	in.Helper()
	in.postfix("start")
	return in.master()
}

// master is the pid in master.pid.
func (in *instance) master() int {
	in.Helper()
	text, err := os.ReadFile(in.queue + "/pid/master.pid")
	must(in, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(in, err)
	return pid
}

// reload reloads and waits until the master says that it has begun.
func (in *instance) reload() {
	in.Helper()
	from := in.mark()
	in.postfix("reload")
	in.await(from, `master\[\d+\]: reload -- version`)
}

// bury ends whatever is left of the instance when its test is over, and shows
// what happened if the test failed.
func (in *instance) bury() {
	if in.Failed() {
		in.Logf("processes of the instance:\n%s", in.processTable())
		in.Logf("the queue: %q", in.queued("maildrop", "incoming", "active", "deferred"))
		in.Logf("the end of the log:\n%s", in.tail(80))
	}
	for _, p := range in.processes() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	await.That(in, "the processes of the instance to be gone", func() bool { return len(in.processes()) == 0 })
	if err := os.RemoveAll(in.dir); err != nil {
		in.Errorf("cannot remove the instance: %v", err)
	}
}

func (in *instance) port(port int) string { return strconv.Itoa(port) }

// address is where a port of this instance is reached.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func lookup(t testing.TB, name string) (uid int) {
	t.Helper()
	u, err := user.Lookup(name)
	must(t, err)
	uid, err = strconv.Atoi(u.Uid)
	must(t, err)
	return uid
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	info, err := os.Stat(from)
	must(t, err)
	must(t, os.WriteFile(to, text, info.Mode().Perm()))
	must(t, os.Chmod(to, info.Mode().Perm()))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
