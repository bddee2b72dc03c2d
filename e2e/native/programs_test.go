package native

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is one that nobody here wrote, in a pool of at most three workers.
// Each serves one client at a time, for half a second when it is asked to be
// slow.
type program struct {
	name  string
	toml  string // {port} is a free port
	files map[string]string
	// ask has one client served and returns what it is told; the pid of who
	// served it is the last word.
	ask func(d *daemon, port int, slow bool) (string, error)
}

const ceiling = 3

var programs = []program{
	{
		name: "gunicorn",
		toml: `
[service.web]
listen = ["tcp://127.0.0.1:{port}"]
command = ["gunicorn", "-w1", "app:app"]
protocol = "systemd"
workers.max = 3
idle = "1s"
start = { notify = true, timeout = "30s" }
`,
		files: map[string]string{"app.py": `
import os, time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow": time.sleep(0.5)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served by %d\n" % os.getpid()]
`},
		ask: askHTTP,
	},
	{
		name: "node",
		toml: `
[service.web]
listen = ["tcp://127.0.0.1:{port}"]
command = ["node", "server.js", "{fd}"]
protocol = "none"
workers.max = 3
idle = "1s"
`,
		files: map[string]string{"server.js": `
const http = require('http');
const server = http.createServer((q, r) => {
  if (q.url == '/slow') for (const end = Date.now() + 500; Date.now() < end;);
  r.end('served by ' + process.pid + '\n');
}).listen({ fd: +process.argv[2] });
process.on('SIGTERM', () => server.close());
`},
		ask: askHTTP,
	},
	{
		name: "php-cgi",
		toml: `
[service.web]
listen = ["unix://{runtime}/php.sock"]
command = ["php-cgi8.2"]
protocol = "fastcgi"
workers.max = 3
idle = "1s"
`,
		files: map[string]string{"page.php": `<?php if ($_SERVER["QUERY_STRING"] == "slow") usleep(500000); echo "served by ", getmypid(), "\n";`},
		ask: func(d *daemon, _ int, slow bool) (string, error) {
			query := ""
			if slow {
				query = "slow"
			}
			cmd := exec.Command("timeout", "60", "cgi-fcgi", "-bind", "-connect", filepath.Join(d.dir, "run", "php.sock"))
			cmd.Env = []string{
				"PATH=/usr/bin:/bin", "REQUEST_METHOD=GET", "QUERY_STRING=" + query,
				"SCRIPT_FILENAME=" + filepath.Join(d.dir, "page.php"),
			}
			out, err := cmd.CombinedOutput()
			return string(out), err
		},
	},
	{
		name: "bash by inetd",
		toml: `
[service.web]
listen = ["tcp://127.0.0.1:{port}"]
command = ["bash", "--norc", "greet.sh"]
protocol = "inetd"
workers.max = 3
`,
		files: map[string]string{"greet.sh": `read -r word; [ "$word" = slow ] && read -r -t 0.5 word; echo "$REMOTE_ADDR was served by $$"`},
		ask: func(_ *daemon, port int, slow bool) (string, error) {
			c, err := dial(port)
			if err != nil {
				return "", err
			}
			defer c.Close()
			fmt.Fprintln(c, map[bool]string{true: "slow", false: "quick"}[slow])
			return bufio.NewReader(c).ReadString('\n')
		},
	},
}

func dial(port int) (net.Conn, error) {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		err = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

// askHTTP is one request of its own connection.
func askHTTP(_ *daemon, port int, slow bool) (string, error) {
	c, err := dial(port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	path := "/"
	if slow {
		path = "/slow"
	}
	fmt.Fprintf(c, "GET %s HTTP/1.0\r\n\r\n", path)
	b, err := io.ReadAll(c)
	if err == nil && !strings.Contains(string(b), " 200 OK\r\n") {
		err = fmt.Errorf("the answer is %q", b)
	}
	return string(b), err
}

// TestPrograms has each of them live a whole life.
func TestPrograms(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			n := port(t)
			toml := strings.ReplaceAll(p.toml, "{port}", fmt.Sprint(n))
			d := start(t, toml, p.files)
			if w := d.workers(); len(w) > 0 {
				t.Errorf("workers %v at rest", w)
			}
			said, err := p.ask(d, n, false)
			if err != nil || !strings.Contains(said, "served by ") {
				t.Fatalf("the first client got %q, %v; the log:\n%s", said, err, d.lastLines())
			}
			d.rush(p, n, nil)
			d.counted(0) // it shrinks to the floor

			// Reloads under load lose no client.
			d.rush(p, n, func() {
				d.configure(toml + "env = { NEW = \"1\" }\n")
				d.reload()
				d.configure(toml)
				d.reload()
			})
			if p.name == "bash by inetd" {
				return
			}
			// One that is killed is replaced when a client comes. The end of one
			// that was asked to leave anyway is no news.
			d.eventually("a crash is told", func() bool {
				if _, err := p.ask(d, n, false); err != nil {
					t.Error(err)
				}
				for _, pid := range d.workers() {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
				d.counted(0)
				return strings.Contains(d.said(), "killed by signal 9")
			})
			if said, err := p.ask(d, n, false); err != nil || !strings.Contains(said, "served by ") {
				t.Errorf("after a crash a client got %q, %v", said, err)
			}
		})
	}
}

