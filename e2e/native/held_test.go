package native

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keeper serves one connection at a time for as long as it lasts, or has a process
// of its own do so, and says nothing of that to anybody.
const keeper = `
import os, signal, socket, sys
listener = socket.socket(fileno=3)
while True:
    c, _ = listener.accept()
    if "fork" in sys.argv and os.fork() > 0:
        c.close()
        os.wait()
        continue
    with c:
        for line in c.makefile("r"):
            c.sendall(b"heard by %d\n" % os.getpid())
    if "fork" in sys.argv:
        os._exit(0)
`

// TestConnectionsThatLast: workers that do not tell have connections that outlast
// the time after which a worker without clients leaves. Who has one stays; the
// others go, and in the end all.
func TestConnectionsThatLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tcp := fmt.Sprint("127.0.0.1:", port(t))
	path := filepath.Join(dir, "socket")
	for _, kind := range []struct{ name, listen, network, addr, more string }{
		{"tcp", "tcp://" + tcp, "tcp", tcp, ""},
		{"unix, by a process of its own", "unix://" + path, "unix", path, `, "fork"`},
	} {
		t.Run(kind.name, func(t *testing.T) {
			d := start(t, fmt.Sprintf(`
[service.keeper]
listen = [%q]
command = ["python3", "keeper.py"%s]
protocol = "none"
directory = "."
workers = { max = 3 }
wait = "20ms"
idle = "200ms"
`, kind.listen, kind.more), map[string]string{"keeper.py": keeper})
			var clients []*bufio.ReadWriter
			var conns []net.Conn
			for n := range 3 {
				conn, err := net.Dial(kind.network, kind.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conns = append(conns, conn)
				clients = append(clients, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)))
				hears(t, clients[n])
			}
			conns[1].Close()
			d.counted(2)
			for end := time.Now().Add(time.Second); time.Now().Before(end); { // five times idle
				hears(t, clients[0])
				hears(t, clients[2])
			}
			d.counted(2)
			conns[0].Close()
			conns[2].Close()
			d.counted(0)
		})
	}
}

// hears has a client be answered.
func hears(t *testing.T, c *bufio.ReadWriter) {
	t.Helper()
	_, _ = c.WriteString("hello\n")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if line, err := c.ReadString('\n'); err != nil || !strings.HasPrefix(line, "heard by ") {
		t.Fatalf("answered %q, %v", line, err)
	}
}
