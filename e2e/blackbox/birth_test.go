package blackbox

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

var birthRows = []row{
	{"birth/standard-descriptors", "0, 1 and 2 are /dev/null", birthStandard},
	{"birth/flow-pipe", "3 and 4 are the two ends of one pipe for all services, non-blocking, made once for life", birthFlowPipe},
	{"birth/status-channel", "5 is a duplex socket, one pair for each service", birthStatusChannel},
	{"birth/listeners", "6, 7, … are the listening sockets in address order, non-blocking", birthListeners},
	{"birth/no-other-descriptor", "nothing else is open in a child", birthNothingElse},
	{"birth/generation", "GENERATION is octal and counts up by one with every birth over all services", birthGeneration},
	{"birth/default-environment", "the environment is what import_environment lets through, MAIL_CONFIG, MAIL_LOGTAG, POSTLOG_*, GENERATION, and no more", birthEnvironment},
	{"birth/import-environment", "import_environment copies names, sets name=value and { name = value }", birthImport},
	{"birth/no-postlog-without-maillog-file", "without maillog_file there is no POSTLOG_SERVICE", birthNoPostlog},
	{"birth/directory-and-umask", "a child is born in queue_directory with umask 077", birthDirectory},
	{"birth/signals", "SIGPIPE is ignored, every other signal has its default, none is blocked", birthSignals},
	{"birth/session", "a child has the session and the process group of the master, who leads both", birthSession},
	{"birth/root", "a child is born as root, with the master's limits", birthRoot},
	{"birth/program", "the program is daemon_directory/command; argv[0] is the command as written", birthProgram},
}

// rawService is a row whose child is not of Go, whose runtime would change
// signals and limits before anybody can look: a shell that reads its status
// channel until it is told to leave.
const rawService = "raw unix - - n - 3 raw"

const rawScript = "#!/bin/sh\nread line <&5\nexit 0\n"

// raw brings about a child of rawService and returns its pid once it is the
// shell, so that /proc shows what the master made of it. Those that the test
// knows already are not meant.
func (in *instance) raw(known ...int) int {
	in.t.Helper()
	in.dial("raw")
	pid := 0
	await.That(in.t, "a child that is a shell", func() bool {
		for _, p := range in.run.children() {
			if !slices.Contains(known, p) && slices.Contains(commandLineOf(p), in.path("lib/raw")) && shellReads(p) {
				pid = p
			}
		}
		return pid != 0
	})
	return pid
}

// shellReads tells that the shell has come to its first command, whose
// redirection is undone only after it: 10 is the shell's own file, 11 its copy
// of standard input.
func shellReads(pid int) bool {
	link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid))
	return strings.HasPrefix(link, "socket:")
}

// commandLineOf is the argument vector of a process.
func commandLineOf(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(string(text), "\x00")
}

// at is the descriptor of a child with this number.
func at(t *testing.T, list []descriptor, fd int) descriptor {
	t.Helper()
	for _, d := range list {
		if d.FD == fd {
			return d
		}
	}
	t.Fatalf("descriptor %d is not open; open are %v", fd, list)
	return descriptor{}
}

func birthStandard(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("fake unix - - n - 1 fake")
	in.start()
	in.dial("fake")
	list := in.child("fake").Descriptors
	for fd := range 3 {
		if d := at(t, list, fd); d.Link != os.DevNull {
			t.Errorf("descriptor %d is %s", fd, d.Link)
		}
	}
}

