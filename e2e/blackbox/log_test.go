package blackbox

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/brood-project/brood/internal/await"
)

var logRows = []row{
	{"log/started-and-reload", "daemon started and reload, with version and configuration", logStarted},
	{"log/to-postlog", "with maillog_file lines go to public/postlog under the tag $syslog_name/master[pid]", logPostlog},
	{"log/to-postlog-service", "a postlog service of master.cf is born on the first line, which it finds", logPostlogService},
	{"log/fall-back-to-file", "without a postlog socket they go to the file", logFallback},
	{"log/to-syslog", "without maillog_file they go to syslog, facility mail, with their severities", logSyslog},
	{"log/master-cf-faults", "a bad row of master.cf is a fatal line with file, line and what is wrong", logFaults},
	{"log/duplicate-service", "a service that is there twice: a warning, and the last one serves", logDuplicate},
	{"log/duplicate-by-spelling", "smtp and 25 are the same service there, too", logDuplicateSpelling},
	{"log/address-in-use", "an address that is taken is a fatal line at start", logAddressInUse},
	{"log/missing-files", "a missing main.cf or master.cf is a fatal line with its name", logMissing},
}

// postconf is the default of a parameter in the installed Postfix.
func postconf(t *testing.T, parameter string) string {
	t.Helper()
	out, err := exec.Command("postconf", "-dhx", parameter).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func logStarted(t *testing.T, m master) {
	in := newInstance(t, m)
	in.start()
	in.reload()
	in.barrier()
	for _, event := range []string{"daemon started", "reload"} {
		if n := in.log.count(`^info: ` + event + ` -- version \S+, configuration ` + in.path("conf") + `$`); n != 1 {
			t.Errorf("%d lines of %q", n, event)
		}
	}
}

func logPostlog(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("syslog_name = some-name")
	in.launch()
	line := in.log.wait(t, "^info: daemon started")
	if line.Tag != "some-name/master" || line.PID != fmt.Sprint(in.run.pid) {
		t.Errorf("the tag is %s[%s]", line.Tag, line.PID)
	}
}

func logPostlogService(t *testing.T, m master) {
	in := newInstance(t, m)
	in.log.close()
	in.must(os.RemoveAll(in.path("queue/public/postlog")))
	in.service("postlog unix-dgram n - n - 1 fake")
	in.launch()
	c := in.child("postlog")
	a := c.must(order{Do: "read", FD: listenFd, N: 1000})
	if line, ok := parseLogLine(string(a.Data)); !ok || !strings.HasPrefix(line.Text, "info: daemon started") {
		t.Errorf("the postlog service reads %q first", a.Data)
	}
	wantArgs(t, c, "-l", "-n", "postlog", "-t", "unix-dgram")
}

func logFallback(t *testing.T, m master) {
	in := newInstance(t, m)
	in.log.close()
	in.must(os.RemoveAll(in.path("queue/public/postlog")))
	in.launch()
	first := await.Line(t, in.path("log/mail"), "")
	line, _ := parseLogLine(first)
	if !strings.HasPrefix(line.Text, "info: daemon started") || line.Tag != syslogName+"/master" {
		t.Errorf("the file begins with %q", first)
	}
}

func logSyslog(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.set("maillog_file =")
	in.service("svc unix - - n - 1 fake")
	in.launch()
	wantPriority := func(line logLine, priority string) {
		t.Helper()
		if line.Priority != priority || line.Tag != syslogName+"/master" || line.PID != fmt.Sprint(in.run.pid) {
			t.Errorf("not with %s: %+v", priority, line)
		}
	}
	wantPriority(in.log.wait(t, "^info: daemon started"), "<22>")
	in.dial("svc")
	in.child("svc").exit(1)
	wantPriority(in.log.wait(t, "^warning: process .* exit status 1$"), "<20>")
	if status, _ := in.runToEnd(); status == 0 {
		t.Errorf("a second master started")
	}
	if line := in.log.wait(t, "^fatal: "); line.Priority != "<18>" {
		t.Errorf("not with <18>: %+v", line)
	}
}

func logFaults(t *testing.T, m master) {
	for _, fault := range []struct{ row, says string }{
		{"svc", `missing "transport type" field`},
		{"svc unix", `missing "private" field`},
		{"svc unix -", `missing "unprivileged" field`},
		{"svc unix - -", `missing "chroot" field`},
		{"svc unix - - n", `missing "wakeup_time" field`},
		{"svc unix - - n -", `missing "max_proc" field`},
		{"svc unix - - n - -", `missing "command" field`},
		{"svc unix x - n - - fake", `field "private": bad value: "x"`},
		{"svc unix - x n - - fake", `field "unprivileged": bad value: "x"`},
		{"svc unix - - x - - fake", `field "chroot": bad value: "x"`},
		{"svc unix - - n x - fake", `field "wakeup_time": bad value: "x"`},
		{"svc unix - - n -1 - fake", `field "wakeup_time": bad value: "-1"`},
		{"svc unix - - n - x fake", `field "max_proc": bad value: "x"`},
		{"svc unix - - n - -1 fake", `field "max_proc": bad value: "-1"`},
		{"svc telex - - n - - fake", `bad transport type: telex`},
		{"25 inet y - n - - fake", `inet service cannot be private`},
		{"25 inet - - n - - fake", `inet service cannot be private`},
		{"svc unix - - n - - fake { x", `missing '}' in "{ x"`},
	} {
		t.Run(fault.row, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.ownSyslog()
			in.service("# a comment", "", fault.row)
			if status, _ := in.runToEnd(); status == 0 {
				t.Errorf("exit status 0")
			}
			in.log.want(t, fmt.Sprintf("fatal: %s: line 4: %s", in.path("conf/master.cf"), fault.says))
		})
	}
}

