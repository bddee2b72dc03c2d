package why

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/ports"
	"github.com/brood-project/brood/internal/scoreboard"
)

// one is a brood.toml with one service of one connection a worker; more is
// further lines of it.
func one(port int, command, more string) string {
	return fmt.Sprintf("[service.web]\nlisten = [\"tcp://127.0.0.1:%d\"]\nprotocol = \"inetd\"\nbackoff.first = \"60s\"\nbackoff.max = \"60s\"\ncommand = %s\n%s\n", port, command, more)
}

// serving starts a daemon with one service, does something to its surroundings,
// and has a client come.
func serving(t *testing.T, command, more string, before, after func(d *daemon)) *daemon {
	t.Helper()
	d, port := newDaemon(t), ports.Free(t)
	if before != nil {
		before(d)
	}
	d.configure(one(port, command, more))
	d.start()
	if after != nil {
		after(d)
	}
	d.connect(port)
	return d
}

const program = `["{dir}/web"]`

// script makes the program a shell script.
func script(text string) func(d *daemon) {
	return func(d *daemon) { d.put("web", "#!/bin/sh\n"+text+"\n", 0o755) }
}

// python makes the program one in Python.
func python(text string) func(d *daemon) {
	return func(d *daemon) { d.put("web", "#!/usr/bin/python3\n"+text+"\n", 0o755) }
}

func TestProgramMissing(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "", script("exit 0"), func(d *daemon) { must(d, os.Remove(d.dir+"/web")) })
	d.becomes("web", "throttled", failed(false))
	d.explained("web", "its program {dir}/web does not exist")
}

func TestLibraryMissing(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "", func(d *daemon) {
		b, err := os.ReadFile("/bin/cat")
		must(d, err)
		d.put("web", string(bytes.ReplaceAll(b, []byte("libc.so.6\x00"), []byte("libq.so.6\x00"))), 0o755)
	}, nil)
	d.becomes("web", "throttled", failed(true))
	d.explained("web", "shared library libq.so.6, which is not found")
}

func TestExitAtFirstJob(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "", script("read x; echo 'fatal: DATABASE_URL is not set' >&2; exit 1"), nil)
	c := d.connect(portOf(d))
	fmt.Fprintln(c, "hello")
	d.becomes("web", "failed", failed(true))
	d.explained("web", "exit status 1", "DATABASE_URL is not set")
}

// portOf is the one that the daemon's brood.toml names.
func portOf(d *daemon) int {
	d.Helper()
	b, err := os.ReadFile(d.dir + "/brood.toml")
	must(d, err)
	var port int
	_, after, _ := strings.Cut(string(b), "127.0.0.1:")
	if _, err := fmt.Sscanf(after, "%d", &port); err != nil {
		d.Fatal(err)
	}
	return port
}

func TestSegmentationFault(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "limits.core = 0", python("import ctypes, sys\nsys.stdin.readline()\nctypes.string_at(0)"), nil)
	fmt.Fprintln(d.connect(portOf(d)), "hello")
	d.becomes("web", "failed", failed(false))
	d.explained("web", "segmentation fault (SIGSEGV)")
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	d := serving(t, program, `limits.as = "256M"`, python("x = bytearray(1 << 30)"), nil)
	d.becomes("web", "throttled", failed(true))
	d.explained("web", "refused the memory that it asked for", "limits.as")
}

// TestMemoryOfGroup has the kernel kill a worker for want of memory in the
// daemon's cgroup. Meanwhile the daemon is elsewhere, and the worker goes in by
// itself: when the dying one gives its memory back slowly, the kernel may take
// another process of the group as well.
func TestMemoryOfGroup(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need no root")
	}
	t.Parallel()
	group, limit := newMemoryGroup(t)
	d, port := newDaemon(t), ports.Free(t)
	python(fmt.Sprintf("import os\nopen(%q, 'w').write(str(os.getpid()))\nx = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))",
		group+"/cgroup.procs"))(d)
	d.configure(one(port, program, ""))
	must(t, os.WriteFile(limit, []byte("100663296"), 0))
	d.start("sh", "-c", "echo $$ >"+group+"/cgroup.procs && exec \"$@\"", "sh")
	moveTo := func(group string) {
		must(t, os.WriteFile(group+"/cgroup.procs", []byte(strconv.Itoa(d.cmd.Process.Pid)), 0))
	}
	moveTo(filepath.Dir(group))
	d.connect(port)
	d.becomes("web", "throttled", failed(false))
	moveTo(group)
	d.explained("web", "the kernel killed a worker: out of memory")
}

