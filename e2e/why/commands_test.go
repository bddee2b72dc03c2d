package why

import (
	"errors"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/scoreboard"
)

// says runs a command, and wants an exit status and a text.
func (d *daemon) says(status int, text string, args ...string) {
	d.Helper()
	out, err := d.brood(args...)
	got, exit := 0, (*exec.ExitError)(nil)
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		d.Fatal(err)
	}
	if got != status || !strings.Contains(out, text) {
		d.Errorf("brood %s: exit status %d, want %d and %q:\n%s", strings.Join(args, " "), got, status, text, out)
	}
}

// rewritten replaces a text in a file of the daemon, which it must have.
func (d *daemon) rewritten(name, from, to string) {
	d.Helper()
	b, err := os.ReadFile(d.dir + "/" + name)
	must(d, err)
	if !strings.Contains(string(b), from) {
		d.Fatalf("%s has no %q:\n%s", name, from, b)
	}
	d.put(name, strings.Replace(string(b), from, to, 1), 0o644)
	before := time.Now().Add(-time.Hour)
	must(d, os.Chtimes(d.dir+"/"+name, before, before))
}

// TestCommands has one daemon do all that an operator may ask for.
func TestCommands(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "workers.max = 2", script("read x"), nil)
	d.becomes("web", "busy", func(s *scoreboard.Service, _ *scoreboard.Picture) bool { return s.Busy == 1 })
	d.says(0, "", "status", "--wait", "ready")
	d.says(0, "web", "status", "--config", d.dir)
	d.says(0, "A reload would change nothing", "plan")
	d.rewritten("brood.toml", "workers.max = 2", "workers.max = 3")
	d.says(2, "workers.max: 3, was 2", "plan")
	d.says(0, "Reloaded: 1 changed", "reload")
	d.rewritten("brood.toml", "workers.max = 3", "workers.max = 0")
	d.says(1, "brood.toml:", "plan")
	d.says(1, "nothing has changed", "reload")
	d.says(0, "THE LAST RELOAD WAS REFUSED", "status")
	d.says(0, "until the next reload", "scale", "web", "4")
	d.says(0, "of 4 at most", "status", "web")
	d.says(0, "paused", "pause", "web")
	d.says(1, "not ready after", "status", "--wait", "ready", "--timeout", "100ms")
	d.says(0, "resumed", "resume", "web")
	d.says(0, "", "status", "web", "--wait", "degraded")
	d.says(0, "was born", "events")
	d.says(0, "was born", "why", "web", "--events")
	d.says(1, "was cut off with its client at the deadline", "drain", "web", "--deadline", "100ms")
	d.says(0, "web", "resume", "web")
	d.says(1, "no service", "restart", "nobody")
}

// TestPostfixCommands asks the same of a Postfix that has had real mail.
func TestPostfixCommands(t *testing.T) {
	t.Parallel()
	d, port := newPostfix(t, "n", "")
	must(t, smtp.SendMail(smtpd(port), nil, "from@brood.test", []string{"to@local.test"}, []byte("Subject: a test\r\n\r\nA line.\r\n")))
	d.says(0, "", "status", "--wait", "ready")
	for _, service := range []string{smtpd(port), "cleanup", "qmgr"} {
		d.becomes(service, "one that has had a client", func(s *scoreboard.Service, _ *scoreboard.Picture) bool {
			return s.Counts.Births > 0 && s.Counts.Clients > 0
		})
	}
	d.says(0, "postfix", "status", "--config", d.dir+"/conf")
	d.says(0, "nothing is wrong", "why", "qmgr")
	d.says(0, "nothing is wrong", "why", "qmgr/unix")
	d.says(0, "private/rewrite", "status", "rewrite/unix")
	d.says(0, "would change nothing", "plan")
	d.rewritten("conf/master.cf", "unix - - n - 0 bounce", "unix - - n - 7 bounce")
	d.says(2, "bounce", "plan")
	d.says(0, "Reloaded", "reload")
	d.rewritten("conf/master.cf", "7 bounce", "seven bounce")
	d.says(1, "master.cf", "plan")
	d.says(1, "nothing has changed", "reload")
	d.says(0, "THE LAST RELOAD WAS REFUSED", "status")
	d.rewritten("conf/master.cf", "seven bounce", "7 bounce")
	d.says(0, "Nothing has changed", "reload")
	d.says(0, "until the next reload", "scale", "bounce", "3")
	d.says(0, "woken", "wake", "qmgr")
	d.says(0, "reset", "reset", "--all")
	d.says(0, "All workers have ended", "drain", smtpd(port), "--deadline", "20s")
	d.says(0, "resumed", "resume", smtpd(port))
	must(t, smtp.SendMail(fmt.Sprintf("127.0.0.1:%d", port), nil, "from@brood.test", []string{"to@local.test"}, []byte("Subject: another\r\n\r\nA line.\r\n")))
}

// TestReader asks as a user who may read only.
func TestReader(t *testing.T) {
	asNobody(t)
	t.Parallel()
	d := serving(t, `["{dir}/web", "--password=secret"]`, "", script("echo 'fatal: the password secret is wrong' >&2; exit 3"), nil)
	d.becomes("web", "failed", failed(true))
	d.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for _, args := range [][]string{{"status"}, {"status", "web"}, {"why", "web"}, {"why", "web", "--events"}, {"events"}, {"status", "--json"}} {
		out, err := d.brood(args...)
		if err != nil || strings.Contains(out, "secret") {
			t.Errorf("brood %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	d.says(0, "What it said is shown to operators only", "why", "web")
	d.says(1, "needs the role operate", "pause", "web")
	d.says(1, "needs the role admin", "stop", "--now")
	d.says(1, "needs the role operate", "reload")
}
