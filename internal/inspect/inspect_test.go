package inspect

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/brood-project/brood/internal/scoreboard"
)

// world is a directory in which tests put what a service needs.
type world struct {
	*testing.T
	dir string
}

func newWorld(t *testing.T) world {
	t.Helper()
	dir, err := os.MkdirTemp("", "inspect")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// Everybody may pass, unlike the directory that a test gets.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return world{t, dir}
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func (w world) put(name, text string, mode os.FileMode) string {
	w.Helper()
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.Fatal(err)
	}
	return path
}

// patched is a copy of a program of this machine in which a text is another of
// the same length.
func (w world) patched(from, to string) string {
	w.Helper()
	b, err := os.ReadFile("/bin/cat")
	if err != nil {
		w.Fatal(err)
	}
	if len(from) != len(to) || !bytes.Contains(b, []byte(from)) {
		w.Fatalf("cannot make %q of %q", to, from)
	}
	return w.put("patched", string(bytes.ReplaceAll(b, []byte(from), []byte(to))), 0o755)
}

// inspected wants certain texts among what is found to be wrong, and no others.
func (w world) inspected(s scoreboard.Service, want ...string) {
	w.Helper()
	found := Service(&scoreboard.Picture{PID: int32(os.Getpid())}, &s)
	var wrong []string
	for _, f := range found {
		if f.Wrong {
			wrong = append(wrong, f.Text)
		}
	}
	if len(wrong) != len(want) {
		w.Errorf("found %q, want %q", wrong, want)
		return
	}
	for i, text := range want {
		if !strings.Contains(wrong[i], text) {
			w.Errorf("found %q, want %q", wrong[i], text)
		}
	}
}

func command(words ...string) scoreboard.Service { return scoreboard.Service{Command: words} }

func TestPrograms(t *testing.T) {
	w := newWorld(t)
	w.inspected(command("/bin/cat"))
	w.inspected(command(w.path("none")), "The program "+w.path("none")+" does not exist.")
	w.inspected(command(w.path("no/such/place")), "and neither does "+w.path("no"))
	w.inspected(command(w.dir), "is a directory, not a program")
	w.inspected(command(w.put("plain", "#!/bin/sh\n", 0o644)), "is not executable (mode 0644)")
	w.inspected(command(w.put("script", "#!/bin/sh\n", 0o755)))
	w.inspected(command(w.put("empty", "", 0o755)), "is empty")
	w.inspected(command(w.put("text", "hello\n", 0o755)), "is neither a program nor a script")
	w.inspected(command(w.put("lost", "#!/nowhere/python3 -u\n", 0o755)), "The interpreter /nowhere/python3 of "+w.path("lost")+" does not exist.")
	w.inspected(command(w.put("env", "#!/usr/bin/env no-such-interpreter\n", 0o755)), "The interpreter no-such-interpreter of")
	w.inspected(command(w.put("dos", "#!/bin/sh\r\n", 0o755)), "ends with a carriage return")
	relative := command("./script")
	relative.Directory = w.dir
	w.inspected(relative)
}

func TestLoading(t *testing.T) {
	w := newWorld(t)
	w.inspected(command(w.patched("libc.so.6\x00", "libq.so.6\x00")), "The shared library libq.so.6, which "+w.path("patched")+" needs, is not found.")
	w.inspected(command(w.patched("/ld-linux", "/ld-minix")), "was built for does not exist")
	if cache := loaderCache(); cache["libc.so.6"] == "" {
		t.Error("the loader's cache is not understood")
	}
}

func TestSurroundings(t *testing.T) {
	w := newWorld(t)
	s := command("/bin/cat")
	s.Directory = w.path("gone/away")
	w.inspected(s, "The directory "+s.Directory+" does not exist, and neither does "+w.path("gone"))
	s.Directory = w.put("file", "", 0o644)
	w.inspected(s, "is not a directory")
	s = command("/bin/cat")
	s.User = "no-such-user"
	w.inspected(s, "There is no user no-such-user")
	s.User = "4242"
	w.inspected(s)
}