func logDuplicate(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.service("svc unix - - n - 1 fake first", in.host+":25 inet n - n - 1 fake",
		"svc unix - - n - 1 fake last", in.host+":25 inet n - n - 1 fake")
	in.launch()
	in.log.want(t, `warning: duplicate master.cf entry for service "svc" (private/svc) -- using the last entry`)
	in.log.want(t, fmt.Sprintf(`warning: duplicate master.cf entry for service "%s:25" ([%s]:25) -- using the last entry`, in.host, in.host))
	in.log.wait(t, "^info: daemon started")
	in.dial("svc")
	wantArgs(t, in.child("svc"), "last")
}

func logDuplicateSpelling(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.service(in.host+":smtp inet n - n - 1 fake first", in.host+":25 inet n - n - 1 fake last")
	in.launch()
	in.log.want(t, fmt.Sprintf(`warning: duplicate master.cf entry for service "%s:smtp" ([%s]:25) -- using the last entry`, in.host, in.host))
	in.log.wait(t, "^info: daemon started")
	in.dialAt("tcp", in.host+":25")
	wantArgs(t, in.child(in.host+":25"), "last")
}

func logAddressInUse(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.service(in.host + ":25 inet n - n - 1 fake")
	l, err := net.Listen("tcp", in.host+":25")
	in.must(err)
	defer l.Close()
	if status, _ := in.runToEnd(); status == 0 {
		t.Errorf("exit status 0")
	}
	in.log.want(t, fmt.Sprintf("fatal: bind %s port 25: Address already in use", in.host))
	l.Close()
	in.start()
	in.run.signal(syscall.SIGTERM)
	in.run.wait()
}

func logMissing(t *testing.T, m master) {
	for _, file := range []string{"main.cf", "master.cf"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.ownSyslog()
			cmd := in.command()
			in.must(os.Remove(in.path("conf", file)))
			if status, _ := finish(t, cmd); status == 0 {
				t.Errorf("exit status 0")
			}
			in.log.want(t, fmt.Sprintf("fatal: open %s: No such file or directory", in.path("conf", file)))
		})
	}
}
