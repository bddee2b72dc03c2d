package native

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

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
			_ = c.SetDeadline(time.Now().Add(await.Patience))
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
backoff = { first = "200ms", max = "60s" }
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
