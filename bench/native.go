package main

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed programs
var applications embed.FS

// protocols are those of brood.toml that a birth is measured with; the worker
// has a mode of each name.
var protocols = []string{"postfix", "systemd", "fastcgi", "inetd"}

// nativePools has a pool of each protocol, whose workers serve one client each,
// and one whose workers stay. As they say so or not, no worker that leaves
// after a client is to be taken for one that has failed.
const nativePools = `
[template.alike]
workers.max = 4
backoff = { first = "1ms", max = "1ms" }

[service.warm]
template = "alike"
listen = ["unix://DIR/warm"]
command = ["WORKER", "stay"]
protocol = "postfix"
workers.spare = 1
`

const nativePool = `
[service.NAME]
template = "alike"
listen = ["unix://DIR/NAME"]
command = ["WORKER", "NAME"]
protocol = "NAME"
`

// pools starts a broodd with those pools; their sockets are in the directory.
func (a *arena) pools() (dir string, err error) {
	toml := nativePools
	for _, p := range protocols {
		toml += strings.ReplaceAll(nativePool, "NAME", p)
	}
	return a.native(strings.ReplaceAll(toml, "WORKER", a.b.tools.worker), "warm")
}

// native starts a broodd with a brood.toml, in which DIR is the directory that is
// returned. It is ready when a service listens at DIR/NAME.
func (a *arena) native(toml, name string) (dir string, err error) {
	if dir, err = a.b.tools.applications(); err != nil {
		return "", err
	}
	toml = "[brood]\nruntime = \"DIR/run\"\n" + toml
	file := filepath.Join(dir, "brood.toml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(toml, "DIR", dir)), 0o644); err != nil {
		return "", err
	}
	cmd := detached(a.b.tools.native, "-c", file)
	return dir, a.listens(cmd, filepath.Join(dir, name))
}

// listens starts a program and waits until it listens at a socket.
func (a *arena) listens(cmd *exec.Cmd, socket string) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	a.commands = append(a.commands, cmd)
	a.b.tools.atEnd(func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	return until(cmd.Path+" to listen", time.Millisecond, func() bool { return listening(socket) })
}

// listening tells whether somebody listens at a unix socket, without being a
// client: by the flag in the kernel's list (SO_ACCEPTCON, net/unix/af_unix.c).
func listening(socket string) bool {
	const flags, path, accepts = 3, 7, "00010000"
	for line := range strings.Lines(textOf("/proc/net/unix")) {
		if f := strings.Fields(line); len(f) > path && f[path] == socket && f[flags] == accepts {
			return true
		}
	}
	return false
}

// nativeWarm is row 11.
func nativeWarm(b *bench) (*result, error) {
	a := b.newArena()
	defer a.close()
	dir, err := a.pools()
	if err != nil {
		return nil, err
	}
	const warm, birth = "warm", "a birth"
	s, err := interleave(b.size.rounds, []subject{
		b.turn(warm, filepath.Join(dir, "warm"), 1),
		b.turn(birth, filepath.Join(dir, "postfix"), 1),
	})
	if err != nil {
		return nil, err
	}
	return &result{
		figures: []*figure{{
			what: "warm pool (spare = 1), connect to first byte", unit: "ms",
			ours: s.of(warm, latency), peer: s.of(birth, latency), peerName: birth, goal: goal{atMost, 0.15},
		}},
		notes: []string{"Both are brood, with one brood.toml; the workers speak the postfix protocol."},
	}, nil
}

// nativeBirth is row 12.
func nativeBirth(b *bench) (*result, error) {
	a := b.newArena()
	defer a.close()
	dir, err := a.pools()
	if err != nil {
		return nil, err
	}
	var turns []subject
	for _, p := range protocols {
		turns = append(turns, b.turn(p, filepath.Join(dir, p), 1))
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	res := &result{notes: []string{
		"The worker of protocol systemd says busy and idle by sd_notify; those of fastcgi and inetd say nothing.",
	}}
	bounds := map[string]float64{"systemd": 1.5, "fastcgi": 1.1, "inetd": 1.1}
	for _, p := range protocols[1:] {
		res.figures = append(res.figures, &figure{
			what: "birth by protocol " + p, unit: "ms",
			ours: s.of(p, latency), peer: s.of(protocols[0], latency), peerName: "protocol postfix",
			goal: goal{atMost, bounds[p]},
		})
	}
	return res, nil
}

// application is a program of somebody else's that takes its socket at
// descriptor 3.
type application struct {
	name     string
	protocol string
	command  []string
}

var others = []application{
	{"node", "none", []string{"node", "server.js"}},
	{"gunicorn", "systemd", []string{"gunicorn", "-w1", "--log-level", "error", "app:app"}},
	{"uvicorn", "none", []string{"/usr/bin/python3", "-m", "uvicorn", "--fd", "3", "--log-level", "error", "asgi:app"}},
}

// nativeCold is row 13.
func nativeCold(b *bench) (*result, error) {
	var turns []subject
	for _, app := range others {
		turns = append(turns,
			subject{with(brood, app.name), func() (measures, error) { return b.coldBrood(app) }},
			subject{with(systemd, app.name), func() (measures, error) { return b.coldSystemd(app) }})
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	res := &result{notes: []string{
		"The manager is started and listens; then the first client connects, asks by HTTP, and waits for the first byte.",
	}}
	for _, app := range others {
		res.figures = append(res.figures, &figure{
			what: "cold " + app.name + ", connect to first byte", unit: "ms",
			ours: s.of(with(brood, app.name), latency), peer: s.of(with(systemd, app.name), latency),
			peerName: systemd, goal: goal{atMost, 1},
		})
	}
	return res, nil
}

func with(manager, program string) string { return manager + " with " + program }

func (b *bench) coldBrood(app application) (measures, error) {
	a := b.newArena()
	defer a.close()
	toml := fmt.Sprintf("[service.web]\nlisten = [\"unix://DIR/web\"]\nprotocol = %q\ncommand = [\"%s\"]\nworkers.max = 1\n",
		app.protocol, strings.Join(app.command, `", "`))
	dir, err := a.native(toml, "web")
	if err != nil {
		return nil, err
	}
	return firstByte(filepath.Join(dir, "web"))
}

func (b *bench) coldSystemd(app application) (measures, error) {
	a := b.newArena()
	defer a.close()
	dir, err := b.tools.applications()
	if err != nil {
		return nil, err
	}
	program, err := exec.LookPath(app.command[0])
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "web")
	cmd := detached(systemd, append([]string{"-l", socket, program}, app.command[1:]...)...)
	cmd.Dir = dir
	if err := a.listens(cmd, socket); err != nil {
		return nil, err
	}
	return firstByte(socket)
}

// firstByte asks by HTTP and tells how long that took.
func firstByte(socket string) (measures, error) {
	begun := time.Now()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = conn.SetDeadline(begun.Add(patience))
	if err == nil {
		_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"))
	}
	var b [1]byte
	if err == nil {
		_, err = conn.Read(b[:])
	}
	if err == nil && b[0] != 'H' {
		err = errors.New("the answer is not HTTP")
	}
	return measures{latency: milliseconds(time.Since(begun))}, err
}

// applications makes a directory with the programs of others.
func (t *tools) applications() (dir string, err error) {
	if dir, err = t.fresh("n"); err != nil {
		return "", err
	}
	entries, err := applications.ReadDir("programs")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		text, err := applications.ReadFile("programs/" + e.Name())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, e.Name()), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}
