package native

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

// serveToml is a service of the role "serve".
const serveToml = `
[service.%s]
listen = ["tcp://127.0.0.1:%d"]
command = ["{self}"]
protocol = "none"
env = { BROOD_TEST_ROLE = "serve" }
`

// ask is one client of the role "serve", who wants to be served for so long. It
// returns who did.
func ask(port int, service string) (pid string, err error) {
	c, err := dial(port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return askAt(c, service)
}

func askAt(c net.Conn, service string) (pid string, err error) {
	fmt.Fprintln(c, service)
	line, err := bufio.NewReader(c).ReadString('\n')
	pid, good := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "served by ")
	if err == nil && !good {
		err = fmt.Errorf("the answer is %q", line)
	}
	return pid, err
}

// served has one client be served, and returns by whom.
func (d *daemon) served(port int, service string) (pid string) {
	d.t.Helper()
	pid, err := ask(port, service)
	if err != nil {
		d.t.Fatalf("a client: %v; the log:\n%s", err, d.lastLines())
	}
	return pid
}

// crowd has so many clients be served at the same time, and returns how many
// workers there were at most. Each comes again until there have been so many as are
// to be: how far a pool grows for a rush that ends is a matter of how long births
// take.
func (d *daemon) crowd(port, clients, workers int, service string) (most int) {
	d.t.Helper()
	done := make(chan struct{})
	var all sync.WaitGroup
	var enough atomic.Bool
	for range clients {
		all.Go(func() {
			for again := true; again; again = !enough.Load() {
				if _, err := ask(port, service); err != nil {
					d.t.Errorf("a client: %v", err)
					return
				}
			}
		})
	}
	go func() { all.Wait(); close(done) }()
	for began := time.Now(); ; {
		if most >= workers || time.Since(began) > await.Patience {
			enough.Store(true)
		}
		select {
		case <-done:
			return most
		case <-time.After(5 * time.Millisecond):
			most = max(most, len(d.workers()))
		}
	}
}

// TestRushAtAnEmptyPool has 50 clients come at once to a pool without workers,
// whose workers are slow: it reaches its ceiling, and does not pass it.
func TestRushAtAnEmptyPool(t *testing.T) {
	for name, more := range map[string]string{
		"says nothing": `command = ["{self}", "300ms"]
protocol = "none"
wait = "20ms"
`,
		"says busy and idle": `command = ["{self}", "300ms", "tells"]
protocol = "systemd"
start = { notify = true, timeout = "30s" }
`,
	} {
		t.Run(name, func(t *testing.T) {
			n := port(t)
			d := start(t, fmt.Sprintf(`
[service.slow]
listen = ["tcp://127.0.0.1:%d"]
env = { BROOD_TEST_ROLE = "serve" }
workers.max = 8
%s`, n, more), nil)
			if most := d.crowd(n, 50, 8, "200ms"); most != 8 {
				t.Errorf("%d workers at most, want 8; the log:\n%s", most, d.lastLines())
			}
		})
	}
}

// TestBurstThenTrickle has a pool grow, and then one client come at a time.
func TestBurstThenTrickle(t *testing.T) {
	n := port(t)
	const idle, wait = time.Second, 10 * time.Millisecond
	d := start(t, fmt.Sprintf(serveToml, "web", n)+fmt.Sprintf(`
workers.max = 12
idle = "%v"
wait = "%v"
`, idle, wait), nil)
	if most := d.crowd(n, 50, 12, "100ms"); most != 12 {
		t.Errorf("%d workers at most, want 12", most)
	}
	// Clients that come one by one are what is tested, so time has to pass.
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	d.eventually("most of the workers leave", func() bool {
		if len(d.workers()) <= 2 {
			return true
		}
		d.served(n, "")
		<-pace.C
		return false
	})
	var longest time.Duration
	var came time.Time
	for range 20 {
		<-pace.C
		came = time.Now()
		d.served(n, "")
		longest = max(longest, time.Since(came))
	}
	// Where the machine had one of them wait, there may be more, and where it has
	// stood still since the last one came, none.
	w := d.workers()
	if few := len(w) < 1 && time.Since(came) < idle; few || len(w) > 2 && longest < wait {
		t.Errorf("%d workers for one client at a time, who waited for %v at most", len(w), longest)
	}
}

