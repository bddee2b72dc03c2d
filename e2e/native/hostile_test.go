package native

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hostileToml is a service of the role "hostile".
const hostileToml = `
[service.hostile]
listen = ["tcp://127.0.0.1:%d"]
command = ["{self}", "%s"]
protocol = "systemd"
env = { BROOD_TEST_ROLE = "hostile" }
workers.max = 1
start.notify = true
stop.timeout = "200ms"
`

// goodToml is a service whose every client has a birth.
const goodToml = `
[service.good]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
`

// TestNotifyFlood has a worker send 200,000 messages. The clients of another
// service hardly notice, and broodd does not grow.
func TestNotifyFlood(t *testing.T) {
	n, good := port(t), port(t)
	d := start(t, fmt.Sprintf(hostileToml, n, "flood")+fmt.Sprintf(goodToml, good), nil)
	calm := newCalm(t)
	c, err := dial(n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "go")
	d.logged("unknown X_BROOD_STATE")
	d.slowed(good, calm, "a flood of messages", 10)
	began := time.Now()
	if _, err := askAt(c, "go"); err != nil {
		t.Error(err)
	}
	t.Logf("the rest of 200,000 took %v", time.Since(began))
	if most := d.memory(); most > 64<<20 {
		t.Errorf("broodd has grown to %d bytes", most)
	}
	if lines := strings.Count(d.said(), "\n"); lines > 100 {
		t.Errorf("%d lines in the log", lines)
	}
}

// TestNotifyFloodOfAStranger has a process that is nobody's worker do the same,
// as anybody on the machine could.
func TestNotifyFloodOfAStranger(t *testing.T) {
	n, good := port(t), port(t)
	d := start(t, fmt.Sprintf(hostileToml, n, "say")+fmt.Sprintf(goodToml, good), nil)
	d.served(n, "X_BROOD_STATE=idle")
	environ := glob(t, fmt.Sprintf("/proc/%d/environ", d.workers()[0]))[0]
	_, rest, _ := strings.Cut(environ, "NOTIFY_SOCKET=")
	name, _, _ := strings.Cut(rest, "\x00")
	calm := newCalm(t)
	stop := make(chan struct{})
	var flood sync.WaitGroup
	defer flood.Wait()
	defer close(stop)
	flood.Go(func() {
		c, err := net.Dial("unixgram", name)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = c.Write([]byte("READY=1"))
			}
		}
	})
	d.slowed(good, calm, "a stranger's flood", 10)
}

// TestMainPidOfAnother has a worker name processes that are not its own as the
// one to stop. None of them is.
func TestMainPidOfAnother(t *testing.T) {
	n := port(t)
	toml := fmt.Sprintf(hostileToml, n, "say")
	d := start(t, toml, nil)
	stranger := exec.Command("sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	for _, pid := range []int{stranger.Process.Pid, d.cmd.Process.Pid, os.Getpid(), 1, 0, -1, 1 << 30} {
		worker := d.served(n, fmt.Sprintf("MAINPID=%d|X_BROOD_STATE=idle", pid))
		if pid > 0 && pid < 1<<30 {
			d.logged(fmt.Sprintf("named process %d as MAINPID, which does not descend from it", pid))
		}
		d.configure(strings.Replace(toml, "hostile]", fmt.Sprintf("hostile%d]", pid&0xffff), 1))
		d.reload()
		d.eventually("the worker has ended", func() bool {
			var id int
			_, err := fmt.Sscan(worker, &id)
			return err == nil && !lives(id)
		})
	}
	if !lives(stranger.Process.Pid) || !lives(d.cmd.Process.Pid) {
		t.Error("a stranger was stopped")
	}
}

// TestDescriptorFlood has a worker send more descriptors than anybody keeps.
func TestDescriptorFlood(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(hostileToml, n, "store"), nil)
	for range 3 {
		d.served(n, "go")
	}
	d.eventually("the descriptors are closed", func() bool {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
		return err == nil && len(files) < 200
	})
}