func birthFlowPipe(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(rawService, "other unix - - n - 2 fake")
	in.start()
	pid := in.raw()
	raw := descriptorsOf(pid)
	if r, w := descriptorFlags(pid, flowRead)&syscall.O_ACCMODE, descriptorFlags(pid, flowWrite)&syscall.O_ACCMODE; r != syscall.O_RDONLY || w != syscall.O_WRONLY {
		t.Errorf("access modes of 3 and 4: %d, %d", r, w)
	}
	in.dial("other")
	first := in.child("other")
	in.reload()
	first.toldToLeave()
	first.exit(0)
	second := in.child("other")
	reading := at(t, raw, flowRead)
	for _, list := range [][]descriptor{raw, first.Descriptors, second.Descriptors} {
		for _, fd := range []int{flowRead, flowWrite} {
			d := at(t, list, fd)
			if d.Link != reading.Link || !strings.HasPrefix(d.Link, "pipe:") || !d.Nonblock {
				t.Errorf("descriptor %d is %+v; the pipe is %s", fd, d, reading.Link)
			}
		}
	}
	second.must(order{Do: "write", FD: flowWrite, Data: []byte("token")})
	if got := second.must(order{Do: "read", FD: flowRead, N: 16}); string(got.Data) != "token" {
		t.Errorf("through the flow pipe came %q", got.Data)
	}
}

func birthStatusChannel(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("one unix - - n - 3 fake", "two unix - - n - 3 fake")
	in.start()
	var links []string
	for _, service := range []string{"one", "one", "two"} {
		in.dial(service)
		c := in.child(service)
		c.take()
		links = append(links, socketAt(c, statusFd))
	}
	if links[0] != links[1] || links[0] == links[2] || !strings.HasPrefix(links[0], "socket:") {
		t.Errorf("status channels of one, one and two: %v", links)
	}
}

func birthListeners(t *testing.T, m master) {
	in := newInstance(t, m)
	port := strconv.Itoa(ports.Free(t))
	in.set("inet_protocols = all", "inet_interfaces = 127.0.0.1, [::1]", "smtp_address_preference = ipv4")
	in.service(port + " inet n - n - 3 fake")
	in.start()
	in.dialAt("tcp", "127.0.0.1:"+port)
	c := in.child(port)
	in.dialAt("tcp", "[::1]:"+port)
	c.acceptAt(listenFd)
	c.acceptAt(listenFd + 1)
	for _, fd := range []int{listenFd, listenFd + 1} {
		if d := at(t, c.Descriptors, fd); !d.Nonblock {
			t.Errorf("descriptor %d blocks", fd)
		}
	}
	wantArgs(t, c, "-s", "2")
	if order := listenerAddresses(t, c); !slices.Equal(order, []string{"127.0.0.1:" + port, "[::1]:" + port}) {
		t.Errorf("6 and 7 listen at %v", order)
	}
}

func birthNothingElse(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(rawService, "12 unix - - n - 2 fake", "ff fifo n - n - 2 fake", "dg unix-dgram n - n - 2 fake")
	in.start()
	first := in.raw()
	in.dial("12")
	in.child("12").take()
	in.reload()
	list := descriptorsOf(in.raw(first))
	var open []int
	for _, d := range list {
		open = append(open, d.FD)
	}
	// 10 and 11 are the shell's: its program, and standard input set aside.
	if !slices.Equal(open, []int{0, 1, 2, 3, 4, 5, 6, 10, 11}) {
		t.Errorf("open in a child: %+v", list)
	}
}

func birthGeneration(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("one unix - - n - 0 fake", "two unix - - n - 0 fake")
	in.start()
	for i := range 10 {
		service := []string{"one", "two"}[i%2]
		in.dial(service)
		c := in.child(service)
		c.take()
		if got, _ := c.env("GENERATION"); got != strconv.FormatInt(int64(i+1), 8) {
			t.Errorf("birth %d has GENERATION=%s", i+1, got)
		}
	}
	in.reload()
	in.noBirth()
}

// environmentMap turns an environment into names and values.
func environmentMap(env []string) map[string]string {
	all := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		all[name] = value
	}
	return all
}

func (in *instance) wantEnvironment(want map[string]string) {
	in.t.Helper()
	got := environmentMap(environmentOf(in.t, in.raw()))
	if !maps.Equal(got, want) {
		in.t.Errorf("a child's environment is\n%v, not\n%v", got, want)
	}
}