// newMemoryGroup makes a cgroup, of version 2 or 1, and names the file of its
// limit.
func newMemoryGroup(t *testing.T) (dir, limit string) {
	t.Helper()
	root, file := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil {
		root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	} else {
		must(t, os.WriteFile(root+"/cgroup.subtree_control", []byte("+memory"), 0))
	}
	dir, err := os.MkdirTemp(root, "brood-why-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir, filepath.Join(dir, file)
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	d := newDaemon(t)
	script("exit 0")(d)
	d.configure(one(l.Addr().(*net.TCPAddr).Port, program, ""))
	d.start()
	d.becomes("web", "missing", func(s *scoreboard.Service, _ *scoreboard.Picture) bool { return s.Missing })
	d.explained("web", "its address is taken by somebody else", l.Addr().String())
}

func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	d := serving(t, program, `directory = "{dir}/work"`, func(d *daemon) {
		script("exit 0")(d)
		must(d, os.Mkdir(d.dir+"/work", 0o755))
	}, func(d *daemon) { must(d, os.Remove(d.dir+"/work")) })
	d.becomes("web", "throttled", failed(false))
	d.explained("web", "its working directory {dir}/work does not exist")
}

func TestPoolFull(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "workers.max = 2", script("read x"), nil)
	for range 4 {
		d.connect(portOf(d))
	}
	d.becomes("web", "full", func(s *scoreboard.Service, p *scoreboard.Picture) bool { return s.State(p) == "full" && s.Queue == 3 })
	d.explained("web", "all 2 workers that it may have are busy, and 3 clients wait")
}

func TestWorkerHung(t *testing.T) {
	t.Parallel()
	d := serving(t, program, `busy = "300ms"`, script("exec sleep 3600"), nil)
	d.becomes("web", "rid of a worker", failed(false))
	d.explained("web", "hung", "busy")
}

// nobody is a line that needs root.
func asNobody(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the short tests need no root")
	}
	return `user = "nobody"`
}

func TestUserWrong(t *testing.T) {
	user := asNobody(t)
	t.Parallel()
	d := serving(t, `["{dir}/private/web"]`, user, func(d *daemon) { d.put("private/web", "#!/bin/sh\n", 0o755) },
		func(d *daemon) { must(d, os.Chmod(d.dir+"/private", 0o700)) })
	d.becomes("web", "throttled", failed(false))
	d.explained("web", "{dir}/private/web may not be executed as nobody")
}

// TestForkLimit takes an account that nobody else on the machine runs anything
// as: the limit is one of all processes of the user.
func TestForkLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need no root")
	}
	t.Parallel()
	d := serving(t, program, "user = \"games\"\nlimits.nproc = 1", python("import os\nos.fork()\nos.fork()"), nil)
	d.becomes("web", "throttled", failed(false))
	d.explained("web", "the limit of processes")
}

func TestReloadBad(t *testing.T) {
	t.Parallel()
	d := serving(t, program, "", script("read x"), nil)
	d.becomes("web", "busy", func(s *scoreboard.Service, _ *scoreboard.Picture) bool { return s.Busy == 1 })
	b, err := os.ReadFile(d.dir + "/brood.toml")
	must(t, err)
	d.put("brood.toml", string(b)+"max_uses = 3\n", 0o644)
	if out, err := d.brood("reload"); err == nil || !strings.Contains(out, "nothing has changed") {
		t.Errorf("brood reload: %v\n%s", err, out)
	}
	d.explained("web", "the last reload was refused", "brood.toml:", `a service has no key "max_uses"`)
}

func TestCertificateUnreadable(t *testing.T) {
	user := asNobody(t)
	t.Parallel()
	d := serving(t, program, user, func(d *daemon) {
		d.put("tls/web.key", "secret", 0o600)
		python("import ssl\nssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain('" + d.dir + "/tls/web.key')")(d)
	}, nil)
	d.becomes("web", "throttled", failed(true))
	d.explained("web", "nobody may not read the certificate or key file")
}