// TestLingeringDescriptors has a worker send connections that take long to
// close. Nobody waits for that but the worker.
func TestLingeringDescriptors(t *testing.T) {
	n, good := port(t), port(t)
	d := start(t, fmt.Sprintf(hostileToml, n, "linger")+fmt.Sprintf(goodToml, good), nil)
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	calm := newCalm(t)
	c, err := dial(n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, deaf.Addr())
	for range lingering {
		held, err := deaf.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
	}
	d.served(good, "") // the last of them may still be on its way
	d.slowed(good, calm, "descriptors that linger", 20)
}

// TestEndlessExtension has a worker ask for more time for ever. A second TERM is
// the end of it.
func TestEndlessExtension(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(hostileToml, n, "extend"), nil)
	d.served(n, "go")
	// The two signals of stop, and its deadline, are the test.
	d.stop()
	d.gone = true
	d.counted(0)
}

// TestStoppedWorkers has all workers of a pool be stopped (SIGSTOP), with clients
// waiting: others are born for them up to the ceiling, and the stopped ones can be
// ended.
func TestStoppedWorkers(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(serveToml, "web", n)+`
workers.max = 3
wait = "50ms"
stop.timeout = "300ms"
`, nil)
	first := d.served(n, "")
	d.counted(1)
	d.freeze()
	d.crowd(n, 10, 0, "")
	if second := d.served(n, ""); second == first {
		t.Error("the stopped worker serves")
	}
	d.freeze()
	// The end of the test ends broodd, which has to end them.
}

// freeze stops all workers, and waits until every thread of theirs has stopped:
// until then one of them may still take a client, whom nobody would serve.
func (d *daemon) freeze() {
	d.t.Helper()
	for _, pid := range d.workers() {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		d.eventually(fmt.Sprintf("worker %d has stopped", pid), func() bool {
			return !slices.ContainsFunc(glob(d.t, fmt.Sprintf("/proc/%d/task/*/stat", pid)), func(stat string) bool {
				return !strings.Contains(stat, ") T ")
			})
		})
	}
}

// TestDaemonsOfWorkers has workers leave processes behind that have sessions of
// their own and hold all that they were given. broodd forgets them.
func TestDaemonsOfWorkers(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "setsid sh -c 'echo $$ >>{dir}/pids; exec sleep 1000' </dev/null >&2 & read -r x; echo served by $$"]
protocol = "inetd"
`, n), nil)
	t.Cleanup(func() {
		b, _ := os.ReadFile(filepath.Join(d.dir, "pids"))
		for _, word := range strings.Fields(string(b)) {
			pid := 0
			if _, err := fmt.Sscan(word, &pid); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	for range 5 {
		d.served(n, "")
	}
	d.counted(0)
	d.rests(500*time.Millisecond, 2)
}

// TestTenThousandClients are there at the same time.
func TestTenThousandClients(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(serveToml, "web", n)+"workers.max = 4\n", nil)
	var all sync.WaitGroup
	failures := make(chan error, 10000)
	for range 10000 {
		all.Go(func() {
			if _, err := ask(n, ""); err != nil {
				failures <- err
			}
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		t.Fatalf("a client of %d without luck: %v; the log:\n%s", len(failures)+1, err, d.lastLines())
	}
	if most := d.memory(); most > 64<<20 {
		t.Errorf("broodd has grown to %d bytes", most)
	}
}

// TestReloadStorm reloads without a pause, with files that are good, wrong, and
// no files at all, while clients come.
func TestReloadStorm(t *testing.T) {
	n := port(t)
	toml := fmt.Sprintf(serveToml, "web", n)
	d := start(t, toml, nil)
	path := filepath.Join(d.dir, "brood.toml")
	stop := make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := ask(n, ""); err != nil {
					t.Error(err)
				}
			}
		}
	})
	// Each puts something in the file's place.
	wrongs := []func() error{
		func() error { return os.Mkdir(path, 0o755) },
		func() error { return os.Symlink("/dev/zero", path) },
		func() error { return os.Symlink(path, path) },
		func() error { return syscall.Mkfifo(path, 0o600) },
		func() error { return os.WriteFile(path, nil, 0o600) },
		func() error { return os.WriteFile(path, []byte(strings.Repeat("[", 1<<20)), 0o600) },
		func() error {
			return os.WriteFile(path, []byte("[service.web]\nlisten = [\"tcp://0.0.0.0:1\"]\n"), 0o600)
		},
		func() error { return nil },
	}
	for i := range 200 {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			d.configure(fmt.Sprintf("%sworkers.max = %d\n", toml, 1+i%7))
		} else if err := wrongs[i/2%len(wrongs)](); err != nil {
			t.Fatal(err)
		}
		if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	d.logged("reload refused")
	d.configure(toml + "workers.max = 9\n")
	before := strings.Count(d.said(), "reload -- ")
	d.eventually("a last reload", func() bool {
		_ = d.cmd.Process.Signal(syscall.SIGHUP)
		return strings.Count(d.said(), "reload -- ") > before
	})
	close(stop)
	clients.Wait()
	if most := d.memory(); most > 64<<20 {
		t.Errorf("broodd has grown to %d bytes", most)
	}
}

// TestAllWorkersKilled kills all workers again and again, under load. Clients may
// be cut off; broodd goes on, and in the end everybody is served.
func TestAllWorkersKilled(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(serveToml, "web", n)+`
workers = { min = 2, spare = 1, max = 5 }
idle = "200ms"
backoff = { first = "20ms", max = "20ms" }
`, nil)
	var clients sync.WaitGroup
	for range 5 {
		clients.Go(func() {
			for range 50 {
				_, _ = ask(n, "5ms")
			}
		})
	}
	for range 20 {
		d.eventually("workers live", func() bool { return len(d.workers()) > 0 })
		for _, pid := range d.workers() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	clients.Wait()
	d.served(n, "")
	d.counted(2)
}

// TestShutListeners has workers shut down the socket that all share, as soon as
// they have it.
func TestShutListeners(t *testing.T) {
	n, good := port(t), port(t)
	d := start(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["/usr/bin/python3", "-c", "import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)"]
protocol = "none"
`, n)+fmt.Sprintf(goodToml, good), nil)
	for range 20 {
		if c, err := dial(n); err == nil { // it may be shut just now
			defer c.Close()
		}
		d.served(good, "")
	}
	d.logged("has shut down the socket")
	d.rests(time.Second, 10)
}