func birthEnvironment(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("myhostname = bb.example")
	in.env = []string{"TZ=UTC", "SECRET=x", "LANG=de_DE", "DISPLAY=:7", "GENERATION=777"}
	in.service(rawService)
	in.start()
	in.wantEnvironment(map[string]string{
		"MAIL_CONFIG": in.path("conf"), "MAIL_LOGTAG": syslogName,
		"TZ": "UTC", "LANG": "C", "DISPLAY": ":7",
		"POSTLOG_SERVICE": in.path("queue/public/postlog"), "POSTLOG_HOSTNAME": "bb.example", "GENERATION": "1",
	})
}

func birthImport(t *testing.T, m master) {
	in := newInstance(t, m)
	in.env = []string{"COPIED=from outside", "OTHER=no", "LANG=de_DE"}
	in.set("import_environment = MAIL_CONFIG, COPIED ABSENT SET=to-this { SPACED = with some blanks } { LANG=en }")
	in.service(rawService)
	in.start()
	got := environmentMap(environmentOf(t, in.raw()))
	want := map[string]string{"COPIED": "from outside", "SET": "to-this", "SPACED": "with some blanks", "LANG": "en", "MAIL_CONFIG": in.path("conf")}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s=%q, not %q", name, got[name], value)
		}
	}
	for _, name := range []string{"OTHER", "ABSENT", "PATH"} {
		if value, there := got[name]; there {
			t.Errorf("%s=%q got through", name, value)
		}
	}
}

func birthNoPostlog(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("maillog_file =")
	in.service(rawService)
	in.launch()
	got := environmentMap(environmentOf(t, in.raw()))
	for name := range got {
		if strings.HasPrefix(name, "POSTLOG_") {
			t.Errorf("%s=%q", name, got[name])
		}
	}
}

func birthDirectory(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(rawService)
	in.start()
	pid := in.raw()
	if dir, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); dir != in.path("queue") {
		t.Errorf("a child was born in %s", dir)
	}
	if mask := statusField(t, pid, "Umask"); mask != "0077" {
		t.Errorf("a child was born with umask %s", mask)
	}
}

func birthSignals(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(rawService)
	in.start()
	pid := in.raw()
	// What this test was started with ignored, as nohup(1) does with HUP, stays
	// so for all below it, but for what the master catches.
	ignored, err := strconv.ParseUint(statusField(t, os.Getpid(), "SigIgn"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, caught := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		ignored &^= 1 << (uint(caught) - 1)
	}
	for field, want := range map[string]uint64{"SigBlk": 0, "SigIgn": ignored | 1<<(uint(syscall.SIGPIPE)-1)} {
		got, err := strconv.ParseUint(statusField(t, pid, field), 16, 64)
		if err != nil || got != want {
			t.Errorf("%s is %x, not %x (%v)", field, got, want, err)
		}
	}
}

func birthSession(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(rawService)
	in.start()
	group, session := groupAndSession(t, in.raw())
	if group != in.run.pid || session != in.run.pid {
		t.Errorf("a child has group %d and session %d; the master is %d", group, session, in.run.pid)
	}
}

func birthRoot(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(rawService)
	in.wrap = []string{"prlimit", "--nofile=700:900", "--core=0:0", "--"}
	in.start()
	pid := in.raw()
	for _, field := range []string{"Uid", "Gid"} {
		if got := statusField(t, pid, field); got != "0 0 0 0" {
			t.Errorf("%s of a child: %s", field, got)
		}
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	in.must(err)
	for line := range strings.Lines(string(limits)) {
		// Postfix raises the soft limit of open files, for itself and its
		// children; the hard ones stand.
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "Max open files") && fields[4] != "900" || strings.HasPrefix(line, "Max core file size") && fields[5] != "0" {
			t.Errorf("a child's limits have %q", line)
		}
	}
}

func birthProgram(t *testing.T, m master) {
	in := newInstance(t, m)
	in.must(os.Mkdir(in.path("lib/deep"), 0o755))
	in.must(os.Symlink(in.path("lib", fakeCommand), in.path("lib/deep/fake3")))
	in.service("svc unix - - n - 2 deep/fake3")
	in.start()
	in.dial("svc")
	if c := in.child("svc"); c.Args[0] != "deep/fake3" {
		t.Errorf("argv[0] is %q", c.Args[0])
	}
}