// TestFloodThenConnect opens far more connections than anybody takes, closes
// them, and connects once more.
func TestFloodThenConnect(t *testing.T) {
	for name, more := range map[string]string{
		"none":  "command = [\"{self}\"]\nprotocol = \"none\"\nidle = \"100ms\"\n",
		"inetd": "command = [\"sh\", \"-c\", \"read -r x && echo served by $$\"]\nprotocol = \"inetd\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			n := port(t)
			d := start(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d?backlog=128"]
env = { BROOD_TEST_ROLE = "serve" }
workers.max = 2
%s`, n, more), nil)
			addr := &unix.SockaddrInet4{Port: n, Addr: [4]byte{127, 0, 0, 1}}
			var flood []int
			for range 1000 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				flood = append(flood, fd)
				if err := unix.Connect(fd, addr); err != nil && err != unix.EINPROGRESS {
					t.Fatal(err)
				}
			}
			d.eventually("a worker is born", func() bool { return len(d.workers()) > 0 })
			for _, fd := range flood {
				unix.Close(fd)
			}
			d.served(n, "")
			d.counted(0)
			d.served(n, "")
		})
	}
}

// rests wants the daemon to use a processor for no longer, while so much time
// passes, than so many of its own starts took it: a machine that is slow or busy
// makes both longer. That nothing happens has no event to wait for, so time has to
// pass.
func (d *daemon) rests(span time.Duration, starts float64) {
	d.t.Helper()
	before := d.cpu()
	<-time.After(span)
	used := d.cpu() - before
	d.t.Logf("broodd ran for %v in %v, and for %v to start", used, span, d.startup)
	if used.Seconds() > starts*d.startup.Seconds() {
		d.t.Errorf("broodd does not rest; the log:\n%s", d.lastLines())
	}
}

// cpu is how long the daemon has run, see proc_pid_schedstat(5).
func (d *daemon) cpu() (total time.Duration) {
	d.t.Helper()
	for _, text := range glob(d.t, fmt.Sprintf("/proc/%d/task/*/schedstat", d.cmd.Process.Pid)) {
		var ran int64
		if _, err := fmt.Sscan(text, &ran); err != nil {
			d.t.Fatal(err)
		}
		total += time.Duration(ran)
	}
	return total
}

// TestUnstartable has a client wait for a worker that cannot be started: broodd
// rests meanwhile, and the client is served when it is mended.
func TestUnstartable(t *testing.T) {
	for name, script := range map[string]string{
		"it fails":                 "#!/bin/sh\nexit 1\n",
		"it has no interpreter":    "#!/nonexistent\n",
		"it ends well and unasked": "#!/bin/sh\nexit 0\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := port(t)
			d := prepare(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["{dir}/worker"]
protocol = "none"
env = { BROOD_TEST_ROLE = "serve" }
`, n), nil)
			d.program("worker", script)
			d.run()
			d.started()
			c, err := dial(n)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			d.logged("no worker is born for 4")
			d.rests(3*time.Second, 4)
			d.program("worker", "#!/bin/sh\nexec {self}\n")
			if _, err := askAt(c, ""); err != nil {
				t.Errorf("the client that waited: %v; the log:\n%s", err, d.lastLines())
			}
		})
	}
}

// TestAThousandServices compares the start of broodd with 1,000 services with
// that of 1,000 sockets alone, by what they take of a processor. None of them
// throttles another, and none has a worker.
func TestAThousandServices(t *testing.T) {
	const services = 1000
	var toml strings.Builder
	for i := range services {
		fmt.Fprintf(&toml, "[service.s%d]\nlisten = [\"unix://{dir}/%d\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", i, i)
	}
	var sockets, daemons []time.Duration
	for range 3 {
		sockets = append(sockets, listenAll(t, services))
		d := prepare(t, toml.String(), nil)
		d.run()
		d.started()
		daemons = append(daemons, d.startup)
		for _, i := range []int{0, services / 2, services - 1} {
			c, err := net.Dial("unix", fmt.Sprintf("%s/%d", d.dir, i))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(c, "hello")
			if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
				t.Errorf("service %d says %q, %v", i, line, err)
			}
			c.Close()
		}
		d.counted(0)
		d.rests(500*time.Millisecond, 0.25)
	}
	ratio := float64(slices.Min(daemons)) / float64(slices.Min(sockets))
	t.Logf("%v to start, %v for the sockets alone: %.1f times as long", slices.Min(daemons), slices.Min(sockets), ratio)
	if ratio > 30 {
		t.Errorf("the start takes %.1f times as long as the sockets alone", ratio)
	}
}

// listenAll makes so many sockets and returns how long a processor needs for that.
func listenAll(t *testing.T, n int) time.Duration {
	dir := t.TempDir()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() time.Duration {
		var all unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &all); err != nil {
			t.Fatal(err)
		}
		return time.Duration(all.Utime.Nano() + all.Stime.Nano())
	}
	before := used()
	for i := range n {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("%s/%d", dir, i)}); err != nil {
			t.Fatal(err)
		}
		if err := unix.Listen(fd, 128); err != nil {
			t.Fatal(err)
		}
	}
	return used() - before
}

// TestIdleDeathAndReconnect has a worker leave and the next client come, over
// and over.
func TestIdleDeathAndReconnect(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(serveToml, "web", n)+"idle = \"1ms\"\n", nil)
	last := ""
	for range 100 {
		pid := d.served(n, "")
		if pid == last {
			t.Fatalf("worker %s was to be gone", pid)
		}
		last = pid
		d.counted(0)
	}
}