// TestFullDiskForLogs has the disk of a service's log be full. That is said in
// broodd's own log, and the worker serves.
func TestFullDiskForLogs(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	n := port(t)
	d := prepare(t, fmt.Sprintf(loudToml, n)+"log.to = \"{dir}/full/log\"\n", nil)
	full := filepath.Join(d.dir, "full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", full, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(full, syscall.MNT_FORCE) })
	d.run()
	d.logged("daemon started")
	for range 3 {
		if _, err := ask(n, "numbers 1000"); err != nil {
			t.Fatal(err)
		}
	}
	d.logged("cannot write log lines to " + full + "/log: no space left on device; they are lost, and counted")
	if err := os.Truncate(filepath.Join(full, "log"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(n, "numbers 1"); err != nil {
		t.Fatal(err)
	}
	d.eventually("the loss is told", func() bool {
		b, _ := os.ReadFile(filepath.Join(full, "log"))
		return strings.Contains(string(b), "log lines were lost")
	})
}

// TestStartedTwice starts another broodd with the same file. It refuses, and the
// sockets of the first stay as they are.
func TestStartedTwice(t *testing.T) {
	toml := `
[service.web]
listen = ["unix://{dir}/sock"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
`
	d := start(t, toml, nil)
	ask := func(d *daemon) {
		t.Helper()
		c, err := net.Dial("unix", filepath.Join(d.dir, "sock"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := askAt(c, ""); err != nil {
			t.Error(err)
		}
	}
	second := prepare(t, toml, nil)
	second.cmd.Dir = d.dir
	second.run()
	if err := <-second.end; err == nil {
		t.Error("it ends well")
	}
	second.gone = true
	second.logged(fmt.Sprintf("another broodd serves brood.toml already, process %d; stop it first", d.cmd.Process.Pid))
	ask(d)
	// Once the first is gone, however that was, the next may start.
	d.kill()
	next := prepare(t, toml, nil)
	next.cmd.Dir, next.dir = d.dir, d.dir
	next.run()
	next.logged("daemon started")
	ask(next)
}
