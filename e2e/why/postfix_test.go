package why

import (
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/ports"
)

// debianDaemons is where Postfix's programs are.
const debianDaemons = "/usr/lib/postfix/sbin"

// newPostfix is a Postfix below broodd, in a directory of its own, with the
// services that smtpd needs. Settings are further lines of main.cf, chroot is the
// column of smtpd in master.cf.
func newPostfix(t *testing.T, chroot, settings string) (d *daemon, port int) {
	t.Helper()
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	d, port = newDaemon(t), ports.Free(t)
	d.socket = d.dir + "/queue/pid/brood.sock"
	for _, name := range []string{"conf", "queue", "data", "log", "meta"} {
		must(t, os.MkdirAll(filepath.Join(d.dir, name), 0o755))
	}
	owner, err := user.Lookup("postfix")
	must(t, err)
	uid, err := strconv.Atoi(owner.Uid)
	must(t, err)
	must(t, os.Chown(d.dir+"/data", uid, -1))
	d.installDaemons()
	before := time.Now().Add(-time.Hour) // Postfix waits for files that look freshly written.
	for name, text := range map[string]string{
		"main.cf": `compatibility_level = 3.7
queue_directory = {dir}/queue
data_directory = {dir}/data
daemon_directory = {dir}/sbin
meta_directory = {dir}/meta
maillog_file = {dir}/log/mail.log
maillog_file_prefixes = {dir}
myhostname = brood.test
mydestination = local.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_recipient_maps =
` + settings + "\n",
		"master.cf": fmt.Sprintf("127.0.0.1:%d inet n - %s - - smtpd\n", port, chroot) +
			"cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n" +
			"proxymap unix - - n - - proxymap\nsmtp unix - - y - - smtp\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\nretry unix - - n - - error\nanvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n",
	} {
		d.put("conf/"+name, strings.ReplaceAll(text, "{dir}", d.dir), 0o644)
		must(t, os.Chtimes(d.dir+"/conf/"+name, before, before))
	}
	d.postfix("start")
	t.Cleanup(func() { d.postfix("stop") })
	d.eventually("broodd answers", func() bool { return d.picture("") != nil })
	return d, port
}

// installDaemons copies Postfix's daemons, with broodd for the master.
func (d *daemon) installDaemons() {
	d.Helper()
	dir, err := bin()
	must(d, err)
	entries, err := os.ReadDir(debianDaemons)
	must(d, err)
	must(d, os.MkdirAll(d.dir+"/sbin", 0o755))
	copyOf := func(from, to string) {
		b, err := os.ReadFile(from)
		must(d, err)
		must(d, os.WriteFile(to, b, 0o755))
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "master") {
			copyOf(filepath.Join(debianDaemons, e.Name()), filepath.Join(d.dir, "sbin", e.Name()))
		}
	}
	copyOf("/etc/postfix/postfix-files", d.dir+"/meta/postfix-files")
	copyOf(dir+"/broodd", d.dir+"/sbin/master")
}

// postfix runs postfix(1) on the instance. Its output goes to a file, so that a
// daemon that keeps it open cannot stall us.
func (d *daemon) postfix(verb string) {
	d.Helper()
	out, err := os.Create(d.dir + "/log/" + verb)
	must(d, err)
	defer out.Close()
	cmd := exec.Command("postfix", "-c", d.dir+"/conf", verb)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(d.dir + "/log/mail.log")
		d.Errorf("postfix %s: %v\n%s%s", verb, err, text, log)
	}
}

// smtpd is how brood calls the service with Postfix's smtpd: by its address.
func smtpd(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func TestRelayRestrictions(t *testing.T) {
	t.Parallel()
	d, port := newPostfix(t, "n", "smtpd_relay_restrictions = permit_mynetworks\nsmtpd_recipient_restrictions =")
	d.connect(port)
	d.becomes(smtpd(port), "throttled", failed(true))
	d.explained(smtpd(port), "a setting in main.cf is refused: smtpd_relay_restrictions")
}

// TestChrootWithoutFiles has smtp look for /etc/services below the queue
// directory, where nobody has put it.
func TestChrootWithoutFiles(t *testing.T) {
	t.Parallel()
	d, port := newPostfix(t, "n", "relayhost = [127.0.0.1]:pop3\nsmtp_dns_support_level = disabled\nsmtp_host_lookup = native")
	must(t, smtp.SendMail(smtpd(port), nil, "from@brood.test", []string{"to@elsewhere.test"}, []byte("Subject: a test\r\n\r\nA line.\r\n")))
	d.becomes("smtp", "throttled", failed(true))
	d.explained("smtp", "it does not find the service pop3/tcp: /etc/services cannot be read", "its root is {dir}/queue")
}