// TestPermissions needs nobody's and root's files.
func TestPermissions(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need no root")
	}
	w := newWorld(t)
	program := w.put("closed/program", "#!/bin/sh\n", 0o755)
	s := command(program)
	s.User = "nobody"
	w.inspected(s)
	if err := os.Chmod(w.path("closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.inspected(s, w.path("closed")+" is closed for nobody (root:root, mode 0700)")
	s = command("/bin/cat", "--key="+w.put("web.key", "secret", 0o600), w.put("public.pem", "", 0o644))
	s.User = "nobody"
	w.inspected(s, "nobody may not read the certificate or key file "+w.path("web.key")+" (root:root, mode 0600).")
	s = command(w.put("mine", "#!/bin/sh\n", 0o700))
	s.User = "nobody"
	w.inspected(s, "nobody may not execute "+w.path("mine"))
}

func TestFiles(t *testing.T) {
	w := newWorld(t)
	s := command("/bin/cat", w.path("web.conf"), "--pid-file="+w.path("made.pid"))
	w.inspected(s, w.path("web.conf")+", named in its command, does not exist.")
	s = command("/bin/cat")
	s.Failure = &scoreboard.Death{Exit: 1, Words: []string{"open '" + w.path("data.db") + "': No such file or directory"}}
	w.inspected(s, w.path("data.db")+", named in its last words, does not exist.")
	w.put("data.db", "", 0o644)
	w.inspected(s)
	s.Chroot = w.path("root")
	w.inspected(s, "is not there below its root: "+filepath.Join(s.Chroot, w.path("data.db")))
}

func TestAddresses(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := scoreboard.Service{
		Listen:     []scoreboard.Address{{Address: "tcp://" + l.Addr().String()}},
		Missing:    true,
		MissingWhy: fmt.Sprintf("cannot bind %s: address already in use", l.Addr()),
	}
	found := Service(&scoreboard.Picture{PID: 1}, &s)
	want := fmt.Sprintf("%s is held by process %d (inspect.test).", l.Addr(), os.Getpid())
	if len(found) != 1 || !found[0].Wrong || found[0].Text != want {
		t.Errorf("%+v, want %s", found, want)
	}
	w.inspected(scoreboard.Service{
		Name: "web", Protocol: "none", Listen: s.Listen,
		Failure: &scoreboard.Death{Words: []string{"OSError: [Errno 98] Address already in use"}},
	}, "is brood's own: it listens there for web, and its workers get that socket ready made.")
	l.Close()
	found = Service(&scoreboard.Picture{PID: 1}, &s)
	if len(found) != 1 || found[0].Wrong || !strings.HasPrefix(found[0].Text, "Nobody has port ") {
		t.Errorf("%+v", found)
	}
	w.inspected(scoreboard.Service{
		Listen:     []scoreboard.Address{{Address: "unix://" + w.path("run/web.sock")}},
		MissingWhy: "cannot bind: no such file or directory",
	}, "The directory "+w.path("run")+" of its socket does not exist.")
}

func TestPortsIn(t *testing.T) {
	for text, want := range map[string]string{
		"cannot bind 127.0.0.1:8080: address already in use": "[8080]",
		"listen tcp [::1]:443: bind: address already in use": "[443]",
		"listen tcp :80: bind":                               "[80]",
		"at 10:59 it failed":                                 "[]",
		"nothing":                                            "[]",
		// As Postfix, nginx, gunicorn, node and Go say it.
		"fatal: bind 0.0.0.0 port 25: Address already in use":                                                          "[25]",
		"nginx: [emerg] bind() to [::]:80 failed (98: Address already in use)":                                         "[80]",
		"[2026-11-22 18:11:03 +0000] [9861] [ERROR] Connection in use: ('127.0.0.1', 44749)":                           "[44749]",
		"Error: listen EADDRINUSE: address already in use :::8080\n    at listenInCluster (node:net:1965:12)":          "[8080]",
		"    at Server.listen (node:net:2067:7)\n    at Object.<anonymous> (/srv/server.js:12:3)\n  port: 8080":        "[8080]",
		"2026/11/22 18:11:03 listen tcp 127.0.0.1:8080: bind: address already in use\nmain.go:12 +0x1d\nexit status 1": "[8080]",
	} {
		if got := fmt.Sprint(portsIn(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	s := scoreboard.Service{User: "4242", Failure: &scoreboard.Death{Cause: "cannot clone: resource temporarily unavailable"}}
	found := Service(&scoreboard.Picture{PID: int32(os.Getpid())}, &s)
	text := fmt.Sprint(found)
	if !strings.Contains(text, "4242 has 0 processes and threads now.") {
		t.Error(text)
	}
}

// TestHung looks at a process that sleeps.
func TestHung(t *testing.T) {
	cmd := exec.Command("sleep", "3600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	pid := int32(cmd.Process.Pid)
	for _, row := range []struct {
		worker scoreboard.Worker
		told   bool
	}{
		{scoreboard.Worker{PID: pid, State: "deaf"}, true},
		{scoreboard.Worker{PID: pid, State: "busy", Busy: 1}, true},
		{scoreboard.Worker{PID: pid, State: "busy", Busy: 200e9}, false},
		{scoreboard.Worker{PID: pid, State: "idle"}, false},
		{scoreboard.Worker{PID: 1 << 30, State: "deaf"}, false},
	} {
		s := scoreboard.Service{Workers: []scoreboard.Worker{row.worker}}
		text := fmt.Sprint(Service(&scoreboard.Picture{PID: 1, At: 201e9}, &s))
		if got := strings.Contains(text, fmt.Sprintf("Worker %d is in the state ", pid)); got != row.told {
			t.Errorf("%+v: %s", row.worker, text)
		}
	}
}

// TestStopped looks at a worker that a signal has stopped: whatever brood counts
// it as, it serves nobody.
func TestStopped(t *testing.T) {
	cmd := exec.Command("sleep", "3600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var state syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &state, syscall.WUNTRACED, nil); err != nil || !state.Stopped() {
		t.Fatal(state, err)
	}
	s := scoreboard.Service{Workers: []scoreboard.Worker{{PID: int32(cmd.Process.Pid), State: "idle"}}}
	for _, f := range Service(&scoreboard.Picture{PID: 1, At: 201e9}, &s) {
		if f.About == "worker" && f.Wrong && strings.Contains(f.Text, "is stopped by a signal") && strings.Contains(f.Do, "kill -CONT") {
			return
		}
	}
	t.Error("nothing is said of a stopped worker")
}