// rush has four clients at a time for each worker that there may be, and wants
// them all served, by as many workers as there may be and never by more.
func (d *daemon) rush(p program, port int, meanwhile func()) {
	d.t.Helper()
	var clients sync.WaitGroup
	for range 4 * ceiling {
		clients.Go(func() {
			for range 2 {
				if said, err := p.ask(d, port, true); err != nil || !strings.Contains(said, "served by ") {
					d.t.Errorf("a client got %q, %v", said, err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	if meanwhile != nil {
		meanwhile()
	}
	most := 0
	for {
		select {
		case <-done:
			if most != ceiling {
				d.t.Errorf("%d workers at most, want %d", most, ceiling)
			}
			return
		case <-time.After(5 * time.Millisecond):
			most = max(most, len(d.workers()))
		}
	}
}

// TestDatagrams is a UDP echo, by inetd and by a socket at a descriptor.
func TestDatagrams(t *testing.T) {
	first, second := port(t), port(t)
	d := start(t, fmt.Sprintf(`
[service.inetd]
listen = ["udp://127.0.0.1:%d"]
command = ["python3", "echo.py", "0"]
protocol = "inetd"
[service.none]
listen = ["udp://127.0.0.1:%d"]
command = ["python3", "echo.py", "{fd}"]
protocol = "none"
idle = "1s"
`, first, second), map[string]string{"echo.py": `
import socket, sys, os
s = socket.socket(fileno=int(sys.argv[1]))
s.settimeout(1)
try:
    while True:
        data, peer = s.recvfrom(1000)
        s.sendto(data, peer)
except TimeoutError:
    pass
`})
	for range 2 {
		for _, n := range []int{first, second} {
			c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", n))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			fmt.Fprint(c, "hello")
			b := make([]byte, 100)
			if got, err := c.Read(b); err != nil || string(b[:got]) != "hello" {
				t.Fatalf("got %q, %v; the log:\n%s", b[:got], err, d.lastLines())
			}
			c.Close()
		}
		d.counted(0)
	}
}

// TestCrashLoop has a worker that cannot start, with a client waiting. It is
// held back, its neighbour is not, and when it is mended the client is served.
func TestCrashLoop(t *testing.T) {
	bad, good := port(t), port(t)
	d := start(t, fmt.Sprintf(`
[service.bad]
listen = ["tcp://127.0.0.1:%d"]
command = ["python3", "bad.py"]
protocol = "systemd"
backoff = { first = "200ms", max = "1s" }
[service.good]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "echo good"]
protocol = "inetd"
`, bad, good), map[string]string{"bad.py": "import nonsense\n"})
	waiting, err := dial(bad)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	d.logged("No module named 'nonsense'")
	d.logged("no worker is born for 0.2s")
	d.logged("no worker is born for 0.4s")
	c, err := dial(good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "good\n" {
		t.Errorf("its neighbour says %q, %v", line, err)
	}
	d.write("bad.py", `
import socket
l = socket.socket(fileno=3)
l.setblocking(True)
while True:
    c, _ = l.accept()
    c.sendall(b"mended\n")
    c.close()
`)
	if line, err := bufio.NewReader(waiting).ReadString('\n'); line != "mended\n" {
		t.Errorf("the client that waited got %q, %v; the log:\n%s", line, err, d.lastLines())
	}
}

// TestKilledDaemon: when broodd is killed, its workers end with it, unless they
// are to stay.
func TestKilledDaemon(t *testing.T) {
	path, err := broodd()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: t.TempDir(), end: make(chan error, 1)}
	d.configure(`
[service.stops]
listen = ["unix://{dir}/stops"]
command = ["sleep", "1000"]
protocol = "none"
workers.min = 1
[service.stays]
listen = ["unix://{dir}/stays"]
command = ["sleep", "2000"]
protocol = "none"
workers.min = 1
orphans = "stay"
`)
	d.cmd = exec.Command(path)
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = d.dir, d, d
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.counted(2)
	workers := d.workers()
	d.reload() // threads come and go
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	alive := func(pid int) bool {
		out, err := exec.Command("ps", "-o", "stat=,args=", fmt.Sprint(pid)).Output()
		return err == nil && !strings.HasPrefix(string(out), "Z")
	}
	d.eventually("one has ended", func() bool { return !alive(workers[0]) || !alive(workers[1]) })
	for _, pid := range workers {
		if alive(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Error("the one that was to stay has ended")
}
